/** One WebSocket that comes back: backoff with jitter, a watch over silence, a clean end. */

export type ConnectionState = 'connecting' | 'connected' | 'disconnected';

/** The browser's WebSocket, or one that behaves like it (the `ws` package in Node). */
export type WebSocketConstructor = new (url: string) => WebSocket;

export interface ReconnectingSocketOptions {
  /** Asked before every attempt, so that a reconnect may ask for what it missed. */
  url: () => string;
  onMessage: (message: unknown) => void;
  onStateChange?: ((state: ConnectionState) => void) | undefined;
  autoReconnect?: boolean | undefined;
  /** First delay in milliseconds; it doubles with every failed attempt. */
  reconnectDelay?: number | undefined;
  maxReconnectAttempts?: number | undefined;
  /** No frame for this long means the connection is dead, whatever the socket says. */
  silenceLimit?: number | undefined;
  WebSocket?: WebSocketConstructor | undefined;
  random?: (() => number) | undefined;
}

export const RECONNECT_DELAY_MS = 5_000;
export const MAX_RECONNECT_ATTEMPTS = 5;
export const MAX_BACKOFF_MS = 30_000;
export const SILENCE_LIMIT_MS = 75_000;

const NORMAL_CLOSURE = 1000;
const SILENT_CONNECTION = 4408;

/** Half of the exponential step is fixed, half is random: many tabs do not come back at once. */
export function backoffDelay(nth: number, base: number, random: () => number): number {
  const step = Math.min(base * 2 ** (nth - 1), Math.max(base, MAX_BACKOFF_MS));
  return step / 2 + (step / 2) * random();
}

/** The origin of the page as a WebSocket address; outside a browser the local server. */
export function defaultBaseUrl(): string {
  const location = typeof window === 'undefined' ? undefined : window.location;
  if (!location?.host) return 'ws://localhost:8080';
  return `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}`;
}

export class ReconnectingSocket {
  private socket: WebSocket | null = null;
  private attempts = 0;
  /** Connections in a row that ended without a frame: a server that accepts and closes is not asked faster. */
  private fruitless = 0;
  private ended = false;
  private state: ConnectionState | null = null;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private silenceTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly onOnline = () => this.reconnect();

  constructor(private readonly options: ReconnectingSocketOptions) {}

  /** Opens the first connection and returns it. */
  open(): WebSocket {
    if (typeof window !== 'undefined') window.addEventListener('online', this.onOnline);
    return this.connect();
  }

  /** Comes back at once, with a fresh count of attempts. Does nothing while connected or after the end. */
  reconnect(): void {
    if (this.ended || this.socket) return;
    this.attempts = 0;
    this.fruitless = 0;
    this.connect();
  }

  send(text: string): void {
    if (this.socket?.readyState === 1) this.socket.send(text);
  }

  close(reason = 'Client disconnecting'): void {
    this.ended = true;
    const socket = this.socket;
    this.release();
    socket?.close(NORMAL_CLOSURE, reason);
    this.enter('disconnected');
  }

  private connect(): WebSocket {
    clearTimeout(this.retryTimer);
    this.enter('connecting');
    const Socket = this.options.WebSocket ?? globalThis.WebSocket;
    if (!Socket) throw new Error('No WebSocket here. Expected a global WebSocket or one passed as an option.');
    const socket = new Socket(this.options.url());
    this.socket = socket;
    this.watchSilence(socket);

    socket.onopen = () => {
      if (this.socket !== socket) return;
      this.attempts = 0;
      this.watchSilence(socket);
      this.enter('connected');
    };
    socket.onmessage = (event: MessageEvent) => {
      if (this.socket !== socket) return;
      this.watchSilence(socket);
      this.fruitless = 0;
      this.receive(event.data);
    };
    socket.onclose = (event: CloseEvent) => {
      if (this.socket === socket) this.lost(event.code);
    };
    // A close always follows an error and carries the code; without a listener some clients throw.
    socket.onerror = () => undefined;
    return socket;
  }

  private receive(frame: unknown): void {
    let message: unknown;
    try {
      message = JSON.parse(String(frame));
    } catch {
      return; // Not ours: an unknown frame never ends a stream.
    }
    if (isHeartbeat(message)) this.send('ping');
    else this.options.onMessage(message);
  }

  private lost(code: number): void {
    this.release({ keepOnline: true });
    this.enter('disconnected');
    const { autoReconnect = true, maxReconnectAttempts = MAX_RECONNECT_ATTEMPTS } = this.options;
    if (!autoReconnect || code === NORMAL_CLOSURE) {
      this.ended = true;
      this.release();
      return;
    }
    if (this.attempts >= maxReconnectAttempts) return;
    this.attempts += 1;
    this.fruitless += 1;
    const { reconnectDelay = RECONNECT_DELAY_MS, random = Math.random } = this.options;
    this.retryTimer = setTimeout(() => this.connect(), backoffDelay(this.fruitless, reconnectDelay, random));
  }

  private watchSilence(socket: WebSocket): void {
    clearTimeout(this.silenceTimer);
    this.silenceTimer = setTimeout(() => {
      if (this.socket !== socket) return;
      // Closing a dead connection may take minutes; do not wait for its close event.
      this.lost(SILENT_CONNECTION);
      socket.close(SILENT_CONNECTION, 'No frame received');
    }, this.options.silenceLimit ?? SILENCE_LIMIT_MS);
  }

  private release({ keepOnline = false } = {}): void {
    this.socket = null;
    clearTimeout(this.retryTimer);
    clearTimeout(this.silenceTimer);
    if (!keepOnline && typeof window !== 'undefined') window.removeEventListener('online', this.onOnline);
  }

  private enter(state: ConnectionState): void {
    if (state === this.state) return;
    this.state = state;
    this.options.onStateChange?.(state);
  }
}

function isHeartbeat(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'heartbeat';
}
