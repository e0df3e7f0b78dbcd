import { keepPreviousData, useQueries, useQuery } from '@tanstack/react-query';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { FileSearch } from 'lucide-react';
import { useLayoutEffect, useRef, useState } from 'react';
import { Link } from 'react-router';
import { bytes, count, milliseconds, shortUrl, webAddress } from '../format';
import { useAddress } from '../pages/useAddress';
import { CRAWLED_PER_PAGE, fetchCrawledPages, type CrawledPage } from '../services/api';
import { isTerminal, type CrawlProgressData } from '../services/crawlProgressService';
import { Empty, ErrorNotice } from './Notice';
import { UploadedFiles } from './UploadedFiles';

const POLL_MS = 2_000;

const STATES = [
  ['', 'All'],
  ['done', 'Done'],
  ['failed', 'Failed'],
  ['leased', 'Fetching'],
  ['queued', 'Waiting'],
  ['skipped', 'Skipped'],
] as const;

/** Why a page was not fetched, in a reader's words; a new reason shows as it is. */
export const REASONS: Record<string, string> = {
  robots: 'robots.txt forbids it',
  too_deep: 'More links away than the depth allows',
  other_host: 'On another host',
  outside_path: 'Outside the path the crawl began in',
  excluded: 'Matches an exclude pattern',
  not_included: 'Matches no include pattern',
  max_pages: 'Beyond the page limit',
  too_long: 'The address is too long',
  cancelled: 'The crawl was cancelled first',
  stalled: 'The crawl stalled first',
  noindex: 'The page asks not to be indexed',
  redirected_out: 'Leads out of the crawl',
  frames: 'Shows other pages in frames',
  query_variants: 'Too many variants of one address',
  repeating_path: 'The path repeats itself',
  sign_in: 'A sign-in form and nothing else',
  sitemap: 'A list of pages',
  sitemap_index: 'A list of lists of pages',
  llms_txt: 'A list of pages',
  split: 'Read as parts of its own',
};

const STATE_NAMES = new Map<string, string>(STATES);

/** Every address of one crawl: what became of it, and why. Only the rows in sight are drawn, and only they are asked for. */
export function CrawledPages({ progressId, progress }: { progressId: string; progress: CrawlProgressData | null }) {
  const [params] = useAddress();
  const state = params.get('state') ?? '';
  const running = progress !== null && !isTerminal(progress.status);
  const first = useQuery(portion(progressId, state, 1, progress));
  const unknown = progress?.kind === 'upload' || (first.error && 'status' in first.error && first.error.status === 404);
  const total = first.data?.total ?? 0;
  const upload = progress?.kind === 'upload';

  return (
    <section className="crawled" aria-labelledby="crawled-title">
      <div className="section-head">
        <h2 id="crawled-title">{upload ? 'Files' : 'Pages'}</h2>
        {!upload && <StateFilter current={state} counts={first.data?.counts ?? {}} />}
      </div>
      {first.isError && !unknown && <ErrorNotice error={first.error} onRetry={() => void first.refetch()} />}
      {unknown && <UploadedFiles progressId={progressId} ended={progress ? !running : null} otherwise={upload ? <NoFiles running={running} /> : <NoPages state={state} running={running} />} />}
      {first.data && total === 0 && <NoPages state={state} running={running} />}
      {total > 0 && <PagesTable key={state} progressId={progressId} state={state} progress={progress} total={total} />}
    </section>
  );
}

/** A stretch of the list, by its number from 1. It is asked for again while the crawl runs, and once more at its end. */
function portion(progressId: string, state: string, page: number, progress: CrawlProgressData | null) {
  const ended = progress ? isTerminal(progress.status) : null;
  return {
    queryKey: ['crawl-pages', progressId, { state, page }, ended],
    queryFn: ({ signal }: { signal: AbortSignal }) => fetchCrawledPages(progressId, { state, page }, signal),
    placeholderData: keepPreviousData,
    // An upload has files instead of pages: until it is known what this is, nothing is asked in vain.
    enabled: progress !== null && progress.kind !== 'upload',
    refetchInterval: ended === false ? POLL_MS : (false as const),
  };
}

function StateFilter({ current, counts }: { current: string; counts: Record<string, number> }) {
  return (
    <nav className="filter" aria-label="Pages by state">
      {STATES.map(([state, name]) => (
        <Link
          key={state}
          to={{ search: state ? `state=${state}` : '' }}
          preventScrollReset
          aria-current={current === state ? 'true' : undefined}
        >
          {name}
          {state && counts[state] !== undefined && <span className="filter-count">{count(counts[state])}</span>}
        </Link>
      ))}
    </nav>
  );
}

