import { useQuery } from '@tanstack/react-query';
import { Lock } from 'lucide-react';
import { fetchWhoAmI, type KnowledgeItem } from '../services/api';

/** Whether there are accounts here: in local mode there is one person, and nothing to keep from anybody. */
export function useAccounts(): boolean {
  const who = useQuery({ queryKey: ['whoami'], queryFn: ({ signal }) => fetchWhoAmI(signal), staleTime: 60_000 });
  return who.data?.mode === 'server';
}

export function PrivateMark({ item }: { item: KnowledgeItem }) {
  if (!useAccounts() || !item.metadata.private) return null;
  return (
    <span className="kind private-mark" title="Only you see this source">
      <Lock aria-hidden />
      Private
    </span>
  );
}

/** Shared or for oneself; nothing where there are no accounts. */
export function PrivateChoice({ value, onChange }: { value: boolean; onChange: (value: boolean) => void }) {
  if (!useAccounts()) return null;
  return (
    <div className="field">
      <span className="field-label">Who sees it</span>
      <label className="private-choice">
        <input type="checkbox" checked={value} aria-describedby="private-hint" onChange={(event) => onChange(event.target.checked)} />
        Private
      </label>
      <p className="field-hint" id="private-hint">
        {value ? 'For others it does not exist: not in lists, not in search, not for their assistants.' : 'Every account sees it and searches in it.'}
      </p>
    </div>
  );
}
