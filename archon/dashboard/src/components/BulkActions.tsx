import { useMutation, useQueryClient } from '@tanstack/react-query';
import { RefreshCw, Trash2 } from 'lucide-react';
import { plural } from '../format';
import { deleteSource, refreshSource, type KnowledgeItem } from '../services/api';
import type { Choice } from './choice';
import { ConfirmButton } from './ConfirmButton';
import { Notice } from './Notice';

/** Does one thing to each ticked source; what was refused stays ticked and is named. */
export function BulkActions({ choice, items }: { choice: Choice; items: KnowledgeItem[] }) {
  const queries = useQueryClient();
  const titles = new Map(items.map(({ source_id, title }) => [source_id, title]));
  const all = items.map(({ source_id }) => source_id);
  const every = all.length > 0 && all.every((id) => choice.ids.has(id));
  const run = useMutation({
    mutationFn: async (act: (id: string) => Promise<unknown>) => {
      const refused: string[] = [];
      for (const id of choice.ids) {
        try {
          await act(id);
          choice.tick([id], false);
        } catch (error) {
          refused.push(`${titles.get(id) ?? id}: ${error instanceof Error ? error.message : 'refused'}`);
        }
      }
      return refused;
    },
    onSettled: () => {
      void queries.invalidateQueries({ queryKey: ['knowledge'] });
      void queries.invalidateQueries({ queryKey: ['active'] });
    },
  });
  const idle = run.isPending || choice.ids.size === 0;

  return (
    <div className="bulk" role="group" aria-label="Selected sources">
      <label className="tick">
        <input type="checkbox" checked={every} onChange={(event) => choice.tick(all, event.target.checked)} />
        All on this page
      </label>
      <span className="muted" role="status">{plural(choice.ids.size, 'source')} selected</span>
      <button type="button" className="button" disabled={idle} onClick={() => run.mutate(refreshSource)}>
        <RefreshCw aria-hidden />
        Crawl again
      </button>
      <ConfirmButton question={`Delete ${plural(choice.ids.size, 'source')}?`} disabled={idle} onConfirm={() => run.mutate(deleteSource)}>
        <Trash2 aria-hidden />
        Delete
      </ConfirmButton>
      {run.data && run.data.length > 0 && (
        <Notice tone="bad" title={`${plural(run.data.length, 'source')} refused`}>
          {run.data.join(' · ')}
        </Notice>
      )}
    </div>
  );
}
