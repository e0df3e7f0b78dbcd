import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Diff, History } from 'lucide-react';
import { Link } from 'react-router';
import { ago, count, dateTime, shortUrl } from '../format';
import { pageNumber, useAddress } from '../pages/useAddress';
import { CHANGES_PER_PAGE, fetchChanges } from '../services/api';
import { Empty, ErrorNotice } from './Notice';
import { Pager } from './Pager';

const KINDS = [
  ['added', 'Added', 'done'],
  ['changed', 'Changed', 'leased'],
  ['removed', 'Removed', 'failed'],
] as const;

/** Which pages are new, changed or gone since a day; the day stands in the address. */
export function Changes({ sourceId, base }: { sourceId: string; base: string }) {
  const [params, change] = useAddress();
  const filter = { since: day(params.get('since')), page: pageNumber(params) };
  const changes = useQuery({
    queryKey: ['changes', sourceId, filter],
    queryFn: ({ signal }) => fetchChanges(sourceId, filter, signal),
    placeholderData: keepPreviousData,
  });
  const { data } = changes;
  return (
    <section aria-label="Changes">
      <div className="toolbar changes-tools">
        <label>
          <span>Since</span>
          <input className="input" type="date" value={filter.since || (data ? localDay(data.since) : '')} onChange={(event) => change({ since: event.target.value }, { replace: true })} />
        </label>
        {data && (
          <ul className="changes-counts" aria-label="How many">
            {KINDS.map(([kind, name, mark]) => (
              <li key={kind} className={`state state-${data.counts[kind] ? mark : 'skipped'}`}>
                {count(data.counts[kind])} {name.toLowerCase()}
              </li>
            ))}
          </ul>
        )}
      </div>
      {changes.isError && <ErrorNotice error={changes.error} onRetry={() => void changes.refetch()} />}
      {data?.total === 0 && (
        <Empty icon={<History />} title="Nothing changed since then">
          Choose an earlier day, or crawl the source again to see what is new.
        </Empty>
      )}
      {data && data.total > 0 && (
        <>
          <ul className="panel rows" aria-busy={changes.isPlaceholderData}>
            {data.changes.map((page) => (
              <li key={`${page.change} ${page.url}`} className="row change">
                <Kind change={page.change} />
                {page.page_id ? (
                  <Link className="cut" to={`${base}/pages/${page.page_id}`} title={page.title}>
                    {page.title || shortUrl(page.url)}
                  </Link>
                ) : (
                  <span className="cut" title={page.title}>
                    {page.title || shortUrl(page.url)}
                  </span>
                )}
                <span className="mono cut muted" title={page.url}>
                  {shortUrl(page.url)}
                </span>
                {page.page_id && page.has_diff ? (
                  <Link className="text-button" to={`${base}/changes/${page.page_id}${filter.since && `?since=${filter.since}`}`} aria-label={`What changed in ${page.title || shortUrl(page.url)}`}>
                    <Diff aria-hidden />
                    What changed
                  </Link>
                ) : (
                  <span />
                )}
                <time className="muted nowrap" dateTime={page.changed_at} title={dateTime(page.changed_at)}>
                  {ago(page.changed_at)}
                </time>
              </li>
            ))}
          </ul>
          <Pager page={filter.page} perPage={CHANGES_PER_PAGE} total={data.total} label="Pages of changes" />
        </>
      )}
    </section>
  );
}

function Kind({ change }: { change: string }) {
  const [, name, mark] = KINDS.find(([kind]) => kind === change) ?? [change, change, 'queued'];
  return <span className={`state state-${mark}`}>{name}</span>;
}

/** A day of the address that is none counts as no day. */
function day(text: string | null): string {
  return text && /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)) ? text : '';
}

function localDay(iso: string): string {
  const date = new Date(iso);
  const two = (n: number) => String(n).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}
