/** Streams the progress of crawls. Reconnects on its own and asks only for what it missed. */
import {
  ReconnectingSocket,
  defaultBaseUrl,
  type ConnectionState,
  type WebSocketConstructor,
} from './reconnectingSocket.js';

export type { ConnectionState, WebSocketConstructor } from './reconnectingSocket.js';

export type CrawlStatus =
  | 'waiting'
  | 'queued'
  | 'starting'
  | 'analyzing'
  | 'discovering'
  | 'crawling'
  | 'storing'
  | 'embedding'
  | 'finalizing'
  | 'paused'
  | 'stopping'
  | 'completed'
  | 'failed'
  | 'cancelled';

export interface CrawlError {
  code?: string;
  message: string;
  hint?: string | null;
}

export interface CrawlProgressData {
  progressId: string;
  /** One of CrawlStatus; a newer server may send a word that is not in it. */
  status: CrawlStatus | (string & {});
  percentage: number;
  /** crawl, upload, import, embed, purge or describe. */
  kind?: string;
  currentUrl?: string | null;
  totalPages?: number | null;
  processedPages?: number;
  log?: string | null;
  logs?: string[];
  start_time?: string | null;
  updated_at?: string | null;
  completed_at?: string | null;
  chunksStored?: number | null;
  wordCount?: number | null;
  /** Numbered per progress id, from 1, without gaps. */
  sequence?: number;
  /** This snapshot replaces everything: the events asked for are no longer kept. */
  resync?: boolean;
  stage?: string | null;
  failedPages?: number;
  skippedPages?: number;
  discoveredUrls?: number | null;
  embeddedChunks?: number | null;
  codeExamplesStored?: number | null;
  pagesPerSecond?: number | null;
  /** null: not known yet. */
  etaSeconds?: number | null;
  sourceId?: string | null;
  queuePosition?: number | null;
  error?: CrawlError | null;
}

export interface StreamOptions {
  autoReconnect?: boolean;
  /** Milliseconds before the first reconnect; later ones wait longer, up to half a minute. */
  reconnectDelay?: number;
  maxReconnectAttempts?: number;
  onConnectionChange?: (state: ConnectionState) => void;
  /** Milliseconds without any frame after which the connection counts as dead. */
  silenceLimit?: number;
}

export interface CrawlProgressServiceOptions {
  /** For places without a global WebSocket, for example the `ws` package in Node 20. */
  WebSocket?: WebSocketConstructor;
  random?: () => number;
}

const TERMINAL = new Set<string>(['completed', 'failed', 'cancelled']);

export function isTerminal(status: string): boolean {
  return TERMINAL.has(status);
}

export class CrawlProgressService {
  private readonly connections = new Map<string, ReconnectingSocket>();

  constructor(
    private readonly baseUrl: string = defaultBaseUrl(),
    private readonly options: CrawlProgressServiceOptions = {},
  ) {}

  /**
   * Calls `onProgress` with every state of this crawl, in order and without repeats.
   * A second stream of the same id replaces the first. Returns the first socket; later
   * reconnects open new ones, so follow the connection with `onConnectionChange`.
   */
  streamProgress(
    progressId: string,
    onProgress: (data: CrawlProgressData) => void,
    options: StreamOptions = {},
  ): WebSocket {
    this.disconnect(progressId);
    const address = `${this.baseUrl}/api/crawl-progress/${encodeURIComponent(progressId)}`;
    let lastSequence = 0;

    const connection = new ReconnectingSocket({
      url: () => (lastSequence > 0 ? `${address}?since=${lastSequence}` : address),
      onMessage: (message) => {
        const data = progressFrom(message);
        if (!data) return;
        if (data.sequence !== undefined) {
          if (data.sequence <= lastSequence && !data.resync) return;
          lastSequence = data.sequence;
        }
        onProgress(data);
      },
      onStateChange: options.onConnectionChange,
      autoReconnect: options.autoReconnect,
      reconnectDelay: options.reconnectDelay,
      maxReconnectAttempts: options.maxReconnectAttempts,
      silenceLimit: options.silenceLimit,
      WebSocket: this.options.WebSocket,
      random: this.options.random,
    });
    this.connections.set(progressId, connection);
    return connection.open();
  }

  /** Tries again at once, also after the attempts are used up. */
  reconnect(progressId: string): void {
    this.connections.get(progressId)?.reconnect();
  }

  disconnect(progressId: string): void {
    this.connections.get(progressId)?.close();
    this.connections.delete(progressId);
  }

  disconnectAll(): void {
    for (const progressId of [...this.connections.keys()]) this.disconnect(progressId);
  }
}

function progressFrom(message: unknown): CrawlProgressData | null {
  if (typeof message !== 'object' || message === null) return null;
  const { type, data, resync } = message as { type?: unknown; data?: unknown; resync?: unknown };
  if (type !== 'crawl_progress' && type !== 'crawl_completed') return null;
  if (typeof data !== 'object' || data === null) return null;
  return resync === true ? { ...(data as CrawlProgressData), resync } : (data as CrawlProgressData);
}
