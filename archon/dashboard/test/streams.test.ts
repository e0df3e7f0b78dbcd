import { describe, expect, it } from 'vitest';
import { added } from '../src/components/McpLog';
import type { LogRecord } from '../src/services/api';
import { NOTHING_SAID, after, type ChatFrame, type ChatMessage } from '../src/services/chatStream';

const message = (id: number, text: string, changes: Partial<ChatMessage> = {}): ChatMessage => ({
  id,
  text,
  role: 'assistant',
  state: 'streaming',
  citations: [],
  model: 'extractive',
  source_id: null,
  error: null,
  created_at: '2026-11-25T10:00:00Z',
  completed_at: null,
  ...changes,
});
const of = (type: string, sequence: number | null, data: object) => ({ type, data: { session_id: 's', sequence, ...data } }) as unknown as ChatFrame;

const FRAMES = [
  of('chat_snapshot', 0, { title: '', messages: [], total_messages: 0, typing: null }),
  of('chat_started', 1, { question: message(1, 'Why?', { role: 'user', state: 'complete' }), message: message(2, '') }),
  of('chat_typing', 2, { message_id: 2, stage: 'writing', note: '', retry_in: null }),
  of('chat_chunk', 3, { message_id: 2, index: 0, delta: 'Be' }),
  of('chat_chunk', 4, { message_id: 2, index: 1, delta: 'cause' }),
  of('chat_completed', 5, { message: message(2, 'Because.', { state: 'complete' }) }),
];

describe('a conversation', () => {
  it('grows frame by frame', () => {
    const texts = FRAMES.map(
      (
        (conversation) => (frame: ChatFrame) =>
          (conversation = after(conversation, frame)).messages.at(-1)?.text
      )(NOTHING_SAID),
    );
    expect(texts).toEqual([undefined, '', '', 'Be', 'Because'.slice(0, 7), 'Because.']);
  });

  it('is the same when every frame comes twice', () => {
    const once = FRAMES.reduce(after, NOTHING_SAID);
    expect(FRAMES.flatMap((frame) => [frame, frame]).reduce(after, NOTHING_SAID)).toEqual(once);
    expect(once.typing).toBeNull();
  });

  it('keeps what was written when the answer fails', () => {
    const error = { code: 'llm_down', message: 'The model is away.', hint: 'Try again.' };
    const failed = message(2, 'Be', { state: 'failed', error });
    const conversation = [...FRAMES.slice(0, 4), of('chat_error', 4, { error, message: failed })].reduce(after, NOTHING_SAID);
    expect(conversation.messages.at(-1)).toEqual(failed);
  });

  it('is not changed by a refusal, which has no number', () => {
    const before = FRAMES.reduce(after, NOTHING_SAID);
    expect(after(before, of('chat_error', null, { error: { code: 'chat_busy', message: '', hint: '' }, message: null }))).toBe(before);
  });
});

describe('the log', () => {
  const record = (id: number) => ({ id, message: String(id) }) as LogRecord;

  it('holds each record once, in order, whatever comes again after a reconnect', () => {
    const ids = [1, 2, 3, 2, 3, 5, 4].map(record).reduce(added, []).map(({ id }) => id);
    expect(ids).toEqual([1, 2, 3, 4, 5]);
  });

  it('forgets the oldest beyond five hundred', () => {
    const records = Array.from({ length: 700 }, (_, index) => record(index)).reduce(added, []);
    expect([records.length, records[0]!.id]).toEqual([500, 200]);
  });
});
