import { useQuery } from '@tanstack/react-query';
import { ago, count, dateTime, plural } from '../format';
import { fetchDeliveries, type Delivery } from '../services/api';
import { ErrorNotice } from './Notice';
import { EVENTS } from './Webhooks';

const POLL_MS = 2_000;

const STATES: Record<string, [mark: string, word: string]> = {
  delivered: ['done', 'Delivered'],
  pending: ['queued', 'Waiting'],
  failed: ['failed', 'Failed'],
};

/** What was sent to one webhook, newest first; followed while something is on its way. */
export function Deliveries({ webhookId }: { webhookId: number }) {
  const sent = useQuery({
    queryKey: ['deliveries', webhookId],
    queryFn: ({ signal }) => fetchDeliveries(webhookId, signal),
    refetchInterval: POLL_MS,
  });
  if (sent.isError) return <ErrorNotice error={sent.error} onRetry={() => void sent.refetch()} />;
  if (!sent.data) return null;
  const { deliveries, total } = sent.data;
  if (total === 0) return <p className="muted deliveries-none">Nothing was sent yet. Send a test to see whether the receiver answers.</p>;
  return (
    <div className="table-scroll deliveries" tabIndex={0} role="region" aria-label="Deliveries">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Event</th>
            <th scope="col">State</th>
            <th scope="col" className="num">
              HTTP
            </th>
            <th scope="col" className="num">
              Tries
            </th>
            <th scope="col">When</th>
          </tr>
        </thead>
        <tbody>
          {deliveries.map((delivery) => (
            <Row key={delivery.id} delivery={delivery} />
          ))}
        </tbody>
      </table>
      {total > deliveries.length && <p className="muted deliveries-none">The newest {count(deliveries.length)} of {plural(total, 'delivery', 'deliveries')}.</p>}
    </div>
  );
}

function Row({ delivery }: { delivery: Delivery }) {
  const { event, state, http_status, attempts, error, created_at, next_at } = delivery;
  const [mark, word] = STATES[state] ?? ['queued', state];
  return (
    <tr>
      <td>
        {EVENTS[event] ?? event}
        {error && <span className="crawled-note is-bad">{error}</span>}
        {state === 'pending' && attempts > 0 && next_at && <span className="crawled-note muted">again {dateTime(next_at)}</span>}
      </td>
      <td>
        <span className={`state state-${mark}`}>{word}</span>
      </td>
      <td className="num">{http_status ?? '–'}</td>
      <td className="num">{count(attempts)}</td>
      <td className="nowrap" title={dateTime(created_at)}>
        {ago(created_at)}
      </td>
    </tr>
  );
}
