import { useQuery } from '@tanstack/react-query';
import { ChevronLeft, FileText, History } from 'lucide-react';
import { Link } from 'react-router';
import { count, dateTime, plural, shortUrl } from '../format';
import { useAddress } from '../pages/useAddress';
import { fetchPageDiff, type PageDiff as Diff } from '../services/api';
import { sectionsOf, type DiffLine } from '../unified';
import { Empty, ErrorNotice, Notice } from './Notice';

/** Colour says it a third time, after a sign for the eye and a word for the ear. */
const KINDS = {
  same: { sign: ' ', word: '', Text: 'span' },
  added: { sign: '+', word: 'Added: ', Text: 'ins' },
  removed: { sign: '−', word: 'Removed: ', Text: 'del' },
} as const;

/** What a page said then, against what it says now, line by line. */
export function PageDiff({ pageId, base }: { pageId: string; base: string }) {
  const [params] = useAddress();
  const since = params.get('since') ?? '';
  const diff = useQuery({
    queryKey: ['diff', pageId, since],
    queryFn: ({ signal }) => fetchPageDiff(pageId, since, signal),
  });
  return (
    <article className="viewer">
      <Link className="back-link" to={`${base}/changes${since && `?since=${since}`}`}>
        <ChevronLeft aria-hidden />
        All changes
      </Link>
      {diff.isError && <ErrorNotice error={diff.error} onRetry={() => void diff.refetch()} />}
      {diff.data && <Compared diff={diff.data} base={base} />}
    </article>
  );
}

function Compared({ diff, base }: { diff: Diff; base: string }) {
  const name = diff.title || shortUrl(diff.url);
  return (
    <>
      <div className="viewer-head">
        <h2>{name}</h2>
        <p className="diff-about">
          {diff.since && (
            <span className="muted">
              {plural(diff.added, 'line')} added, {count(diff.removed)} removed · changed {dateTime(diff.changed_at)}, compared with its text of {dateTime(diff.since)}
            </span>
          )}
          <Link className="text-button" to={`${base}/pages/${diff.page_id}`}>
            <FileText aria-hidden />
            Read the page
          </Link>
        </p>
      </div>
      {diff.since && diff.title_before !== diff.title && (
        <ul className="panel diff-lines diff-title" aria-label="Title">
          <Line kind="removed" text={diff.title_before} number={null} />
          <Line kind="added" text={diff.title} number={null} />
        </ul>
      )}
      {!diff.since && (
        <Empty icon={<History />} title="No earlier text of this page is kept">
          A text is kept when a crawl finds that the page says something else. There is none from before this day, or it was too old to keep.
        </Empty>
      )}
      {diff.since && !diff.diff && <p className="muted diff-same">The text is the same.</p>}
      {sectionsOf(diff.diff).map(({ from, to, lines }) => (
        <section key={from} className="diff-section" aria-labelledby={`lines-${from}`}>
          <h3 id={`lines-${from}`}>{to > from ? `Lines ${from} to ${to}` : `Line ${from}`}</h3>
          <ol className="panel diff-lines">
            {lines.map((line, place) => (
              <Line key={place} {...line} />
            ))}
          </ol>
        </section>
      ))}
      {diff.truncated && (
        <Notice tone="idle" title="This is not all of it">
          The page is too long to compare or to show in one piece. Its Markdown is whole at <span className="mono">/api/pages/{diff.page_id}</span>.
        </Notice>
      )}
    </>
  );
}

function Line({ kind, text, number }: DiffLine) {
  const { sign, word, Text } = KINDS[kind];
  return (
    <li className={`diff-line is-${kind}`}>
      {number !== null && <span className="diff-number" data-line={number} aria-hidden />}
      <span className="diff-sign" data-sign={sign} aria-hidden />
      {word && <span className="visually-hidden">{word}</span>}
      <Text className="diff-text">{text || '\u00a0'}</Text>
    </li>
  );
}
