import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { count, plural, shortUrl } from '../format';
import { fetchActive } from '../services/api';
import type { CrawlProgressData } from '../services/crawlProgressService';
import { phrase, tone } from '../status';
import { ProgressBar } from './ProgressBar';
import { StatusMark } from './StatusMark';
import { useSourceTitle } from './useSourceTitle';

const BUSY_POLL_MS = 2_000;
const IDLE_POLL_MS = 15_000;

/** What runs now, one line each; nothing at all when nothing runs. */
export function ActiveCrawls() {
  const active = useQuery({
    queryKey: ['active'],
    queryFn: ({ signal }) => fetchActive(signal),
    refetchInterval: ({ state }) => (state.data?.length ? BUSY_POLL_MS : IDLE_POLL_MS),
    retry: false,
  });
  if (!active.data?.length) return null;

  return (
    <section className="running" aria-labelledby="running-title">
      <h2 id="running-title">Running now</h2>
      <ul>
        {active.data.map((operation) => (
          <ActiveCrawl key={operation.progressId} operation={operation} />
        ))}
      </ul>
    </section>
  );
}

function ActiveCrawl({ operation }: { operation: CrawlProgressData }) {
  const { progressId, status, percentage, processedPages = 0, totalPages, failedPages = 0 } = operation;
  const title = useSourceTitle(operation) ?? progressId;
  const pages = totalPages ? `${count(processedPages)} of ${plural(totalPages, 'page')}` : plural(processedPages, 'page');
  return (
    <li>
      <Link to={`/crawls/${encodeURIComponent(progressId)}`} className="running-link">
        <StatusMark status={status} />
        <span className="running-title cut" title={operation.currentUrl ?? title}>
          {title}
          {operation.currentUrl && <span className="running-url mono">{shortUrl(operation.currentUrl)}</span>}
        </span>
        <span className="running-phrase">{phrase(status)}</span>
        <span className="running-pages">
          {pages}
          {failedPages > 0 && <span className="is-bad">, {count(failedPages)} failed</span>}
        </span>
        <span className="running-percentage">{percentage}%</span>
        <ProgressBar
          size="small"
          label={`Progress of ${title}`}
          value={totalPages ? percentage : null}
          valueText={`${percentage}%, ${pages}`}
          tone={tone(status)}
        />
      </Link>
    </li>
  );
}
