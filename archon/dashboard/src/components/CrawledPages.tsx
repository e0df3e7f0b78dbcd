import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { FileSearch } from 'lucide-react';
import { Link } from 'react-router';
import { bytes, count, milliseconds, shortUrl, webAddress } from '../format';
import { pageNumber, useAddress } from '../pages/useAddress';
import { fetchCrawledPages, type CrawledPage } from '../services/api';
import { isTerminal, type CrawlProgressData } from '../services/crawlProgressService';
import { Empty, ErrorNotice } from './Notice';
import { Pager } from './Pager';

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
const REASONS: Record<string, string> = {
  robots: 'robots.txt forbids it',
  too_deep: 'More links away than the depth allows',
  other_host: 'On another host',
  outside_path: 'Outside the path the crawl began in',
  excluded: 'Matches an exclude pattern',
  not_included: 'Matches no include pattern',
  too_long: 'The address is too long',
  cancelled: 'The crawl was cancelled first',
};

const STATE_NAMES = new Map<string, string>(STATES);

/** Every address of one crawl: what became of it, and why. */
export function CrawledPages({ progressId, progress }: { progressId: string; progress: CrawlProgressData | null }) {
  const [params] = useAddress();
  const filter = { state: params.get('state') ?? '', page: pageNumber(params) };
  const running = progress !== null && !isTerminal(progress.status);
  const pages = useQuery({
    queryKey: ['crawl-pages', progressId, filter, progress ? isTerminal(progress.status) : null],
    queryFn: ({ signal }) => fetchCrawledPages(progressId, filter, signal),
    placeholderData: keepPreviousData,
    refetchInterval: running ? POLL_MS : false,
  });
  const unknown = pages.error && 'status' in pages.error && pages.error.status === 404;

  return (
    <section className="crawled" aria-labelledby="crawled-title">
      <div className="section-head">
        <h2 id="crawled-title">Pages</h2>
        <StateFilter current={filter.state} counts={pages.data?.counts ?? {}} />
      </div>
      {pages.isError && !unknown && <ErrorNotice error={pages.error} onRetry={() => void pages.refetch()} />}
      {(unknown || pages.data?.pages.length === 0) && <NoPages state={filter.state} running={running} />}
      {pages.data && pages.data.pages.length > 0 && (
        <>
          <PagesTable pages={pages.data.pages} />
          <Pager page={pages.data.page} perPage={pages.data.per_page} total={pages.data.total} label="Pages of the list" />
        </>
      )}
    </section>
  );
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

const COLUMNS = ['Page', 'State', 'HTTP', 'Time', 'Size', 'Chunks', 'Tries'];

function PagesTable({ pages }: { pages: CrawledPage[] }) {
  return (
    // Roles are spelled out because narrow screens lay the rows out as blocks, which drops the implied ones.
    <table className="table crawled-table panel" role="table" aria-labelledby="crawled-title">
      <thead role="rowgroup">
        <tr role="row">
          {COLUMNS.map((name, index) => (
            <th key={name} scope="col" role="columnheader" className={index > 1 ? 'num' : undefined}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {pages.map((page) => (
          <PageRow key={page.url} page={page} />
        ))}
      </tbody>
    </table>
  );
}

function PageRow({ page }: { page: CrawledPage }) {
  const numbers: [string, string][] = [
    ['HTTP', page.http_status ? String(page.http_status) : '–'],
    ['Time', milliseconds(page.milliseconds)],
    ['Size', bytes(page.bytes)],
    ['Chunks', page.state === 'done' ? count(page.chunks) : '–'],
    ['Tries', page.attempts ? count(page.attempts) : '–'],
  ];
  return (
    <tr role="row">
      <th scope="row" role="rowheader" className="crawled-url">
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
      </th>
      <td role="cell">
        <span className={`state state-${page.state}`}>{STATE_NAMES.get(page.state) ?? page.state}</span>
      </td>
      {numbers.map(([name, value]) => (
        <td key={name} role="cell" className="num" data-name={name}>
          {value}
        </td>
      ))}
    </tr>
  );
}
