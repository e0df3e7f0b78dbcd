/** Streams the log of the assistants' server: bare records, the newest first on connect, then live. */
import type { LogRecord } from './api';
import { ReconnectingSocket, defaultBaseUrl, type ConnectionState } from './reconnectingSocket';

export interface LogStreamOptions {
  onRecord: (record: LogRecord) => void;
  onConnectionChange: (state: ConnectionState) => void;
}

export function streamMcpLogs({ onRecord, onConnectionChange }: LogStreamOptions): ReconnectingSocket {
  const address = `${defaultBaseUrl()}/api/mcp/logs/stream`;
  const connection = new ReconnectingSocket({
    url: () => address,
    onMessage: (message) => {
      if (isRecord(message)) onRecord(message);
    },
    onStateChange: onConnectionChange,
    reconnectDelay: 2_000,
    maxReconnectAttempts: Infinity,
  });
  connection.open();
  return connection;
}

function isRecord(message: unknown): message is LogRecord {
  return typeof message === 'object' && message !== null && 'timestamp' in message && 'message' in message;
}
