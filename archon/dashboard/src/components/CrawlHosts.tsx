import { useQuery } from '@tanstack/react-query';
import { Server } from 'lucide-react';
import { count, dateTime, duration, plural } from '../format';
import { fetchCrawlHosts, type CrawlHost } from '../services/api';
import { isTerminal, type CrawlProgressData } from '../services/crawlProgressService';
import { Empty, ErrorNotice } from './Notice';

const POLL_MS = 2_000;
const STATES = [
  ['done', 'done'],
  ['failed', 'failed'],
  ['leased', 'fetching'],
  ['queued', 'waiting'],
  ['skipped', 'skipped'],
] as const;

/** Each host of a crawl: how fast it is asked, what its robots.txt wants, and whether it asks for patience. */
export function CrawlHosts({ progressId, progress }: { progressId: string; progress: CrawlProgressData | null }) {
  const ended = progress ? isTerminal(progress.status) : null;
  const hosts = useQuery({
    queryKey: ['crawl-hosts', progressId, ended],
    queryFn: ({ signal }) => fetchCrawlHosts(progressId, signal),
    refetchInterval: ended === false ? POLL_MS : false,
  });
  const unknown = hosts.error && 'status' in hosts.error && hosts.error.status === 404;
  return (
    <section aria-labelledby="hosts-title">
      <div className="section-head crawl-view-head">
        <h2 id="hosts-title">Hosts</h2>
        {hosts.data && (
          <span className="muted">
            asked as <span className="mono">{hosts.data.user_agent}</span>
          </span>
        )}
      </div>
      {hosts.isError && !unknown && <ErrorNotice error={hosts.error} onRetry={() => void hosts.refetch()} />}
      {(unknown || hosts.data?.hosts.length === 0) && (
        <Empty icon={<Server />} title="No host was asked">
          A crawl lists here the hosts it asks; files that are uploaded come from none.
        </Empty>
      )}
      {hosts.data && hosts.data.hosts.length > 0 && (
        <ul className="panel rows">
          {hosts.data.hosts.map((host) => (
            <Host key={host.origin} host={host} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Host({ host }: { host: CrawlHost }) {
  const counts = STATES.filter(([state]) => host.counts[state]).map(([state, name]) => `${count(host.counts[state])} ${name}`);
  return (
    <li className="row host">
      <span className="mono cut host-origin" title={host.origin}>
        {host.origin}
      </span>
      <span className="host-counts">{counts.join(', ') || 'nothing yet'}</span>
      <p className="muted">
        {pace(host)} {robots(host)} {host.holds > 0 && `It asked for patience ${plural(host.holds, 'time')}.`}
      </p>
      {host.robots_error && <p className="host-held">{host.robots_error}</p>}
      {host.held && (
        <p className="host-held">
          Left alone until {dateTime(host.held.until)}: it answered {host.held.status} and asked for {duration(host.held.seconds)}.
        </p>
      )}
    </li>
  );
}

function pace({ own, concurrency, delay_seconds }: CrawlHost): string {
  if (concurrency === null) return own ? 'A host of your own: asked as fast as it answers.' : 'Asked as fast as it answers.';
  const pause = delay_seconds ? `, ${Number(delay_seconds.toFixed(2))} s apart` : '';
  return `At most ${plural(concurrency, 'request')} at once${pause}, over all workers.`;
}

function robots({ robots, robots_status, crawl_delay }: CrawlHost): string {
  if (robots === 'unread') return 'Its robots.txt was not read yet.';
  if (robots === 'unreachable') return '';
  if (robots === 'absent') return `It has no robots.txt (${robots_status}).`;
  return crawl_delay ? `Its robots.txt asks for ${crawl_delay} s between requests.` : 'Its robots.txt asks for no delay.';
}
