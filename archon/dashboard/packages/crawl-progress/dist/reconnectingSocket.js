/** One WebSocket that comes back: backoff with jitter, a watch over silence, a clean end. */
export const RECONNECT_DELAY_MS = 5_000;
export const MAX_RECONNECT_ATTEMPTS = 5;
export const MAX_BACKOFF_MS = 30_000;
export const SILENCE_LIMIT_MS = 75_000;
const NORMAL_CLOSURE = 1000;
const SILENT_CONNECTION = 4408;
/** Half of the exponential step is fixed, half is random: many tabs do not come back at once. */
export function backoffDelay(nth, base, random) {
    const step = Math.min(base * 2 ** (nth - 1), Math.max(base, MAX_BACKOFF_MS));
    return step / 2 + (step / 2) * random();
}
/** The origin of the page as a WebSocket address; outside a browser the local server. */
export function defaultBaseUrl() {
    const location = typeof window === 'undefined' ? undefined : window.location;
    if (!location?.host)
        return 'ws://localhost:8080';
    return `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}`;
}
export class ReconnectingSocket {
    options;
    socket = null;
    attempts = 0;
    /** Connections in a row that ended without a frame: a server that accepts and closes is not asked faster. */
    fruitless = 0;
    ended = false;
    state = null;
    retryTimer;
    silenceTimer;
    onOnline = () => this.reconnect();
    constructor(options) {
        this.options = options;
    }
    /** Opens the first connection and returns it. */
    open() {
        if (typeof window !== 'undefined')
            window.addEventListener('online', this.onOnline);
        return this.connect();
    }
    /** Comes back at once, with a fresh count of attempts. Does nothing while connected or after the end. */
    reconnect() {
        if (this.ended || this.socket)
            return;
        this.attempts = 0;
        this.fruitless = 0;
        this.connect();
    }
    send(text) {
        if (this.socket?.readyState === 1)
            this.socket.send(text);
    }
    close(reason = 'Client disconnecting') {
        this.ended = true;
        const socket = this.socket;
        this.release();
        socket?.close(NORMAL_CLOSURE, reason);
        this.enter('disconnected');
    }
    connect() {
        clearTimeout(this.retryTimer);
        this.enter('connecting');
        const Socket = this.options.WebSocket ?? globalThis.WebSocket;
        if (!Socket)
            throw new Error('No WebSocket here. Expected a global WebSocket or one passed as an option.');
        const socket = new Socket(this.options.url());
        this.socket = socket;
        this.watchSilence(socket);
        socket.onopen = () => {
            if (this.socket !== socket)
                return;
            this.attempts = 0;
            this.watchSilence(socket);
            this.enter('connected');
        };
        socket.onmessage = (event) => {
            if (this.socket !== socket)
                return;
            this.watchSilence(socket);
            this.fruitless = 0;
            this.receive(event.data);
        };
        socket.onclose = (event) => {
            if (this.socket === socket)
                this.lost(event.code);
        };
        // A close always follows an error and carries the code; without a listener some clients throw.
        socket.onerror = () => undefined;
        return socket;
    }
    receive(frame) {
        let message;
        try {
            message = JSON.parse(String(frame));
        }
        catch {
            return; // Not ours: an unknown frame never ends a stream.
        }
        if (isHeartbeat(message))
            this.send('ping');
        else
            this.options.onMessage(message);
    }
    lost(code) {
        this.release({ keepOnline: true });
        this.enter('disconnected');
        const { autoReconnect = true, maxReconnectAttempts = MAX_RECONNECT_ATTEMPTS } = this.options;
        if (!autoReconnect || code === NORMAL_CLOSURE) {
            this.ended = true;
            this.release();
            return;
        }
        if (this.attempts >= maxReconnectAttempts)
            return;
        this.attempts += 1;
        this.fruitless += 1;
        const { reconnectDelay = RECONNECT_DELAY_MS, random = Math.random } = this.options;
        this.retryTimer = setTimeout(() => this.connect(), backoffDelay(this.fruitless, reconnectDelay, random));
    }
    watchSilence(socket) {
        clearTimeout(this.silenceTimer);
        this.silenceTimer = setTimeout(() => {
            if (this.socket !== socket)
                return;
            // Closing a dead connection may take minutes; do not wait for its close event.
            this.lost(SILENT_CONNECTION);
            socket.close(SILENT_CONNECTION, 'No frame received');
        }, this.options.silenceLimit ?? SILENCE_LIMIT_MS);
    }
    release({ keepOnline = false } = {}) {
        this.socket = null;
        clearTimeout(this.retryTimer);
        clearTimeout(this.silenceTimer);
        if (!keepOnline && typeof window !== 'undefined')
            window.removeEventListener('online', this.onOnline);
    }
    enter(state) {
        if (state === this.state)
            return;
        this.state = state;
        this.options.onStateChange?.(state);
    }
}
function isHeartbeat(message) {
    return typeof message === 'object' && message !== null && 'type' in message && message.type === 'heartbeat';
}
