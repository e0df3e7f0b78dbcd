import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { ActiveCrawls } from '../components/ActiveCrawls';
import { Fact } from '../components/Fact';
import { ErrorNotice, Notice } from '../components/Notice';
import { count, dateTime } from '../format';
import { fetchHealth, fetchMetrics } from '../services/api';
import { usePageTitle } from './usePageTitle';

const POLL_MS = 5_000;

const PARTS: Record<string, string> = {
  database: 'Database',
  redis: 'Redis',
  worker: 'Worker',
  embedder: 'Embeddings',
  disk: 'Disk',
};
const WORDS = { ok: 'Works', failed: 'Fails', absent: 'Not set up' };
const STATES = { ok: 'done', failed: 'failed', absent: 'skipped' };

export function SystemPage() {
  usePageTitle('System');
  return (
    <div className="page">
      <div className="page-head">
        <div>
          <h1>System</h1>
          <p className="page-sub">How Archon is, and what it holds.</p>
        </div>
      </div>
      <Parts />
      <Holdings />
      <ActiveCrawls />
      <section aria-labelledby="more-title">
        <div className="section-head">
          <h2 id="more-title">More</h2>
        </div>
        <ul className="panel rows">
          <li className="row">
            <Link to="/settings">Settings</Link>
            <span className="muted">Models, every variable, API tokens and webhooks.</span>
          </li>
          <More href="/docs/" name="Documentation" says="How to use it, run it and mend it; make example reads it in." />
          <More href="/api/docs" name="REST API" says="Every endpoint with its fields, to try out here." />
          <More href="/api/asyncapi.json" name="Messages of the streams" says="AsyncAPI with the schema of every message." />
          <More href="/metrics" name="Metrics" says="Prometheus text of the web process." />
          <More href="/admin/" name="Django admin" says="Every job, URL, page, chunk and event." />
        </ul>
      </section>
    </div>
  );
}

function More({ href, name, says }: { href: string; name: string; says: string }) {
  return (
    <li className="row">
      <a href={href}>{name}</a>
      <span className="muted">{says}</span>
    </li>
  );
}

function Parts() {
  const health = useQuery({ queryKey: ['health'], queryFn: ({ signal }) => fetchHealth(signal), refetchInterval: POLL_MS, retry: false });
  if (health.isError) return <ErrorNotice error={health.error} onRetry={() => void health.refetch()} />;
  const checks = Object.entries(health.data?.checks ?? {});
  return (
    <section aria-label="Health">
      {health.data && !health.data.ready && (
        <Notice tone="bad" title="Archon is not ready">
          A part below fails. What is stored can still be read; crawls wait until it works again.
        </Notice>
      )}
      <ul className="health" aria-busy={!health.data}>
        {(checks.length ? checks : Object.keys(PARTS).map((name) => [name, null] as const)).map(([name, check]) => (
          <li key={name} className="panel health-part">
            <h2>{PARTS[name] ?? name}</h2>
            <span className={`state state-${check ? STATES[check.status] : 'queued'}`}>{check ? WORDS[check.status] : '…'}</span>
            <p className="muted">{check?.detail || ' '}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Holdings() {
  const metrics = useQuery({ queryKey: ['metrics'], queryFn: ({ signal }) => fetchMetrics(signal), refetchInterval: POLL_MS });
  const { data } = metrics;
  return (
    <section aria-labelledby="holdings-title">
      <div className="section-head">
        <h2 id="holdings-title">What is stored</h2>
        {data && <span className="muted">as of {dateTime(data.timestamp)}</span>}
      </div>
      {metrics.isError && <ErrorNotice error={metrics.error} onRetry={() => void metrics.refetch()} />}
      <dl className="panel facts facts-panel" aria-busy={!data}>
        <Fact name="Sources" value={count(data?.sources_count)} />
        <Fact name="Pages" value={count(data?.pages_count)} />
        <Fact name="Chunks" value={count(data?.chunks_count)} />
        <Fact name="Words" value={count(data?.words_count)} />
        <Fact name="Code examples" value={count(data?.code_examples_count)} />
        <Fact name="Pages a source" value={data ? data.average_pages_per_source.toFixed(1) : '–'} />
      </dl>
    </section>
  );
}
