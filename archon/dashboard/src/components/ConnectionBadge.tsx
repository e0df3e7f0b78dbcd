import type { ConnectionState } from '../services/reconnectingSocket';

const WORDS: Record<ConnectionState, [string, string]> = {
  connected: ['Connected', 'Changes appear as they happen.'],
  connecting: ['Connecting', 'Opening the live connection.'],
  disconnected: ['Disconnected', 'The live connection is lost. Trying again.'],
};

export function ConnectionBadge({ state, onRetry }: { state: ConnectionState; onRetry?: () => void }) {
  const [word, explanation] = WORDS[state];
  return (
    <span className="connection">
      <span className={`connection-state is-${state}`} role="status" title={explanation}>
        <span className="connection-dot" aria-hidden />
        {word}
      </span>
      {state === 'disconnected' && onRetry && (
        <button type="button" className="text-button" onClick={onRetry}>
          Reconnect now
        </button>
      )}
    </span>
  );
}
