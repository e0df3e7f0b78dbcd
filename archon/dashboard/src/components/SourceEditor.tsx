import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { plural } from '../format';
import { updateItem, type KnowledgeItem } from '../services/api';
import { ErrorNotice, Notice } from './Notice';
import { PrivateChoice, useAccounts } from './Private';
import { TagsInput } from './TagsInput';

export const FREQUENCIES: [days: number, label: string][] = [
  [0, 'Never'],
  [1, 'Every day'],
  [7, 'Every week'],
  [30, 'Every month'],
  [90, 'Every three months'],
];

/** Title, description, type, tags and schedule of a source. */
export function SourceEditor({ item }: { item: KnowledgeItem }) {
  const queries = useQueryClient();
  const { description, tags, knowledge_type, update_frequency, private: isPrivate } = item.metadata;
  const accounts = useAccounts();
  const [draft, setDraft] = useState({ title: item.title, description, tags, knowledge_type, update_frequency, private: isPrivate });
  const save = useMutation({
    mutationFn: () => {
      const { private: wanted, ...rest } = draft;
      const changes = accounts && wanted !== isPrivate ? draft : rest;
      return updateItem(item.source_id, changes as Parameters<typeof updateItem>[1]);
    },
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ['item', item.source_id] });
      void queries.invalidateQueries({ queryKey: ['knowledge'] });
      void queries.invalidateQueries({ queryKey: ['sources'] });
    },
  });
  const set = (changes: Partial<typeof draft>) => setDraft((before) => ({ ...before, ...changes }));
  const known = FREQUENCIES.some(([days]) => days === draft.update_frequency);

  return (
    <form
      className="panel form"
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <label className="field">
        <span className="field-label">Title</span>
        <input className="input" required value={draft.title} onChange={(event) => set({ title: event.target.value })} />
      </label>
      <label className="field">
        <span className="field-label">Description</span>
        <textarea className="input" rows={3} value={draft.description} onChange={(event) => set({ description: event.target.value })} />
      </label>
      <div className="form-pair">
        <label className="field">
          <span className="field-label">Type</span>
          <select className="select" value={draft.knowledge_type} onChange={(event) => set({ knowledge_type: event.target.value })}>
            <option value="technical">Technical</option>
            <option value="business">Business</option>
          </select>
        </label>
        <label className="field">
          <span className="field-label">Crawl again</span>
          <select
            className="select"
            value={draft.update_frequency}
            disabled={item.metadata.source_type === 'file'}
            onChange={(event) => set({ update_frequency: Number(event.target.value) })}
          >
            {!known && <option value={draft.update_frequency}>Every {plural(draft.update_frequency, 'day')}</option>}
            {FREQUENCIES.map(([days, label]) => (
              <option key={days} value={days}>
                {label}
              </option>
            ))}
          </select>
        </label>
      </div>
      <div className="field">
        <label className="field-label" htmlFor="edit-tags">
          Tags
        </label>
        <TagsInput id="edit-tags" tags={draft.tags} onChange={(changed) => set({ tags: changed })} describedBy={undefined} invalid={false} />
      </div>
      <PrivateChoice value={draft.private} onChange={(value) => set({ private: value })} />
      {save.isError && <ErrorNotice error={save.error} />}
      {save.isSuccess && <Notice tone="good" title="Saved" />}
      <div className="form-foot">
        <button className="button button-primary" disabled={save.isPending}>
          {save.isPending ? 'Saving…' : 'Save'}
        </button>
      </div>
    </form>
  );
}
