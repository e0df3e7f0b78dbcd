import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { LayoutGrid, LibraryBig, Plus, Search, SearchX, Table2, X } from 'lucide-react';
import { useCallback, useEffect, useRef, useState } from 'react';
import { Link } from 'react-router';
import { ActiveCrawls } from '../components/ActiveCrawls';
import { BulkActions } from '../components/BulkActions';
import { useChoice, type Choice } from '../components/choice';
import { ConnectionBadge } from '../components/ConnectionBadge';
import { Empty, ErrorNotice } from '../components/Notice';
import { Pager } from '../components/Pager';
import { SourceCards } from '../components/SourceCards';
import { SourceTable } from '../components/SourceTable';
import { plural } from '../format';
import { KNOWLEDGE_PER_PAGE, fetchKnowledge, type KnowledgeFilter, type KnowledgePage as Page } from '../services/api';
import { streamKnowledge } from '../services/knowledgeStream';
import type { ConnectionState, ReconnectingSocket } from '../services/reconnectingSocket';
import { pageNumber, useAddress } from './useAddress';
import { usePageTitle } from './usePageTitle';

const TYPING_PAUSE_MS = 250;
const POLL_WHILE_DISCONNECTED_MS = 10_000;

export function KnowledgePage() {
  usePageTitle('Knowledge');
  const [params, change] = useAddress();
  const filter: KnowledgeFilter = {
    page: pageNumber(params),
    search: params.get('q') ?? '',
    tag: params.get('tag') ?? '',
    type: params.get('type') ?? '',
  };
  const view = params.get('view') === 'table' ? 'table' : 'cards';
  const [connection, reconnect] = useKnowledgeStream();
  const knowledge = useQuery({
    queryKey: ['knowledge', filter],
    queryFn: ({ signal }) => fetchKnowledge(filter, signal),
    placeholderData: keepPreviousData,
    refetchInterval: connection === 'connected' ? false : POLL_WHILE_DISCONNECTED_MS,
  });
  const filtered = filter.search !== '' || filter.tag !== '' || filter.type !== '';
  const choice = useChoice();
  const nothingYet = !filtered && knowledge.data?.total === 0;

  return (
    <div className="page">
      <div className="page-head">
        <div>
          <h1>Knowledge</h1>
          <div className="page-sub">
            {knowledge.data && !filtered && <span>{plural(knowledge.data.total, 'source')}</span>}
            <ConnectionBadge state={connection} onRetry={reconnect} />
          </div>
        </div>
        {!nothingYet && (
          <Link className="button button-primary" to="/add">
            <Plus aria-hidden />
            Add source
          </Link>
        )}
      </div>

      <ActiveCrawls />

      <div className="toolbar" hidden={nothingYet}>
        <FilterBox value={filter.search} onChange={(q) => change({ q }, { replace: true })} />
        {filter.tag && (
          <button type="button" className="chip" onClick={() => change({ tag: '' })} aria-label={`Remove tag filter ${filter.tag}`}>
            <span className="cut">{filter.tag}</span>
            <X aria-hidden />
          </button>
        )}
        <select
          className="select"
          aria-label="Type of sources"
          value={filter.type}
          onChange={(event) => change({ type: event.target.value }, { replace: true })}
        >
          <option value="">All types</option>
          <option value="technical">Technical</option>
          <option value="business">Business</option>
        </select>
        <button type="button" className="button" aria-pressed={choice.open} onClick={choice.toggle}>
          {choice.open ? 'Done' : 'Select'}
        </button>
        <ViewSwitch view={view} onChange={(next) => change({ view: next === 'table' ? 'table' : '' }, { replace: true })} />
      </div>

      {choice.open && <BulkActions choice={choice} items={knowledge.data?.items ?? []} />}
      {knowledge.isError && <ErrorNotice error={knowledge.error} onRetry={() => void knowledge.refetch()} />}
      {knowledge.isPending && <Skeletons />}
      {knowledge.data && <Sources page={knowledge.data} view={view} choice={choice.open ? choice : null} filtered={filtered} stale={knowledge.isPlaceholderData} />}
    </div>
  );
}

