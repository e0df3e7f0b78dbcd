import * as Collapsible from '@radix-ui/react-collapsible';
import { useMutation } from '@tanstack/react-query';
import { ChevronRight } from 'lucide-react';
import { useEffect, useRef, useState, type FormEvent, type ReactNode } from 'react';
import { useNavigate, useSearchParams } from 'react-router';
import { CrawlMap } from '../components/CrawlMap';
import { ErrorNotice } from '../components/Notice';
import { FREQUENCIES } from '../components/SourceEditor';
import { PrivateChoice } from '../components/Private';
import { Tabs } from '../components/Tabs';
import { TagsInput } from '../components/TagsInput';
import { UploadForm } from '../components/UploadForm';
import { ApiError, previewCrawl, startCrawl, type CrawlRequest } from '../services/api';
import { usePageTitle } from './usePageTitle';

interface Draft {
  url: string;
  type: string;
  tags: string[];
  depth: number;
  maxPages: string;
  scope: string;
  every: number;
  include: string;
  exclude: string;
  render: string;
  private: boolean;
}

/** Where the server's name of a field stands in this form. */
const PLACES: Record<string, keyof Draft> = {
  url: 'url',
  knowledge_type: 'type',
  tags: 'tags',
  max_depth: 'depth',
  max_pages: 'maxPages',
  scope: 'scope',
  update_frequency: 'every',
  include: 'include',
  exclude: 'exclude',
  render: 'render',
  private: 'private',
};

const DEPTHS: Record<number, string> = {
  1: 'This page and the pages it links to.',
  2: 'Up to two links away from this page.',
  3: 'Up to three links away.',
  4: 'Up to four links away. May be many pages.',
  5: 'Up to five links away. Usually the whole site.',
};

const SCOPES: [value: string, label: string, hint: string][] = [
  ['path', 'This path', 'Only addresses in the folder of the one you gave.'],
  ['host', 'This host', 'Everything on the same host.'],
  ['domain', 'This domain', 'The host and the hosts below it.'],
];

const RENDERS: [value: string, label: string, hint: string][] = [
  ['auto', 'As needed', 'A browser runs the scripts of pages that show no text without them.'],
  ['http', 'Never', 'Pages are stored as the server sends them. The fastest.'],
  ['browser', 'Always', 'Every page is opened in a browser. Slow.'],
];

/** The fields that stand in the part that can be folded away. */
const NARROWING: (keyof Draft)[] = ['scope', 'render', 'include', 'exclude'];

function draftFrom(params: URLSearchParams): Draft {
  const depth = Number(params.get('depth'));
  return {
    url: params.get('url') ?? '',
    type: params.get('type') ?? 'technical',
    tags: params.getAll('tag'),
    depth: DEPTHS[depth] ? depth : 2,
    maxPages: params.get('max_pages') ?? '',
    scope: SCOPES.find(([scope]) => scope === params.get('scope'))?.[0] ?? 'path',
    every: Number(params.get('every') ?? 7) || 0,
    include: params.get('include') ?? '',
    exclude: params.get('exclude') ?? '',
    render: RENDERS.find(([render]) => render === params.get('render'))?.[0] ?? 'auto',
    private: params.get('private') === '1',
  };
}

function paramsFrom(draft: Draft): URLSearchParams {
  const params = new URLSearchParams();
  if (draft.url) params.set('url', draft.url);
  if (draft.type !== 'technical') params.set('type', draft.type);
  for (const tag of draft.tags) params.append('tag', tag);
  if (draft.depth !== 2) params.set('depth', String(draft.depth));
  if (draft.maxPages) params.set('max_pages', draft.maxPages);
  if (draft.scope !== 'path') params.set('scope', draft.scope);
  if (draft.every !== 7) params.set('every', String(draft.every));
  if (draft.include) params.set('include', draft.include);
  if (draft.exclude) params.set('exclude', draft.exclude);
  if (draft.render !== 'auto') params.set('render', draft.render);
  if (draft.private) params.set('private', '1');
  return params;
}

