import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { ago, dateTime } from '../format';
import { fetchTokens, makeToken, revokeToken, type Token } from '../services/api';
import { ConfirmButton } from './ConfirmButton';
import { CopyButton } from './CopyButton';
import { ErrorNotice, Notice } from './Notice';

type Scope = Token['scopes'][number];

const SCOPES: [scope: Scope, says: string][] = [
  ['read', 'Search and read'],
  ['crawl', 'Start and stop crawls'],
  ['mcp', 'Call as an assistant'],
  ['admin', 'Everything else'],
];

/** Tokens for scripts and assistants. A new one is shown once, here, and never again. */
export function ApiTokens({ mine }: { mine: Scope[] }) {
  const queries = useQueryClient();
  const tokens = useQuery({ queryKey: ['tokens'], queryFn: ({ signal }) => fetchTokens(signal) });
  const [name, setName] = useState('');
  const [scopes, setScopes] = useState<Scope[]>(['read', 'mcp']);
  const refresh = () => void queries.invalidateQueries({ queryKey: ['tokens'] });
  const make = useMutation({
    mutationFn: () => makeToken(name.trim(), scopes),
    onSuccess: () => {
      setName('');
      refresh();
    },
  });
  const revoke = useMutation({ mutationFn: revokeToken, onSuccess: refresh });
  const toggle = (scope: Scope) =>
    setScopes((before) => (before.includes(scope) ? before.filter((other) => other !== scope) : [...before, scope]));
  const alive = tokens.data?.filter(({ revoked_at }) => !revoked_at) ?? [];

  return (
    <div className="panel tokens">
      {make.data && (
        <Notice tone="good" title={`Token ${make.data.name} is made. Copy it now: it is not shown again.`} action={<CopyButton text={make.data.token} label="Copy the token" />}>
          <span className="mono">{make.data.token}</span>
        </Notice>
      )}
      {(tokens.error ?? make.error ?? revoke.error) && <ErrorNotice error={tokens.error ?? make.error ?? revoke.error} />}
      {alive.length > 0 && (
        <ul className="rows">
          {alive.map((token) => (
            <li key={token.id} className="row token">
              <span className="cut">{token.name}</span>
              <span className="mono muted">{token.prefix}…</span>
              <span className="muted">{token.scopes.join(', ')}</span>
              <span className="muted" title={token.last_used_at ? dateTime(token.last_used_at) : undefined}>
                {token.last_used_at ? `used ${ago(token.last_used_at)}` : 'never used'}
              </span>
              <ConfirmButton question="Revoke?" label={`Revoke ${token.name}`} disabled={revoke.isPending} onConfirm={() => revoke.mutate(token.id)}>
                Revoke
              </ConfirmButton>
            </li>
          ))}
        </ul>
      )}
      <form
        className="token-form"
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          make.mutate();
        }}
      >
        <input className="input" aria-label="Name of the new token" placeholder="Name, for example laptop" required maxLength={100} value={name} onChange={(event) => setName(event.target.value)} />
        <fieldset className="checks">
          <legend className="visually-hidden">What it may do</legend>
          {SCOPES.filter(([scope]) => mine.includes(scope)).map(([scope, says]) => (
            <label key={scope} title={says}>
              <input type="checkbox" checked={scopes.includes(scope)} onChange={() => toggle(scope)} />
              {says}
            </label>
          ))}
        </fieldset>
        <button className="button" disabled={make.isPending || scopes.length === 0}>
          Make a token
        </button>
      </form>
    </div>
  );
}
