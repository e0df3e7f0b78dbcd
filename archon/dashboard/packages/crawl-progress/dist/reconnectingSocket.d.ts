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
export declare const RECONNECT_DELAY_MS = 5000;
export declare const MAX_RECONNECT_ATTEMPTS = 5;
export declare const MAX_BACKOFF_MS = 30000;
export declare const SILENCE_LIMIT_MS = 75000;
/** Half of the exponential step is fixed, half is random: many tabs do not come back at once. */
export declare function backoffDelay(nth: number, base: number, random: () => number): number;
/** The origin of the page as a WebSocket address; outside a browser the local server. */
export declare function defaultBaseUrl(): string;
export declare class ReconnectingSocket {
    private readonly options;
    private socket;
    private attempts;
    /** Connections in a row that ended without a frame: a server that accepts and closes is not asked faster. */
    private fruitless;
    private ended;
    private state;
    private retryTimer;
    private silenceTimer;
    private readonly onOnline;
    constructor(options: ReconnectingSocketOptions);
    /** Opens the first connection and returns it. */
    open(): WebSocket;
    /** Comes back at once, with a fresh count of attempts. Does nothing while connected or after the end. */
    reconnect(): void;
    send(text: string): void;
    close(reason?: string): void;
    private connect;
    private receive;
    private lost;
    private watchSilence;
    private release;
    private enter;
}