function NoPages({ state, running }: { state: string; running: boolean }) {
  const name = STATE_NAMES.get(state)?.toLowerCase();
  return (
    <Empty icon={<FileSearch />} title={state ? `No page is ${name ?? state}` : 'No pages yet'}>
      {state
        ? 'Choose another state above to see the rest.'
        : running
          ? 'Addresses appear here as soon as they are discovered.'
          : 'This crawl has no pages. Start one from Add source.'}
    </Empty>
  );
}

function NoFiles({ running }: { running: boolean }) {
  return (
    <Empty icon={<FileSearch />} title={running ? 'No file is read yet' : 'Nothing is kept'}>
      {running ? 'Files appear here as soon as they are read.' : 'No file could be read, so there is no source. The log above tells of each.'}
    </Empty>
  );
}

const COLUMNS = ['Page', 'State', 'HTTP', 'Time', 'Size', 'Chunks', 'Tries'];
const ROW_PX = 43;
const ROWS_AHEAD = 8;

interface PagesTableProps {
  progressId: string;
  state: string;
  progress: CrawlProgressData | null;
  total: number;
}

function PagesTable({ progressId, state, progress, total }: PagesTableProps) {
  const body = useRef<HTMLDivElement>(null);
  const [offset, setOffset] = useState(0);
  useLayoutEffect(() => {
    if (body.current) setOffset(body.current.getBoundingClientRect().top + window.scrollY);
  }, [progress?.status]);
  const rows = useWindowVirtualizer({
    count: total,
    estimateSize: () => ROW_PX,
    overscan: ROWS_AHEAD,
    scrollMargin: offset,
  });
  const shown = rows.getVirtualItems();
  const numbers = [...new Set(shown.map(({ index }) => Math.floor(index / CRAWLED_PER_PAGE) + 1))];
  const portions = useQueries({ queries: numbers.map((number) => portion(progressId, state, number, progress)) });
  const pageAt = (index: number) => {
    const number = Math.floor(index / CRAWLED_PER_PAGE) + 1;
    return portions[numbers.indexOf(number)]?.data?.pages[index % CRAWLED_PER_PAGE];
  };

  return (
    // Roles are spelled out: rows that are placed by hand are no table to a browser.
    <div className="crawled-table panel" role="table" aria-labelledby="crawled-title" aria-rowcount={total + 1}>
      <div role="rowgroup" className="crawled-head">
        <div role="row" className="crawled-row" aria-rowindex={1}>
          {COLUMNS.map((name, index) => (
            <span key={name} role="columnheader" className={index > 1 ? 'num' : undefined}>
              {name}
            </span>
          ))}
        </div>
      </div>
      <div role="rowgroup" className="crawled-body" ref={body} style={{ height: rows.getTotalSize() }}>
        {shown.map(({ index, key, start }) => (
          <PageRow key={key} index={index} page={pageAt(index)} measure={rows.measureElement} top={start - offset} />
        ))}
      </div>
    </div>
  );
}

interface PageRowProps {
  index: number;
  page: CrawledPage | undefined;
  measure: (node: Element | null) => void;
  top: number;
}

function PageRow({ index, page, measure, top }: PageRowProps) {
  return (
    <div role="row" className="crawled-row" aria-rowindex={index + 2} data-index={index} ref={measure} style={{ transform: `translateY(${top}px)` }}>
      {page ? <PageCells page={page} /> : <span role="cell" className="muted">…</span>}
    </div>
  );
}

function PageCells({ page }: { page: CrawledPage }) {
  const numbers: [string, string][] = [
    ['HTTP', page.http_status ? String(page.http_status) : '–'],
    ['Time', milliseconds(page.milliseconds)],
    ['Size', bytes(page.bytes)],
    ['Chunks', page.state === 'done' ? count(page.chunks) : '–'],
    ['Tries', page.attempts ? count(page.attempts) : '–'],
  ];
  return (
    <>
      <div role="rowheader" className="crawled-url">
        <a className="mono cut" href={webAddress(page.url)} title={page.url} rel="noreferrer" target="_blank">
          {shortUrl(page.url)}
        </a>
        {page.error && (
          <span className="crawled-note is-bad">
            {page.error.message} {page.error.hint && <span className="muted">{page.error.hint}</span>}
          </span>
        )}
        {page.state === 'skipped' && page.reason && (
          <span className="crawled-note muted">{REASONS[page.reason] ?? page.reason.replaceAll('_', ' ')}</span>
        )}
      </div>
      <span role="cell">
        <span className={`state state-${page.state}`}>{STATE_NAMES.get(page.state) ?? page.state}</span>
      </span>
      {numbers.map(([name, value]) => (
        <span key={name} role="cell" className="num" data-name={name}>
          {value}
        </span>
      ))}
    </>
  );
}
