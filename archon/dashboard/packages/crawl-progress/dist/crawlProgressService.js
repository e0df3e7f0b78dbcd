/** Streams the progress of crawls. Reconnects on its own and asks only for what it missed. */
import { ReconnectingSocket, defaultBaseUrl, } from './reconnectingSocket.js';
const TERMINAL = new Set(['completed', 'failed', 'cancelled']);
export function isTerminal(status) {
    return TERMINAL.has(status);
}
export class CrawlProgressService {
    baseUrl;
    options;
    connections = new Map();
    constructor(baseUrl = defaultBaseUrl(), options = {}) {
        this.baseUrl = baseUrl;
        this.options = options;
    }
    /**
     * Calls `onProgress` with every state of this crawl, in order and without repeats.
     * A second stream of the same id replaces the first. Returns the first socket; later
     * reconnects open new ones, so follow the connection with `onConnectionChange`.
     */
    streamProgress(progressId, onProgress, options = {}) {
        this.disconnect(progressId);
        const address = `${this.baseUrl}/api/crawl-progress/${encodeURIComponent(progressId)}`;
        let lastSequence = 0;
        const connection = new ReconnectingSocket({
            url: () => (lastSequence > 0 ? `${address}?since=${lastSequence}` : address),
            onMessage: (message) => {
                const data = progressFrom(message);
                if (!data)
                    return;
                if (data.sequence !== undefined) {
                    if (data.sequence <= lastSequence && !data.resync)
                        return;
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
    reconnect(progressId) {
        this.connections.get(progressId)?.reconnect();
    }
    disconnect(progressId) {
        this.connections.get(progressId)?.close();
        this.connections.delete(progressId);
    }
    disconnectAll() {
        for (const progressId of [...this.connections.keys()])
            this.disconnect(progressId);
    }
}
function progressFrom(message) {
    if (typeof message !== 'object' || message === null)
        return null;
    const { type, data, resync } = message;
    if (type !== 'crawl_progress' && type !== 'crawl_completed')
        return null;
    if (typeof data !== 'object' || data === null)
        return null;
    return resync === true ? { ...data, resync } : data;
}
