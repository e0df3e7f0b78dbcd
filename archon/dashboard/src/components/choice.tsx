import { useCallback, useState } from 'react';
import type { KnowledgeItem } from '../services/api';

/** Which sources are ticked, while ticking is on. */
export interface Choice {
  open: boolean;
  ids: ReadonlySet<string>;
  tick: (ids: string[], on: boolean) => void;
  toggle: () => void;
}

export function useChoice(): Choice {
  const [open, setOpen] = useState(false);
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const tick = useCallback((changed: string[], on: boolean) => {
    setIds((before) => {
      const next = new Set(before);
      for (const id of changed) {
        if (on) next.add(id);
        else next.delete(id);
      }
      return next;
    });
  }, []);
  const toggle = useCallback(() => {
    setOpen((before) => !before);
    setIds(new Set());
  }, []);
  return { open, ids, tick, toggle };
}

export function Chosen({ item, choice }: { item: KnowledgeItem; choice: Choice | null }) {
  if (!choice) return null;
  return (
    <label className="tick">
      <input
        type="checkbox"
        aria-label={`Select ${item.title}`}
        checked={choice.ids.has(item.source_id)}
        onChange={(event) => choice.tick([item.source_id], event.target.checked)}
      />
    </label>
  );
}
