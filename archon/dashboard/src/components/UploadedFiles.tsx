import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { bytes, plural } from '../format';
import { fetchUploadedFiles } from '../services/api';

const POLL_MS = 2_000;

/** What became of each file of an upload; `otherwise` when there is no such upload. */
export function UploadedFiles({ progressId, running, otherwise }: { progressId: string; running: boolean; otherwise: ReactNode }) {
  const files = useQuery({
    queryKey: ['uploaded', progressId, running],
    queryFn: ({ signal }) => fetchUploadedFiles(progressId, signal),
    refetchInterval: running ? POLL_MS : false,
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
