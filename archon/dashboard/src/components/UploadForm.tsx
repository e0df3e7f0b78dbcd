import { useMutation } from '@tanstack/react-query';
import { FileUp, X } from 'lucide-react';
import { useId, useState, type DragEvent, type FormEvent } from 'react';
import { useNavigate } from 'react-router';
import { bytes, plural } from '../format';
import { uploadDocuments } from '../services/api';
import { ErrorNotice } from './Notice';
import { PrivateChoice } from './Private';
import { TagsInput } from './TagsInput';

const KINDS = '.pdf,.docx,.md,.markdown,.txt,.rst,.html,.htm,.zip';

/** Files as one source; what becomes of each is told by the same live view as a crawl. */
export function UploadForm() {
  const [files, setFiles] = useState<File[]>([]);
  const [tags, setTags] = useState<string[]>([]);
  const [knowledgeType, setKnowledgeType] = useState('technical');
  const [isPrivate, setPrivate] = useState(false);
  const [over, setOver] = useState(false);
  const id = useId();
  const navigate = useNavigate();
  const upload = useMutation({
    mutationFn: () => uploadDocuments({ files, tags, knowledgeType, isPrivate }),
    onSuccess: ({ progressId }) => navigate(`/crawls/${encodeURIComponent(progressId)}`),
  });
  const add = (list: Iterable<File>) => {
    // Read now: the list of an input is empty once its value is, and the update may run after that.
    const more = [...list];
    setFiles((before) => {
      const known = new Set(before.map(nameAndSize));
      return [...before, ...more.filter((file) => !known.has(nameAndSize(file)))];
    });
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    add(event.dataTransfer.files);
  };

  return (
    <form
      className="panel form"
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        upload.mutate();
      }}
    >
      <label className={over ? 'drop is-over' : 'drop'} onDragOver={(event) => (event.preventDefault(), setOver(true))} onDragLeave={() => setOver(false)} onDrop={drop}>
        <FileUp aria-hidden />
        <span>Drop files here, or choose them</span>
        <span className="field-hint">PDF, DOCX, Markdown, text, reStructuredText, HTML, and zip archives of them.</span>
        <input type="file" multiple accept={KINDS} aria-label="Files" onChange={(event) => (add(event.target.files ?? []), (event.target.value = ''))} />
      </label>
      {files.length > 0 && (
        <ul className="panel rows" aria-label="Chosen files">
          {files.map((file) => (
            <li key={nameAndSize(file)} className="row file">
              <span className="cut" title={file.name}>{file.name}</span>
              <span className="muted nowrap">{bytes(file.size)}</span>
              <button type="button" className="icon-button" aria-label={`Leave out ${file.name}`} onClick={() => setFiles(files.filter((other) => other !== file))}>
                <X aria-hidden />
              </button>
            </li>
          ))}
        </ul>
      )}
      <div className="form-pair">
        <label className="field">
          <span className="field-label">Type</span>
          <select className="select" value={knowledgeType} onChange={(event) => setKnowledgeType(event.target.value)}>
            <option value="technical">Technical</option>
            <option value="business">Business</option>
          </select>
        </label>
        <div className="field">
          <label className="field-label" htmlFor={id}>
            Tags
          </label>
          <TagsInput id={id} tags={tags} onChange={setTags} />
        </div>
      </div>
      <PrivateChoice value={isPrivate} onChange={setPrivate} />
      {upload.error && <ErrorNotice error={upload.error} />}
      <div className="form-foot">
        <button className="button button-primary button-large" disabled={files.length === 0 || upload.isPending}>
          {upload.isPending ? 'Uploading…' : files.length ? `Upload ${plural(files.length, 'file')}` : 'Upload'}
        </button>
      </div>
    </form>
  );
}

function nameAndSize({ name, size }: File): string {
  return `${name} ${size}`;
}
