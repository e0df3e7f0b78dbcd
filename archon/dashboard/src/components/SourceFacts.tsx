import { Link, useSearchParams } from 'react-router';
import { ago, dateTime, plural } from '../format';
import type { KnowledgeItem } from '../services/api';

export function pageCount({ metadata }: KnowledgeItem): number | undefined {
  return metadata.document_count;
}

export function SourceType({ item }: { item: KnowledgeItem }) {
  const { knowledge_type, status, failure } = item.metadata;
  const unusual = status && status !== 'active' && !failure ? status : null;
  return <span className="kind">{unusual ?? knowledge_type ?? 'technical'}</span>;
}

/** `at` is the page that filters by tag; here, when it is left out. */
export function SourceTags({ item, at }: { item: KnowledgeItem; at?: string }) {
  const [params] = useSearchParams();
  const tags = item.metadata.tags ?? [];
  if (tags.length === 0) return null;
  return (
    <ul className="tags" aria-label="Tags">
      {tags.map((tag) => {
        const next = new URLSearchParams(at ? undefined : params);
        next.set('tag', tag);
        next.delete('page');
        return (
          <li key={tag}>
            <Link className="tag" to={{ ...(at ? { pathname: at } : {}), search: next.toString() }} title={`Show sources tagged ${tag}`}>
              <span className="cut">{tag}</span>
            </Link>
          </li>
        );
      })}
    </ul>
  );
}

export function SourceSize({ item }: { item: KnowledgeItem }) {
  const pages = pageCount(item);
  const { chunks_count: chunks, code_examples_count: examples } = item.metadata;
  const sizes = [
    pages === undefined ? '' : plural(pages, 'page'),
    chunks === undefined ? '' : plural(chunks, 'chunk'),
  ];
  return (
    <>
      <span>{sizes.filter(Boolean).join(' · ')}</span>
      {examples ? <span>{plural(examples, 'code example')}</span> : null}
    </>
  );
}

export function SourceTime({ item }: { item: KnowledgeItem }) {
  const time = item.metadata.last_scraped ?? item.updated_at;
  return (
    <time dateTime={time} title={dateTime(time)}>
      {ago(time)}
    </time>
  );
}
