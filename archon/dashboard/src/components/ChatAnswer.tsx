import { Marked } from 'marked';
import { useMemo, useRef } from 'react';
import { Link } from 'react-router';
import { shortUrl, webAddress } from '../format';
import type { ChatMessage, Citation } from '../services/chatStream';
import { CopyButton } from './CopyButton';
import { Notice } from './Notice';
import { SafeHtml } from './SafeHtml';

const MAKERS: Record<string, string> = {
  extractive: 'Sentences of the passages, word for word: no language model is configured.',
  none: '',
};

/** A bare address in an answer stays text: whoever wrote it, it is not ours to make it a link. */
const markdown = new Marked({ tokenizer: { url: () => undefined } });

/** One answer with its citations. The Markdown is a model's or a page's: it goes through the allow list. */
export function ChatAnswer({ message }: { message: ChatMessage }) {
  const list = useRef<HTMLOListElement>(null);
  const html = useMemo(() => markdown.parse(marks(message), { async: false }), [message]);
  const open = (n: number) => {
    const passage = list.current?.querySelector<HTMLDetailsElement>(`details[data-n="${n}"]`);
    if (!passage) return;
    passage.open = true;
    passage.querySelector('summary')?.focus();
  };

  return (
    <article className="answer" aria-label="Answer" aria-busy={message.state === 'streaming'}>
      <SafeHtml html={html} onCite={open} />
      {message.state === 'stopped' && <p className="field-hint">Stopped.</p>}
      {message.error && (
        <Notice tone="bad" title={message.error.message}>
          {message.error.hint}
        </Notice>
      )}
      {message.citations.length > 0 && (
        <ol className="citations" ref={list} aria-label="Cited passages">
          {message.citations.map((citation) => (
            <li key={citation.n}>
              <Passage citation={citation} />
            </li>
          ))}
        </ol>
      )}
      {message.state !== 'streaming' && message.text && (
        <p className="answer-foot">
          <CopyButton text={message.text} label="Copy the answer" />
          <span className="muted">{MAKERS[message.model] ?? message.model}</span>
        </p>
      )}
    </article>
  );
}

/** `[2]` becomes a button that opens passage 2, if there is one. */
function marks({ text, citations }: ChatMessage): string {
  const known = new Set(citations.map(({ n }) => n));
  return text.replace(/\[(\d{1,2})\](?!\()/g, (marker, n: string) => (known.has(Number(n)) ? `[${n}](#cite-${n})` : marker));
}

function Passage({ citation }: { citation: Citation }) {
  const { n, title, heading_path, source_id, page_url, url, snippet } = citation;
  const inArchon = `/sources/${encodeURIComponent(source_id)}/page?url=${encodeURIComponent(page_url)}`;
  return (
    <details className="citation" data-n={n}>
      <summary>
        <span className="citation-n">{n}</span>
        <span className="cut" title={title}>
          {title || shortUrl(url)}
        </span>
      </summary>
      {heading_path && heading_path !== title && <p className="result-path">{heading_path}</p>}
      <blockquote>{snippet}</blockquote>
      <p className="citation-links">
        <Link to={inArchon}>Read the page here</Link>
        {webAddress(url) && (
          <a href={webAddress(url)} rel="nofollow noopener noreferrer" target="_blank" className="cut">
            {shortUrl(url)}
          </a>
        )}
      </p>
    </details>
  );
}
