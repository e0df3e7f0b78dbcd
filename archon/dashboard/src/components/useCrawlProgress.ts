import { useCallback, useEffect, useRef, useState } from 'react';
import { fetchProgress } from '../services/api';
import {
  CrawlProgressService,
  isTerminal,
  type ConnectionState,
  type CrawlProgressData,
} from '../services/crawlProgressService';

export const LOG_LINES = 500;
const POLL_WHILE_DISCONNECTED_MS = 4_000;

export interface CrawlState {
  progress: CrawlProgressData | null;
  logs: string[];
}

const NOTHING_YET: CrawlState = { progress: null, logs: [] };

/** Adds one state to what is shown; a state older than the shown one is dropped. */
export function advance(state: CrawlState, data: CrawlProgressData): CrawlState {
  const seen = state.progress?.sequence ?? 0;
  if (data.sequence !== undefined && data.sequence < seen && !data.resync) return state;
  return { progress: data, logs: nextLogs(state.logs, data).slice(-LOG_LINES) };
}

/** A message carries the newest lines, or only the last one; here they grow into the longer log. */
function nextLogs(logs: string[], data: CrawlProgressData): string[] {
  if (data.logs) return data.resync ? data.logs : append(logs, data.logs);
  return data.log && data.log !== logs.at(-1) ? [...logs, data.log] : logs;
}

/** Appends what goes beyond the longest overlap of the end of `logs` with the start of `newest`. */
function append(logs: string[], newest: string[]): string[] {
  for (let overlap = Math.min(logs.length, newest.length); overlap > 0; overlap -= 1) {
    const end = logs.length - overlap;
    if (newest.slice(0, overlap).every((line, index) => line === logs[end + index])) {
      return overlap === newest.length ? logs : [...logs, ...newest.slice(overlap)];
    }
  }
  return [...logs, ...newest];
}

/** Follows one crawl over its socket; while the socket is away, over plain HTTP. */
export function useCrawlProgress(progressId: string) {
  const [state, setState] = useState(NOTHING_YET);
  const [connection, setConnection] = useState<ConnectionState>('connecting');
  const service = useRef<CrawlProgressService>(null);

  useEffect(() => {
    if (!progressId) return;
    const stream = (service.current = new CrawlProgressService());
    setState(NOTHING_YET);
    stream.streamProgress(progressId, (data) => setState((before) => advance(before, data)), {
      maxReconnectAttempts: Infinity,
      reconnectDelay: 2_000,
      onConnectionChange: setConnection,
    });
    return () => stream.disconnectAll();
  }, [progressId]);

  const ended = state.progress ? isTerminal(state.progress.status) : false;
  useEffect(() => {
    if (!progressId || connection === 'connected' || ended) return;
    const timer = setInterval(() => {
      fetchProgress(progressId)
        .then((data) => setState((before) => advance(before, data)))
        .catch(() => undefined); // The badge already says that the server is away.
    }, POLL_WHILE_DISCONNECTED_MS);
    return () => clearInterval(timer);
  }, [progressId, connection, ended]);

  const reconnect = useCallback(() => service.current?.reconnect(progressId), [progressId]);
  return { ...state, connection, reconnect };
}