const lines = (text: string) => text.split('\n').map((line) => line.trim()).filter(Boolean);

/** docs.example.com is what people type; the server wants the scheme too. */
export function withScheme(url: string): string {
  const typed = url.trim();
  return typed && !/^[a-z][a-z0-9+.-]*:/i.test(typed) ? `https://${typed}` : typed;
}

function requestFrom(draft: Draft): CrawlRequest {
  const include = lines(draft.include);
  const exclude = lines(draft.exclude);
  return {
    url: draft.url,
    ...(draft.type === 'technical' ? {} : { knowledge_type: draft.type }),
    ...(draft.tags.length ? { tags: draft.tags } : {}),
    max_depth: draft.depth,
    ...(draft.every === 7 ? {} : { update_frequency: draft.every }),
    scope: draft.scope as CrawlRequest['scope'] & string,
    ...(draft.maxPages ? { max_pages: Number(draft.maxPages) } : {}),
    ...(include.length ? { include } : {}),
    ...(exclude.length ? { exclude } : {}),
    ...(draft.render === 'auto' ? {} : { render: draft.render as CrawlRequest['render'] & string }),
    ...(draft.private ? { private: true } : {}),
  };
}

export function AddSourcePage() {
  usePageTitle('Add source');
  const [params] = useSearchParams();
  const files = params.get('from') === 'files';
  return (
    <div className="page page-narrow">
      <div className="page-head">
        <div>
          <h1>Add source</h1>
          <p className="page-sub">{files ? 'Archon reads the files.' : 'Archon crawls the site.'} Pages can be searched as soon as they are stored.</p>
        </div>
        <Tabs
          label="Where the source is"
          tabs={[
            { name: 'Website', to: '/add', current: !files },
            { name: 'Files', to: '/add?from=files', current: files },
          ]}
        />
      </div>
      {files ? <UploadForm /> : <CrawlForm />}
    </div>
  );
}