interface SourcesProps {
  page: Page;
  view: 'cards' | 'table';
  choice: Choice | null;
  filtered: boolean;
  stale: boolean;
}

function Sources({ page, view, choice, filtered, stale }: SourcesProps) {
  if (page.items.length === 0) return filtered ? <NothingMatches /> : <NothingYet />;
  return (
    <div className={stale ? 'is-stale' : undefined} aria-busy={stale}>
      {view === 'table' ? <SourceTable items={page.items} choice={choice} /> : <SourceCards items={page.items} choice={choice} />}
      <Pager page={page.page} perPage={page.per_page} total={page.total} label="Pages of sources" />
    </div>
  );
}

function NothingYet() {
  return (
    <Empty
      icon={<LibraryBig />}
      title="Nothing learned yet"
      action={
        <Link className="button button-primary" to="/add">
          <Plus aria-hidden />
          Add your first source
        </Link>
      }
    >
      Give the address of a documentation site. Archon crawls it, and its pages become searchable while the crawl still runs.
    </Empty>
  );
}

function NothingMatches() {
  return (
    <Empty
      icon={<SearchX />}
      title="No source matches"
      action={
        <Link className="button" to="/">
          Show all sources
        </Link>
      }
    >
      This box looks at titles and addresses. To look inside the pages, use <Link to="/search">Search</Link>.
    </Empty>
  );
}

function Skeletons() {
  return (
    <div className="cards" role="status" aria-label="Loading sources">
      {[0, 1, 2].map((n) => (
        <div key={n} className="card skeleton" />
      ))}
    </div>
  );
}

/** Keeps what is typed here and passes it on after a short pause. */
function FilterBox({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const [draft, setDraft] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => setDraft(value), [value]);
  useEffect(() => () => clearTimeout(timer.current), []);

  const type = (text: string) => {
    setDraft(text);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onChange(text.trim()), TYPING_PAUSE_MS);
  };

  return (
    <div className="search-box">
      <Search aria-hidden />
      <input
        type="search"
        aria-label="Filter sources by title or address"
        placeholder="Filter by title or address"
        value={draft}
        onChange={(event) => type(event.target.value)}
      />
    </div>
  );
}

const VIEWS = [
  ['cards', 'Cards', LayoutGrid],
  ['table', 'Table', Table2],
] as const;

function ViewSwitch({ view, onChange }: { view: string; onChange: (view: string) => void }) {
  return (
    <fieldset className="segments segments-icons">
      <legend className="visually-hidden">Show as</legend>
      {VIEWS.map(([value, name, Icon]) => (
        <label key={value} title={name}>
          <input type="radio" name="view" checked={view === value} onChange={() => onChange(value)} />
          <Icon aria-hidden />
          <span className="visually-hidden">{name}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** A message carries the first page without filters; every other view is asked for again. */
function useKnowledgeStream(): [ConnectionState, () => void] {
  const queries = useQueryClient();
  const [connection, setConnection] = useState<ConnectionState>('connecting');
  const stream = useRef<ReconnectingSocket>(null);

  useEffect(() => {
    const firstPage: KnowledgeFilter = { page: 1, search: '', tag: '', type: '' };
    const opened = (stream.current = streamKnowledge({
      onConnectionChange: setConnection,
      onUpdate: (page) => {
        if (page.page === 1 && page.per_page === KNOWLEDGE_PER_PAGE) queries.setQueryData(['knowledge', firstPage], page);
        void queries.invalidateQueries({
          queryKey: ['knowledge'],
          predicate: ({ queryKey }) => {
            const shown = queryKey[1] as KnowledgeFilter;
            return shown.page !== 1 || shown.search !== '' || shown.tag !== '' || shown.type !== '';
          },
        });
        void queries.invalidateQueries({ queryKey: ['active'] });
      },
    }));
    return () => opened.close();
  }, [queries]);

  return [connection, useCallback(() => stream.current?.reconnect(), [])];
}
