/** Streams changes of the knowledge base. */
import type { KnowledgePage } from './api';
import { ReconnectingSocket, defaultBaseUrl, type ConnectionState } from './reconnectingSocket';

export interface KnowledgeStreamOptions {
  onUpdate: (page: KnowledgePage) => void;
  onConnectionChange: (state: ConnectionState) => void;
}

export function streamKnowledge({ onUpdate, onConnectionChange }: KnowledgeStreamOptions): ReconnectingSocket {
  const address = `${defaultBaseUrl()}/api/knowledge-items/stream`;
  const connection = new ReconnectingSocket({
    url: () => address,
    onMessage: (message) => {
      const { type, data } = (message ?? {}) as { type?: unknown; data?: unknown };
      if (type === 'knowledge_items_update' && data) onUpdate(data as KnowledgePage);
    },
    onStateChange: onConnectionChange,
    reconnectDelay: 2_000,
    maxReconnectAttempts: Infinity,
  });
  connection.open();
  return connection;
}
