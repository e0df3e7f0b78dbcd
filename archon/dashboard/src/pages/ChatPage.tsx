import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { MessagesSquare, Plus, SendHorizontal, Square, Trash2 } from 'lucide-react';
import { useEffect, useRef, useState, type FormEvent } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { ChatAnswer } from '../components/ChatAnswer';
import { ConfirmButton } from '../components/ConfirmButton';
import { ConnectionBadge } from '../components/ConnectionBadge';
import { Empty, ErrorNotice } from '../components/Notice';
import { SOURCES_QUERY } from '../components/useSourceTitle';
import { ask, beginChat, deleteChat, fetchChats, stopAnswer } from '../services/api';
import { NOTHING_SAID, streamChat, type Conversation } from '../services/chatStream';
import type { ConnectionState, ReconnectingSocket } from '../services/reconnectingSocket';
import { useAddress } from './useAddress';
import { usePageTitle } from './usePageTitle';

const CHATS = ['chats'];

export function ChatPage() {
  const { sessionId = '' } = useParams();
  return (
    <div className="page chat-page">
      <Chats current={sessionId} />
      <Chat key={sessionId} sessionId={sessionId} />
    </div>
  );
}

function Chats({ current }: { current: string }) {
  const chats = useQuery({ queryKey: CHATS, queryFn: ({ signal }) => fetchChats(signal) });
  const queries = useQueryClient();
  const navigate = useNavigate();
  const remove = useMutation({
    mutationFn: deleteChat,
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: CHATS });
      void navigate('/chat');
    },
  });
  return (
    <nav className="chats" aria-label="Chats">
      <Link className="button" to="/chat">
        <Plus aria-hidden />
        New chat
      </Link>
      <ul>
        {chats.data?.sessions.map(({ session_id, title }) => (
          <li key={session_id} className="chat-link">
            <Link className="cut" to={`/chat/${encodeURIComponent(session_id)}`} title={title} aria-current={session_id === current ? 'page' : undefined}>
              {title || 'Untitled'}
            </Link>
            {session_id === current && (
              <ConfirmButton className="icon-button" label="Delete this chat" question="Delete?" onConfirm={() => remove.mutate(session_id)}>
                <Trash2 aria-hidden />
              </ConfirmButton>
            )}
          </li>
        ))}
      </ul>
      {(chats.error ?? remove.error) && <ErrorNotice error={chats.error ?? remove.error} />}
    </nav>
  );
}

const STAGES = {
  searching: 'Searching the passages',
  waiting: 'Waiting for the model',
  retrying: 'The model is busy, trying again',
  writing: 'Writing',
};

function Chat({ sessionId }: { sessionId: string }) {
  const { conversation, connection, reconnect } = useConversation(sessionId);
  const { title, messages, typing } = conversation;
  const streaming = messages.at(-1)?.state === 'streaming';
  const end = useRef<HTMLDivElement>(null);
  usePageTitle(title, 'Chat');
  useEffect(() => {
    end.current?.scrollIntoView({ block: 'end' });
  }, [messages.length]);

  return (
    <section className="chat" aria-label="Conversation">
      <div className="chat-head">
        <h1 className="cut" title={title}>{title || 'Ask what was read'}</h1>
        {sessionId && <ConnectionBadge state={connection} onRetry={reconnect} />}
      </div>
      {messages.length === 0 && (
        <Empty icon={<MessagesSquare />} title="Every answer cites its passages">
          Ask a question about your sources. Open a number in the answer to read the passage behind it.
        </Empty>
      )}
      <div className="chat-messages">
        {messages.map((message) =>
          message.role === 'user' ? (
            <p key={message.id} className="question">{message.text}</p>
          ) : (
            <ChatAnswer key={message.id} message={message} />
          ),
        )}
      </div>
      <p className="chat-stage" role="status">{streaming && typing ? `${STAGES[typing.stage]}…${typing.note ? ` ${typing.note}` : ''}` : ' '}</p>
      <Composer sessionId={sessionId} streaming={streaming} />
      <div ref={end} className="chat-end" />
    </section>
  );
}

function Composer({ sessionId, streaming }: { sessionId: string; streaming: boolean }) {
  const [params, change] = useAddress();
  const source = params.get('source') ?? '';
  const [draft, setDraft] = useState('');
  const navigate = useNavigate();
  const queries = useQueryClient();
  const sources = useQuery(SOURCES_QUERY);
  const send = useMutation({
    mutationFn: async (question: string) => {
      const id = sessionId || (await beginChat()).session_id;
      await ask(id, question, source);
      return id;
    },
    onSuccess: (id) => {
      setDraft('');
      void queries.invalidateQueries({ queryKey: CHATS });
      if (!sessionId) void navigate(`/chat/${encodeURIComponent(id)}${source ? `?source=${encodeURIComponent(source)}` : ''}`);
    },
  });
  const stop = useMutation({ mutationFn: () => stopAnswer(sessionId) });
  const submit = (event?: FormEvent) => {
    event?.preventDefault();
    if (draft.trim() && !streaming && !send.isPending) send.mutate(draft.trim());
  };

  return (
    <form className="composer" onSubmit={submit}>
      {(send.error ?? stop.error) && <ErrorNotice error={send.error ?? stop.error} />}
      <textarea
        className="input"
        rows={2}
        aria-label="Question"
        placeholder="Ask in your own words. Enter sends, Shift and Enter begin a new line."
        value={draft}
        onChange={(event) => setDraft(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
            event.preventDefault();
            submit();
          }
        }}
      />
      <div className="composer-foot">
        <select className="select" aria-label="Sources to ask" value={source} onChange={(event) => change({ source: event.target.value }, { replace: true })}>
          <option value="">All sources</option>
          {sources.data?.map(({ source_id, title }) => (
            <option key={source_id} value={source_id}>
              {title || source_id}
            </option>
          ))}
        </select>
        {streaming ? (
          <button type="button" className="button" disabled={stop.isPending} onClick={() => stop.mutate()}>
            <Square aria-hidden />
            Stop
          </button>
        ) : (
          <button className="button button-primary" disabled={!draft.trim() || send.isPending}>
            <SendHorizontal aria-hidden />
            Ask
          </button>
        )}
      </div>
    </form>
  );
}

function useConversation(sessionId: string) {
  const [conversation, setConversation] = useState<Conversation>(NOTHING_SAID);
  const [connection, setConnection] = useState<ConnectionState>('connecting');
  const stream = useRef<ReconnectingSocket>(null);
  useEffect(() => {
    if (!sessionId) return;
    const opened = (stream.current = streamChat(sessionId, { onChange: setConversation, onConnectionChange: setConnection }));
    return () => opened.close();
  }, [sessionId]);
  return { conversation, connection, reconnect: () => stream.current?.reconnect() };
}
