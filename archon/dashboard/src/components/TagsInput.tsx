import { X } from 'lucide-react';
import { useState, type KeyboardEvent } from 'react';

interface TagsInputProps {
  id: string;
  tags: string[];
  onChange: (tags: string[]) => void;
  describedBy?: string | undefined;
  invalid?: boolean;
}

/** Enter or a comma adds what is typed; Backspace in the empty field takes the last one away. */
export function TagsInput({ id, tags, onChange, describedBy, invalid }: TagsInputProps) {
  const [draft, setDraft] = useState('');

  const add = (text: string) => {
    const added = text.split(',').map((tag) => tag.trim());
    onChange([...new Set([...tags, ...added.filter(Boolean)])]);
    setDraft('');
  };

  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key === 'Enter' && draft.trim()) {
      event.preventDefault();
      add(draft);
    } else if (event.key === 'Backspace' && !draft) {
      onChange(tags.slice(0, -1));
    }
  };

  return (
    <div className="tags-input">
      {tags.map((tag) => (
        <span key={tag} className="tag">
          <span className="cut" title={tag}>
            {tag}
          </span>
          <button type="button" aria-label={`Remove tag ${tag}`} onClick={() => onChange(tags.filter((t) => t !== tag))}>
            <X aria-hidden />
          </button>
        </span>
      ))}
      <input
        id={id}
        value={draft}
        autoComplete="off"
        aria-describedby={describedBy}
        aria-invalid={invalid || undefined}
        placeholder={tags.length ? '' : 'react, hooks'}
        onChange={(event) => (event.target.value.includes(',') ? add(event.target.value) : setDraft(event.target.value))}
        onKeyDown={onKeyDown}
        onBlur={() => draft.trim() && add(draft)}
      />
    </div>
  );
}
