import { useMutation } from '@tanstack/react-query';
import { ArrowDownToLine, Pause, ScrollText } from 'lucide-react';
import { useEffect, useMemo, useRef, useState } from 'react';
import { dateTime, milliseconds, plural } from '../format';
import { useAddress } from '../pages/useAddress';
import { clearMcpLogs, type LogRecord } from '../services/api';
import { streamMcpLogs } from '../services/logStream';
import type { ConnectionState, ReconnectingSocket } from '../services/reconnectingSocket';
import { ConfirmButton } from './ConfirmButton';
import { ConnectionBadge } from './ConnectionBadge';
import { Empty, ErrorNotice } from './Notice';

const KEPT = 500;
const LEVELS = ['DEBUG', 'INFO', 'WARNING', 'ERROR'];

/** Every call of every assistant while it happens. Pausing holds the picture, nothing is lost meanwhile. */
export function McpLog() {
  const { records, clear, connection, reconnect } = useMcpLog();
  const [params, change] = useAddress();
  const [held, setHeld] = useState<LogRecord[] | null>(null);
  const text = params.get('q') ?? '';
  const level = LEVELS.find((known) => known === params.get('level')) ?? '';
  const shown = useMemo(() => (held ?? records).filter((record) => matches(record, text, level)), [held, records, text, level]);
  const missed = held ? records.filter(({ id }) => id > (held.at(-1)?.id ?? 0)).length : 0;
  const remove = useMutation({
    mutationFn: clearMcpLogs,
    onSuccess: () => {
      clear();
      setHeld(null);
    },
  });

  return (
    <section aria-labelledby="log-title">
      <div className="section-head">
        <h2 id="log-title">Log</h2>
        <ConnectionBadge state={connection} onRetry={reconnect} />
      </div>
      <div className="toolbar mcp-log-tools">
        <input
          type="search"
          className="input"
          aria-label="Filter the log"
          placeholder="Filter by tool, assistant or text"
          value={text}
          onChange={(event) => change({ q: event.target.value }, { replace: true })}
        />
        <select
          className="select"
          aria-label="Least level"
          value={level}
          onChange={(event) => change({ level: event.target.value }, { replace: true })}
        >
          <option value="">All levels</option>
          {LEVELS.slice(1).map((known) => (
            <option key={known} value={known}>
              {known === 'ERROR' ? 'Errors' : `${known.charAt(0)}${known.slice(1).toLowerCase()} and above`}
            </option>
          ))}
        </select>
        <button type="button" className="button" aria-pressed={held !== null} onClick={() => setHeld(held ? null : records)}>
          {held ? <ArrowDownToLine aria-hidden /> : <Pause aria-hidden />}
          {held ? (missed ? `Go on, ${missed} new` : 'Go on') : 'Pause'}
        </button>
        <ConfirmButton question="Clear for all?" disabled={remove.isPending || records.length === 0} onConfirm={() => remove.mutate()}>
          Clear
        </ConfirmButton>
      </div>
      {remove.error && <ErrorNotice error={remove.error} />}
      {shown.length > 0 ? (
        <Records records={shown} following={held === null} />
      ) : (
        <Empty icon={<ScrollText />} title={records.length ? 'Nothing matches' : 'No call yet'}>
          {records.length
            ? `${plural(records.length, 'record')} do not match this filter.`
            : 'Connect an assistant with one of the set-ups above and ask it something. Its calls appear here as they happen.'}
        </Empty>
      )}
    </section>
  );
}

function matches(record: LogRecord, text: string, level: string): boolean {
  if (level && LEVELS.indexOf(record.level) < LEVELS.indexOf(level)) return false;
  if (!text) return true;
  const { client_id, tool_name } = record.metadata;
  return `${record.message} ${client_id ?? ''} ${tool_name ?? ''}`.toLowerCase().includes(text.toLowerCase());
}

function Records({ records, following }: { records: LogRecord[]; following: boolean }) {
  const box = useRef<HTMLOListElement>(null);
  useEffect(() => {
    if (following && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [records, following]);

  return (
    <ol className="panel mcp-log" ref={box} tabIndex={0} aria-label="Log records">
      {records.map((record) => (
        <li key={record.id} className={`mcp-record level-${record.level.toLowerCase()}`}>
          <time dateTime={record.timestamp} title={dateTime(record.timestamp)}>
            {new Date(record.timestamp).toLocaleTimeString()}
          </time>
          <span className="mcp-level">{record.level}</span>
          <span className="mcp-message">{record.message}</span>
          <span className="mcp-facts">
            {record.metadata.client_id && <span className="cut" title={record.metadata.client_id}>{record.metadata.client_id}</span>}
            {typeof record.metadata.execution_time === 'number' && <span>{milliseconds(record.metadata.execution_time * 1_000)}</span>}
          </span>
        </li>
      ))}
    </ol>
  );
}

/** Records in the order of their ids, each once: a reconnect sends the newest ones again. */
export function added(records: LogRecord[], record: LogRecord): LogRecord[] {
  const last = records.at(-1);
  if (!last || record.id > last.id) return [...records, record].slice(-KEPT);
  if (records.some(({ id }) => id === record.id)) return records;
  return [...records, record].sort((a, b) => a.id - b.id).slice(-KEPT);
}

function useMcpLog() {
  const [records, setRecords] = useState<LogRecord[]>([]);
  const [connection, setConnection] = useState<ConnectionState>('connecting');
  const stream = useRef<ReconnectingSocket>(null);
  useEffect(() => {
    const opened = (stream.current = streamMcpLogs({
      onRecord: (record) => setRecords((before) => added(before, record)),
      onConnectionChange: setConnection,
    }));
    return () => opened.close();
  }, []);
  return { records, clear: () => setRecords([]), connection, reconnect: () => stream.current?.reconnect() };
}
