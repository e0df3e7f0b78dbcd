import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Send, Webhook as WebhookIcon } from 'lucide-react';
import { useState, type FormEvent } from 'react';
import { useAddress } from '../pages/useAddress';
import { deleteWebhook, fetchWebhooks, makeWebhook, testWebhook, type Webhook, type WebhookEvent } from '../services/api';
import { ConfirmButton } from './ConfirmButton';
import { CopyButton } from './CopyButton';
import { Deliveries } from './Deliveries';
import { Empty, ErrorNotice, Notice } from './Notice';

export const EVENTS: Record<string, string> = {
  'crawl.finished': 'Crawl finished',
  'crawl.failed': 'Crawl failed',
  'source.changed': 'Source changed',
  test: 'Test',
};
const CHOICES: WebhookEvent[] = ['crawl.finished', 'crawl.failed', 'source.changed'];

/** Addresses that are told when crawls end or sources change. */
export function Webhooks() {
  const hooks = useQuery({ queryKey: ['webhooks'], queryFn: ({ signal }) => fetchWebhooks(signal) });
  if (hooks.isError) return <ErrorNotice error={hooks.error} onRetry={() => void hooks.refetch()} />;
  return (
    <section aria-labelledby="webhooks-title">
      <div className="section-head">
        <h2 id="webhooks-title">Webhooks</h2>
        <span className="muted">Told within seconds, and again until they answer</span>
      </div>
      <NewWebhook />
      {hooks.data?.length === 0 && (
        <Empty icon={<WebhookIcon />} title="Nobody is told yet">
          Add the address of a receiver above. It gets a signed POST when a crawl ends or a source changes.
        </Empty>
      )}
      {hooks.data && hooks.data.length > 0 && (
        <ul className="panel rows hooks">
          {hooks.data.map((hook) => (
            <Row key={hook.id} hook={hook} />
          ))}
        </ul>
      )}
    </section>
  );
}

function NewWebhook() {
  const queries = useQueryClient();
  const [url, setUrl] = useState('');
  const [events, setEvents] = useState<WebhookEvent[]>(['crawl.finished', 'crawl.failed']);
  const make = useMutation({
    mutationFn: () => makeWebhook(url.trim(), events),
    onSuccess: () => {
      setUrl('');
      void queries.invalidateQueries({ queryKey: ['webhooks'] });
    },
  });
  const toggle = (event: WebhookEvent) =>
    setEvents((before) => (before.includes(event) ? before.filter((other) => other !== event) : [...before, event]));
  return (
    <div className="panel tokens">
      {make.data && (
        <Notice tone="good" title="The webhook is made. Copy its secret now: it is not shown again." action={<CopyButton text={make.data.secret} label="Copy the secret" />}>
          <span className="mono">{make.data.secret}</span>
        </Notice>
      )}
      {make.error && <ErrorNotice error={make.error} />}
      <form
        className="token-form"
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          make.mutate();
        }}
      >
        <input className="input" type="url" aria-label="Address of the new webhook" placeholder="https://example.org/archon" required maxLength={2_000} value={url} onChange={(event) => setUrl(event.target.value)} />
        <fieldset className="checks">
          <legend className="visually-hidden">What it is told</legend>
          {CHOICES.map((event) => (
            <label key={event}>
              <input type="checkbox" checked={events.includes(event)} onChange={() => toggle(event)} />
              {EVENTS[event]}
            </label>
          ))}
        </fieldset>
        <button className="button" disabled={make.isPending || events.length === 0}>
          Add webhook
        </button>
      </form>
    </div>
  );
}

function Row({ hook }: { hook: Webhook }) {
  const queries = useQueryClient();
  const [params, change] = useAddress();
  const open = params.get('hook') === String(hook.id);
  const remove = useMutation({ mutationFn: () => deleteWebhook(hook.id), onSuccess: () => queries.invalidateQueries({ queryKey: ['webhooks'] }) });
  const test = useMutation({
    mutationFn: () => testWebhook(hook.id),
    onSuccess: () => {
      change({ hook: String(hook.id) });
      void queries.invalidateQueries({ queryKey: ['deliveries', hook.id] });
    },
  });
  const failure = remove.error ?? test.error;
  return (
    <li className="row hook">
      <div className="hook-head">
        <span className="mono cut hook-url" title={hook.url}>
          {hook.url}
        </span>
        <span className="muted">{hook.events.map((event) => EVENTS[event] ?? event).join(', ')}</span>
        {!hook.active && <span className="state state-failed">Switched off</span>}
        <div className="hook-actions">
          <button type="button" className="text-button" aria-expanded={open} aria-label={`Deliveries to ${hook.url}`} onClick={() => change({ hook: open ? '' : String(hook.id) })}>
            Deliveries
          </button>
          <button type="button" className="text-button" aria-label={`Send a test to ${hook.url}`} disabled={test.isPending} onClick={() => test.mutate()}>
            <Send aria-hidden />
            Test
          </button>
          <ConfirmButton question="Delete?" label={`Delete ${hook.url}`} disabled={remove.isPending} onConfirm={() => remove.mutate()}>
            Delete
          </ConfirmButton>
        </div>
      </div>
      {hook.note && <p className="muted">{hook.note}</p>}
      {failure && <ErrorNotice error={failure} />}
      {open && <Deliveries webhookId={hook.id} />}
    </li>
  );
}
