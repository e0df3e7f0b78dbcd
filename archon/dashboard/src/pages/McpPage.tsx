import { useQuery } from '@tanstack/react-query';
import { ExternalLink } from 'lucide-react';
import { CopyButton } from '../components/CopyButton';
import { Fact } from '../components/Fact';
import { McpLog } from '../components/McpLog';
import { ErrorNotice } from '../components/Notice';
import { ago, count, dateTime, duration, milliseconds, plural } from '../format';
import { fetchMcpClients, fetchMcpConfig, fetchMcpStatus, fetchMcpTools, type McpSnippet } from '../services/api';
import { useAddress } from './useAddress';
import { usePageTitle } from './usePageTitle';

const POLL_MS = 5_000;

export function McpPage() {
  usePageTitle('Assistants');
  return (
    <div className="page">
      <div className="page-head">
        <div>
          <h1>Assistants</h1>
          <p className="page-sub">Coding assistants search, read and crawl here over the Model Context Protocol.</p>
        </div>
      </div>
      <Status />
      <SetUp />
      <Clients />
      <McpLog />
      <ToolList />
    </div>
  );
}

function Status() {
  const status = useQuery({ queryKey: ['mcp', 'status'], queryFn: ({ signal }) => fetchMcpStatus(signal), refetchInterval: POLL_MS });
  if (status.isError) return <ErrorNotice error={status.error} onRetry={() => void status.refetch()} />;
  const { data } = status;
  return (
    <section className="panel mcp-status" aria-label="Status" aria-busy={!data}>
      <p className="mcp-address">
        <span className="state state-done">{data?.status === 'running' ? 'Running' : (data?.status ?? '…')}</span>
        <span className="mono cut" title={data?.url}>{data?.url ?? ' '}</span>
        {data && <CopyButton text={data.url} label="Copy the address" />}
      </p>
      <dl className="facts">
        <Fact name="Calls" value={count(data?.calls)} />
        <Fact name="Errors" value={count(data?.errors)} bad={(data?.errors ?? 0) > 0} />
        <Fact name="Sessions now" value={count(data?.active_sessions)} />
        <Fact name="Up for" value={data ? duration(data.uptime) : '–'} />
      </dl>
    </section>
  );
}

function SetUp() {
  const [params, change] = useAddress();
  const config = useQuery({ queryKey: ['mcp', 'config'], queryFn: ({ signal }) => fetchMcpConfig(signal), staleTime: Infinity });
  const snippets = config.data?.clients ?? [];
  const chosen = snippets.find(({ client }) => client === params.get('client')) ?? snippets[0];

  return (
    <section aria-labelledby="setup-title">
      <div className="section-head">
        <h2 id="setup-title">Connect an assistant</h2>
      </div>
      {config.isError && <ErrorNotice error={config.error} onRetry={() => void config.refetch()} />}
      <div className="panel mcp-setup">
        <label className="mcp-choice">
          <span className="visually-hidden">Assistant</span>
          <select className="select" value={chosen?.client ?? ''} onChange={(event) => change({ client: event.target.value }, { replace: true })}>
            {snippets.map(({ client, title }) => (
              <option key={client} value={client}>
                {title}
              </option>
            ))}
          </select>
        </label>
        {chosen && <SnippetView snippet={chosen} tokenRequired={config.data?.token_required ?? false} />}
      </div>
    </section>
  );
}

function SnippetView({ snippet, tokenRequired }: { snippet: McpSnippet; tokenRequired: boolean }) {
  const { file, text, note, link, title } = snippet;
  // Only the two schemes that the server makes: an install link of the assistant itself.
  const install = /^(cursor|vscode):/.test(link) ? link : '';
  return (
    <div className="mcp-snippet">
      <div className="snippet-head">
        <span>{file ? <span className="mono">{file}</span> : 'In a terminal'}</span>
        <CopyButton text={text} label={`Copy the set-up of ${title}`} />
      </div>
      <pre className="snippet" tabIndex={0} aria-label={`Set-up of ${title}`}>
        {text}
      </pre>
      {note && <p className="field-hint">{note}</p>}
      {tokenRequired && <p className="field-hint">Put an API token in place of the placeholder. Settings, API tokens makes one.</p>}
      {install && (
        <a className="button" href={install}>
          <ExternalLink aria-hidden />
          Install in {title}
        </a>
      )}
    </div>
  );
}

function Clients() {
  const clients = useQuery({ queryKey: ['mcp', 'clients'], queryFn: ({ signal }) => fetchMcpClients(signal), refetchInterval: POLL_MS });
  if (!clients.data?.total) return null;
  return (
    <section aria-labelledby="clients-title">
      <div className="section-head">
        <h2 id="clients-title">Who called</h2>
      </div>
      <div className="table-scroll panel" tabIndex={0} role="region" aria-label="Assistants that called">
        <table className="table">
          <thead>
            <tr>
              <th scope="col">Assistant</th>
              <th scope="col">Transport</th>
              <th scope="col" className="num">Calls</th>
              <th scope="col" className="num">Errors</th>
              <th scope="col" className="num">Mean time</th>
              <th scope="col">Last call</th>
            </tr>
          </thead>
          <tbody>
            {clients.data.clients.map((client) => (
              <tr key={`${client.client_name} ${client.client_version} ${client.transport}`}>
                <th scope="row">{client.client_name} <span className="muted">{client.client_version}</span></th>
                <td>{client.transport}</td>
                <td className="num">{count(client.calls)}</td>
                <td className="num">{count(client.errors)}</td>
                <td className="num">{milliseconds(client.mean_milliseconds)}</td>
                <td className="nowrap">
                  <time dateTime={client.last_seen} title={dateTime(client.last_seen)}>{ago(client.last_seen)}</time>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function ToolList() {
  const tools = useQuery({ queryKey: ['mcp', 'tools'], queryFn: ({ signal }) => fetchMcpTools(signal), staleTime: Infinity });
  const own = tools.data?.tools.filter(({ alias_of }) => !alias_of) ?? [];
  return (
    <section aria-labelledby="tools-title">
      <div className="section-head">
        <h2 id="tools-title">Tools</h2>
        {tools.data && <span className="muted">{plural(own.length, 'tool')}, and {plural(tools.data.count - own.length, 'older name')} for them</span>}
      </div>
      {tools.isError && <ErrorNotice error={tools.error} onRetry={() => void tools.refetch()} />}
      <ul className="panel rows">
        {own.map(({ name, description, read_only }) => (
          <li key={name} className="row">
            <p><span className="mono">{name}</span> <span className="kind">{read_only ? 'reads' : 'changes'}</span></p>
            <p className="muted">{description.split('\n')[0]}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}
