import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { bytes, plural } from '../format';
import { fetchUploadedFiles } from '../services/api';

const POLL_MS = 2_000;

/** What became of each file of an upload; `otherwise` when there is no such upload. */
export function UploadedFiles({ progressId, ended, otherwise }: { progressId: string; ended: boolean | null; otherwise: ReactNode }) {
  const files = useQuery({
    // What was asked before the state was known must not stand for the end.
    queryKey: ['uploaded', progressId, ended],
    queryFn: ({ signal }) => fetchUploadedFiles(progressId, signal),
    refetchInterval: ended === false ? POLL_MS : false,
    retry: false,
  });
  if (files.isPending) return null;
  if (!files.data?.files.length) return otherwise;
  return (
    <ul className="panel rows" aria-label="Files">
      {files.data.files.map(({ name, state, bytes: size, chunks, error }) => (
        <li key={name} className="row">
          <span className={`state state-${state}`}>{state === 'done' ? 'Read' : state}</span>
          <span className="cut" title={name}>{name}</span>
          <span className="muted nowrap">{bytes(size)} · {plural(chunks, 'chunk')}</span>
          {error && (
            <p className="is-bad">
              {error.message} <span className="muted">{error.hint}</span>
            </p>
          )}
        </li>
      ))}
    </ul>
  );
}
