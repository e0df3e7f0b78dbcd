import { createElement, useMemo, type ReactNode } from 'react';
import { webAddress } from '../format';

const TAGS = new Set(
  'a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre s strong table tbody td th thead tr ul'.split(' '),
);
/** Their content is not text of the page either. */
const DROPPED = new Set(['script', 'style', 'template', 'noscript', 'iframe', 'object', 'svg', 'math', 'title', 'textarea', 'select']);
const MAX_DEPTH = 60;
/** A page's headings begin below the title that stands above it. */
const HEADINGS: Record<string, string> = { h1: 'h3', h2: 'h3', h3: 'h4', h4: 'h5', h5: 'h6', h6: 'h6' };

/**
 * HTML of the server as React elements, by an allow list of our own: the server has cleaned it, this is the
 * second fence. No markup is ever set, so nothing of it can run; a parsed document loads nothing.
 */
export function SafeHtml({ html, onCite }: { html: string; onCite?: (n: number) => void }) {
  const content = useMemo(() => {
    const { body } = new DOMParser().parseFromString(html, 'text/html');
    return children(body, 0, onCite);
    // The listener is only called, never shown.
  }, [html]);
  return <div className="prose">{content}</div>;
}

type OnCite = ((n: number) => void) | undefined;

function children(parent: Node, depth: number, onCite: OnCite): ReactNode[] {
  return [...parent.childNodes].map((node, index) => shown(node, index, depth, onCite));
}

function shown(node: Node, key: number, depth: number, onCite: OnCite): ReactNode {
  if (node.nodeType === Node.TEXT_NODE) return node.textContent;
  if (!(node instanceof Element) || depth > MAX_DEPTH) return null;
  const name = node.localName;
  if (DROPPED.has(name)) return null;
  const inner = children(node, depth + 1, onCite);
  if (!TAGS.has(name)) return inner;
  if (name === 'br' || name === 'hr') return createElement(name, { key });
  const cited = name === 'a' && onCite && /^#cite-(\d+)$/.exec(node.getAttribute('href') ?? '')?.[1];
  if (cited) return <Cite key={key} n={Number(cited)} onCite={onCite} />;
  if (name === 'a') return <Link key={key} href={node.getAttribute('href') ?? ''} inner={inner} />;
  if (name === 'pre' || name === 'table') {
    return (
      // Focusable so that the keyboard can scroll it.
      <div key={key} className="prose-wide" tabIndex={0} role="group" aria-label={name === 'pre' ? 'Code' : 'Table'}>
        {createElement(name, {}, layoutFree(name, inner))}
      </div>
    );
  }
  return createElement(HEADINGS[name] ?? name, { key }, ...layoutFree(name, inner));
}

function Cite({ n, onCite }: { n: number; onCite: (n: number) => void }) {
  return (
    <button type="button" className="cite" aria-label={`Passage ${n}`} onClick={() => onCite(n)}>
      {n}
    </button>
  );
}

/** Line breaks between rows and cells are no text. */
function layoutFree(name: string, inner: ReactNode[]): ReactNode[] {
  if (!['table', 'thead', 'tbody', 'tr'].includes(name)) return inner;
  return inner.filter((node) => typeof node !== 'string' || node.trim() !== '');
}

function Link({ href, inner }: { href: string; inner: ReactNode[] }) {
  const address = webAddress(href) ?? (href.startsWith('mailto:') ? href : undefined);
  if (!address) return <>{inner}</>;
  return (
    <a href={address} rel="nofollow noopener noreferrer ugc" target="_blank">
      {inner}
    </a>
  );
}