function CrawlForm() {
  const [params, setParams] = useSearchParams();
  const [draft, setDraft] = useState(() => draftFrom(params));
  const [narrowed, setNarrowed] = useState(Boolean(draft.scope !== 'path' || draft.render !== 'auto' || draft.include || draft.exclude));
  const form = useRef<HTMLFormElement>(null);
  const navigate = useNavigate();
  const crawl = useMutation({
    mutationFn: startCrawl,
    onSuccess: ({ progressId }) => navigate(`/crawls/${encodeURIComponent(progressId)}`),
  });

  const preview = useMutation({ mutationFn: () => previewCrawl(requestFrom({ ...draft, url: withScheme(draft.url) })) });

  const error = crawl.error;
  const place = error instanceof ApiError && error.field ? PLACES[error.field] : undefined;
  /** What was refused is no longer there to be refused once it is changed. */
  const set = <K extends keyof Draft>(name: K, value: Draft[K]) => {
    if (value === draft[name]) return;
    if (name === place || name === 'url') crawl.reset();
    if (preview.isError) preview.reset();
    setDraft((before) => ({ ...before, [name]: value }));
  };
  useDraftInAddress(draft, setParams);

  useEffect(() => {
    if (!place) return;
    if (NARROWING.includes(place)) setNarrowed(true);
    requestAnimationFrame(() => {
      const control = form.current?.querySelector<HTMLElement>('[aria-invalid]');
      control?.focus({ preventScroll: true });
      control?.closest('.field')?.scrollIntoView({ block: 'nearest' });
    });
  }, [error, place]);

  const exclude = (pattern: string) => {
    setNarrowed(true);
    set('exclude', [...lines(draft.exclude), pattern].join('\n'));
  };

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const ready = { ...draft, url: withScheme(draft.url) };
    setDraft(ready);
    crawl.mutate(requestFrom(ready));
  };
  const problem = (name: keyof Draft) => (place === name ? (error as ApiError) : null);

  return (
    <>
      <form className="panel form" ref={form} onSubmit={submit} noValidate>
        <Field id="url" label="Address" hint="A site, a page, a sitemap, an llms.txt, a PDF or a GitHub repository." problem={problem('url')}>
          {(aria) => (
            <input
              {...aria}
              className="input input-large"
              type="url"
              inputMode="url"
              autoComplete="url"
              autoCapitalize="none"
              spellCheck={false}
              autoFocus
              required
              placeholder="https://docs.example.com"
              value={draft.url}
              onChange={(event) => set('url', event.target.value)}
              onBlur={() => set('url', withScheme(draft.url))}
            />
          )}
        </Field>

        <div className="form-pair">
          <Choice
            legend="Depth"
            name="depth"
            options={[1, 2, 3, 4, 5].map((depth) => [String(depth), String(depth)])}
            value={String(draft.depth)}
            onChange={(value) => set('depth', Number(value))}
            hint={DEPTHS[draft.depth] ?? ''}
            problem={problem('depth')}
          />
          <Field id="max-pages" label="Page limit" hint="1 takes this page alone. Empty: as many as the server allows." problem={problem('maxPages')}>
            {(aria) => (
              <input
                {...aria}
                className="input"
                inputMode="numeric"
                placeholder="500"
                value={draft.maxPages}
                onChange={(event) => set('maxPages', event.target.value.replace(/\D/g, ''))}
              />
            )}
          </Field>
        </div>

        <div className="form-pair">
          <Choice
            legend="Type"
            name="type"
            options={[
              ['technical', 'Technical'],
              ['business', 'Business'],
            ]}
            value={draft.type}
            onChange={(value) => set('type', value)}
            hint="A word to group sources by."
            problem={problem('type')}
          />
          <Field id="tags" label="Tags" hint="Enter or a comma adds one." problem={problem('tags')}>
            {(aria) => (
              <TagsInput
                id={aria.id}
                tags={draft.tags}
                onChange={(tags) => set('tags', tags)}
                describedBy={aria['aria-describedby']}
                invalid={aria['aria-invalid'] === true}
              />
            )}
          </Field>
        </div>

        <div className="form-pair">
          <Field id="every" label="Crawl again" hint="Only what changed is fetched." problem={problem('every')}>
            {(aria) => (
              <select {...aria} className="select" value={draft.every} onChange={(event) => set('every', Number(event.target.value))}>
                {FREQUENCIES.map(([days, label]) => (
                  <option key={days} value={days}>
                    {label}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <PrivateChoice value={draft.private} onChange={(value) => set('private', value)} />
        </div>

        <Collapsible.Root open={narrowed} onOpenChange={setNarrowed}>
          <Collapsible.Trigger className="text-button disclosure">
            <ChevronRight aria-hidden />
            Choose which addresses to follow, and how to read them
          </Collapsible.Trigger>
          <Collapsible.Content className="form-pair disclosed">
            <div className="form-row">
              <Choice
                legend="Stay within"
                name="scope"
                options={SCOPES.map(([scope, label]) => [scope, label])}
                value={draft.scope}
                onChange={(value) => set('scope', value)}
                hint={SCOPES.find(([scope]) => scope === draft.scope)?.[2] ?? ''}
                problem={problem('scope')}
              />
            </div>
            <div className="form-row">
              <Choice
                legend="Run scripts"
                name="render"
                options={RENDERS.map(([render, label]) => [render, label])}
                value={draft.render}
                onChange={(value) => set('render', value)}
                hint={RENDERS.find(([render]) => render === draft.render)?.[2] ?? ''}
                problem={problem('render')}
              />
            </div>
            <Patterns id="include" label="Include" value={draft.include} set={(v) => set('include', v)} problem={problem('include')} placeholder="/guide/**" hint="Only addresses that match one of these. One pattern per line." />
            <Patterns id="exclude" label="Exclude" value={draft.exclude} set={(v) => set('exclude', v)} problem={problem('exclude')} placeholder="/blog/**" hint="Never these. Exclude wins over include." />
          </Collapsible.Content>
        </Collapsible.Root>

        {error && !place && <ErrorNotice error={error} />}
        <div className="form-foot">
          <button className="button button-primary button-large" disabled={crawl.isPending}>
            {crawl.isPending ? 'Starting…' : 'Start crawl'}
          </button>
          <button type="button" className="button button-large" disabled={preview.isPending || !draft.url} onClick={() => preview.mutate()}>
            {preview.isPending ? 'Looking…' : 'Preview'}
          </button>
        </div>
      </form>
      {preview.error && <ErrorNotice error={preview.error} />}
      {preview.data && <CrawlMap preview={preview.data} onExclude={exclude} />}
    </>
  );
}

const ADDRESS_PAUSE_MS = 300;

/** Writes the form into the address, so that a reload or a shared link restores it. */
function useDraftInAddress(draft: Draft, setParams: ReturnType<typeof useSearchParams>[1]) {
  const first = useRef(true);
  const write = useRef(setParams);
  useEffect(() => {
    write.current = setParams;
  });
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    const timer = setTimeout(() => write.current(paramsFrom(draft), { replace: true }), ADDRESS_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [draft]);
}

interface ControlAria {
  id: string;
  'aria-describedby': string | undefined;
  'aria-invalid': true | undefined;
}

interface FieldProps {
  id: string;
  label: string;
  hint: string;
  problem: ApiError | null;
  children: (aria: ControlAria) => ReactNode;
}

function Field({ id, label, hint, problem, children }: FieldProps) {
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>
        {label}
      </label>
      {children({ id, 'aria-describedby': `${id}-hint`, 'aria-invalid': problem ? true : undefined })}
      <FieldNote id={`${id}-hint`} hint={hint} problem={problem} />
    </div>
  );
}

/** The field's own name before the sentence is for clients without fields. */
function sentence({ message, field }: ApiError): string {
  const bare = field && message.startsWith(`${field}: `) ? message.slice(field.length + 2) : message;
  return /[.!?]$/.test(bare) ? bare : `${bare}.`;
}

function FieldNote({ id, hint, problem }: { id: string; hint: string; problem: ApiError | null }) {
  if (!problem) {
    return (
      <p className="field-hint" id={id}>
        {hint}
      </p>
    );
  }
  return (
    <p className="field-error" id={id} role="alert">
      <strong>{sentence(problem)}</strong> {problem.hint}
    </p>
  );
}

interface ChoiceProps {
  legend: string;
  name: string;
  options: [value: string, label: string][];
  value: string;
  onChange: (value: string) => void;
  hint: string;
  problem: ApiError | null;
}

function Choice({ legend, name, options, value, onChange, hint, problem }: ChoiceProps) {
  return (
    <fieldset className="field" aria-describedby={`${name}-hint`}>
      <legend className="field-label">{legend}</legend>
      <div className="segments">
        {options.map(([option, label]) => (
          <label key={option}>
            <input
              type="radio"
              name={name}
              value={option}
              checked={value === option}
              aria-invalid={problem && value === option ? true : undefined}
              onChange={() => onChange(option)}
            />
            {label}
          </label>
        ))}
      </div>
      <FieldNote id={`${name}-hint`} hint={hint} problem={problem} />
    </fieldset>
  );
}

interface PatternsProps {
  id: 'include' | 'exclude';
  label: string;
  value: string;
  set: (value: string) => void;
  hint: string;
  placeholder: string;
  problem: ApiError | null;
}

function Patterns({ id, label, value, set, hint, placeholder, problem }: PatternsProps) {
  return (
    <Field id={id} label={label} hint={hint} problem={problem}>
      {(aria) => (
        <textarea
          {...aria}
          className="input mono"
          rows={3}
          spellCheck={false}
          placeholder={placeholder}
          value={value}
          onChange={(event) => set(event.target.value)}
        />
      )}
    </Field>
  );
}
