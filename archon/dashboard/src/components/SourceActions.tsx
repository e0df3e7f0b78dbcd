import { useMutation, useQueryClient } from '@tanstack/react-query';
import { RefreshCw, Trash2 } from 'lucide-react';
import { useNavigate } from 'react-router';
import { deleteSource, refreshSource, type KnowledgeItem } from '../services/api';
import { ConfirmButton } from './ConfirmButton';

/** Crawl again, or forget. */
export function SourceActions({ item, onDeleted }: { item: KnowledgeItem; onDeleted?: () => void }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const refresh = useMutation({
    mutationFn: () => refreshSource(item.source_id),
    onSuccess: ({ progressId }) => navigate(`/crawls/${encodeURIComponent(progressId)}`),
  });
  const remove = useMutation({
    mutationFn: () => deleteSource(item.source_id),
    onSuccess: () => {
      // Else what had the focus goes with its row, and the next Tab would begin at the top of the window.
      if (onDeleted) onDeleted();
      else document.getElementById('main')?.focus({ preventScroll: true });
      return queries.invalidateQueries({ queryKey: ['knowledge'] });
    },
  });
  const failure = refresh.error ?? remove.error;
  const busy = refresh.isPending || remove.isPending;

  return (
    <div className="source-actions">
      {item.metadata.source_type !== 'file' && (
        <button
          type="button"
          className="icon-button"
          aria-label={`Crawl ${item.title} again`}
          title="Crawl again"
          disabled={busy}
          onClick={() => refresh.mutate()}
        >
          <RefreshCw aria-hidden />
        </button>
      )}
      <ConfirmButton
        className="icon-button"
        label={`Delete ${item.title}`}
        question="Delete?"
        disabled={busy}
        onConfirm={() => remove.mutate()}
      >
        <Trash2 aria-hidden />
      </ConfirmButton>
      {failure && (
        <p className="field-error" role="alert">
          {failure.message}
        </p>
      )}
    </div>
  );
}
