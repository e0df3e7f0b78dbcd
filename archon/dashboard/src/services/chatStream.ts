/** A conversation as it is written: one snapshot, then numbered events; a reconnect asks for what it missed. */
import { ReconnectingSocket, defaultBaseUrl, type ConnectionState } from './reconnectingSocket';
import type { Message } from './schema';

export type ChatMessage = Message['MessageBody'];
export type Citation = Message['CitationBody'];
export type ChatFrame =
  | Message['ChatSnapshot']
  | Message['ChatStarted']
  | Message['ChatTyping']
  | Message['ChatChunk']
  | Message['ChatCitations']
  | Message['ChatCompleted']
  | Message['ChatError'];

export interface Conversation {
  title: string;
  messages: ChatMessage[];
  typing: Message['TypingBody'] | null;
  sequence: number;
}

export const NOTHING_SAID: Conversation = { title: '', messages: [], typing: null, sequence: 0 };

/** The conversation after one more frame; frames that were heard before change nothing. */
export function after(before: Conversation, frame: ChatFrame): Conversation {
  const { sequence } = frame.data;
  if (frame.type === 'chat_snapshot') {
    const { title, messages, typing } = frame.data;
    return { title, messages, typing, sequence: frame.data.sequence };
  }
  if (sequence === null || sequence <= before.sequence) return before;
  const now = { ...before, sequence };
  switch (frame.type) {
    case 'chat_started':
      return { ...now, title: now.title || frame.data.question.text, messages: [...now.messages, frame.data.question, frame.data.message] };
    case 'chat_typing':
      return { ...now, typing: frame.data };
    case 'chat_chunk':
      return changed(now, frame.data.message_id, (message) => ({ ...message, text: message.text + frame.data.delta }));
    case 'chat_citations':
      return changed(now, frame.data.message_id, (message) => ({ ...message, citations: frame.data.citations }));
    case 'chat_completed':
      return { ...changed(now, frame.data.message.id, () => frame.data.message), typing: null };
    case 'chat_error': {
      const { message } = frame.data;
      return message ? { ...changed(now, message.id, () => message), typing: null } : now;
    }
  }
}

function changed(conversation: Conversation, id: number, change: (message: ChatMessage) => ChatMessage): Conversation {
  return { ...conversation, messages: conversation.messages.map((message) => (message.id === id ? change(message) : message)) };
}

export interface ChatStreamOptions {
  onChange: (conversation: Conversation) => void;
  onConnectionChange: (state: ConnectionState) => void;
}

export function streamChat(sessionId: string, { onChange, onConnectionChange }: ChatStreamOptions): ReconnectingSocket {
  const address = `${defaultBaseUrl()}/api/chat/${encodeURIComponent(sessionId)}`;
  let conversation = NOTHING_SAID;
  const connection = new ReconnectingSocket({
    url: () => (conversation.sequence > 0 ? `${address}?since=${conversation.sequence}` : address),
    onMessage: (message) => {
      if (!isFrame(message)) return;
      const next = after(conversation, message);
      if (next !== conversation) onChange((conversation = next));
    },
    onStateChange: onConnectionChange,
    reconnectDelay: 1_000,
    maxReconnectAttempts: Infinity,
  });
  connection.open();
  return connection;
}

function isFrame(message: unknown): message is ChatFrame {
  const { type, data } = (message ?? {}) as { type?: unknown; data?: unknown };
  return typeof type === 'string' && type.startsWith('chat_') && typeof data === 'object' && data !== null;
}
