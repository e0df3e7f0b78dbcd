import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Lightbulb, Plus, Search, SearchX } from 'lucide-react';
import { lazy, Suspense, useEffect, useRef, useState } from 'react';
import { Link } from 'react-router';
import { Empty, ErrorNotice, Notice } from '../components/Notice';
import { Tabs } from '../components/Tabs';
import { SOURCES_QUERY } from '../components/useSourceTitle';
import { count, milliseconds, plural, shortUrl, webAddress } from '../format';
import { excerpt, pieces, plainText, queryWords, snippet, wordsAt } from '../highlight';
import { search, type SearchAnswer, type SearchQuery, type SearchResult, type SourceName } from '../services/api';
import { useAddress } from './useAddress';
import { usePageTitle } from './usePageTitle';

const MODES = [
  ['hybrid', 'Hybrid', 'By meaning and by keywords, both rankings in one'],
  ['vector', 'Meaning', 'By the vectors of the embedding model'],
  ['keyword', 'Keywords', 'By the words themselves'],
] as const;

/** What the server did, which may be less than it was asked for. */
const DONE_BY: Record<string, string> = {
  hybrid: 'by meaning and keywords',
  vector: 'by meaning',
  keyword: 'by keywords',
};

const COUNTS = ['5', '10', '20'];

const EvalBench = lazy(() => import('../components/EvalBench').then((view) => ({ default: view.EvalBench })));

export function SearchPage() {
  const bench = useAddress()[0].get('view') === 'eval';
  return (
    <div className="page page-reading">
      <h1 className="visually-hidden">{bench ? 'Eval bench' : 'Search'}</h1>
      <Tabs
        label="Views of the search"
        tabs={[
          { name: 'Search', to: '/search', current: !bench },
          { name: 'Eval bench', to: '/search?view=eval', current: bench },
        ]}
      />
      <div className="tab-body">
        {bench ? (
          <Suspense fallback={<div className="panel skeleton settings-waiting" role="status" aria-label="Loading" />}>
            <Bench />
          </Suspense>
        ) : (
          <SearchView />
        )}
      </div>
    </div>
  );
}

function Bench() {
  usePageTitle('Eval bench', 'Search');
  return <EvalBench />;
}

function SearchView() {
  const [params, change] = useAddress();
  const question: SearchQuery = {
    query: params.get('q') ?? '',
    mode: MODES.find(([mode]) => mode === params.get('mode'))?.[0] ?? 'hybrid',
    source: params.get('source') ?? '',
    match_count: Number(COUNTS.find((n) => n === params.get('n')) ?? '10'),
  };
  usePageTitle(question.query, 'Search');
  const sources = useQuery(SOURCES_QUERY);
  const answer = useQuery({
    queryKey: ['search', question],
    queryFn: ({ signal }) => search(question, signal),
    enabled: question.query !== '',
    placeholderData: keepPreviousData,
    staleTime: 60_000,
  });

  return (
    <>
      <QueryBox value={question.query} busy={answer.isFetching} onSearch={(q) => change({ q })} />
      <div className="search-options">
        <fieldset className="segments segments-small">
          <legend className="visually-hidden">Search by</legend>
          {MODES.map(([mode, name, says]) => (
            <label key={mode} title={says}>
              <input type="radio" name="mode" checked={question.mode === mode} onChange={() => change({ mode: mode === 'hybrid' ? '' : mode })} />
              {name}
            </label>
          ))}
        </fieldset>
        <label>
          <span className="label-word">In</span>
          <select className="select" value={question.source} onChange={(event) => change({ source: event.target.value })}>
            <option value="">All sources</option>
            {sourceOptions(sources.data ?? [], question.source).map(({ source_id, title }) => (
              <option key={source_id} value={source_id}>
                {title || source_id}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span className="label-word">Show</span>
          <select
            className="select"
            value={String(question.match_count)}
            onChange={(event) => change({ n: event.target.value === '10' ? '' : event.target.value })}
          >
            {COUNTS.map((n) => (
              <option key={n}>{n}</option>
            ))}
          </select>
        </label>
      </div>

      {answer.isError && <ErrorNotice error={answer.error} onRetry={() => void answer.refetch()} />}
      {question.query === '' ? (
        <Beginning noSources={sources.data?.length === 0} />
      ) : (
        answer.data && !answer.isError && <Answer answer={answer.data} query={question.query} stale={answer.isPlaceholderData} />
      )}
      {answer.isLoading && <ResultSkeletons />}
    </>
  );
}

/** The source of the address stays selectable before the list has arrived. */
function sourceOptions(sources: SourceName[], chosen: string): SourceName[] {
  if (!chosen || sources.some(({ source_id }) => source_id === chosen)) return sources;
  return [{ source_id: chosen, title: chosen }, ...sources];
}

function QueryBox({ value, busy, onSearch }: { value: string; busy: boolean; onSearch: (query: string) => void }) {
  const [draft, setDraft] = useState(value);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => setDraft(value), [value]);
  useEffect(() => {
    if (!value) input.current?.focus();
  }, [value]);

  return (
    <form
      role="search"
      className="query"
      onSubmit={(event) => {
        event.preventDefault();
        onSearch(draft.trim());
      }}
    >
      <Search aria-hidden />
      <input
        ref={input}
        type="search"
        aria-label="Search in all pages"
        placeholder="Ask in your own words, or name a function"
        value={draft}
        onChange={(event) => setDraft(event.target.value)}
      />
      <button className="button button-primary" aria-busy={busy}>
        Search
      </button>
    </form>
  );
}

function Beginning({ noSources }: { noSources: boolean }) {
  if (noSources) {
    return (
      <Empty
        icon={<Plus />}
        title="There is nothing to search yet"
        action={
          <Link className="button button-primary" to="/add">
            Add source
          </Link>
        }
      >
        Add a documentation site first. Its pages can be searched while the crawl still runs.
      </Empty>
    );
  }
  return (
    <Empty icon={<Lightbulb />} title="Search what was learned">
      Hybrid finds both the meaning and the exact words. Choose Keywords for the name of a function or an error message.
    </Empty>
  );
}

function ResultSkeletons() {
  return (
    <div className="results" role="status" aria-label="Searching">
      {[0, 1, 2].map((n) => (
        <div key={n} className="result skeleton" />
      ))}
    </div>
  );
}

function Answer({ answer, query, stale }: { answer: SearchAnswer; query: string; stale: boolean }) {
  const notice = answer.notice && <Notice tone="warn" title={answer.notice} />;
  if (answer.results.length === 0) {
    return (
      <>
        {notice}
        <Empty icon={<SearchX />} title="Nothing found">
          Try fewer or other words, search in all sources, or choose Meaning instead of Keywords.
        </Empty>
      </>
    );
  }
  return (
    <div className={stale ? 'answer-list is-stale' : 'answer-list'} aria-busy={stale}>
      {notice}
      {answer.weak && <NoGoodMatch />}
      <p className="results-head" role="status">
        {plural(answer.results.length, 'result')}
        {answer.total_found > answer.results.length && ` of ${count(answer.total_found)}`}
        {answer.took_ms !== undefined && ` in ${milliseconds(answer.took_ms)}`}
        {`, ${DONE_BY[answer.search_mode] ?? answer.search_mode}`}
        {answer.reranking_applied && ', reranked'}
      </p>
      <ol className="results">
        {answer.results.map((result) => (
          <Result key={result.id} result={result} query={query} />
        ))}
      </ol>
    </div>
  );
}

function NoGoodMatch() {
  return (
    <Notice tone="warn" title="No good match; the nearest passages are:">
      None of them seems to answer. Ask in other words, or <Link to="/add">add a source</Link> that covers it.
    </Notice>
  );
}

function Result({ result, query }: { result: SearchResult; query: string }) {
  const [whole, setWhole] = useState(false);
  const words = markedWords(result, query);
  const running = plainText(result.content);
  const short = snippet(excerpt(plainText(result.metadata?.snippet || result.content), running), words);
  const headings = headingPath(result);

  return (
    <li className="result">
      <div className="result-head">
        <h2 className="result-title">
          <a href={webAddress(anchored(result))} rel="noreferrer" target="_blank" title={result.title}>
            {result.title || shortUrl(result.url)}
          </a>
        </h2>
        <Scores result={result} />
      </div>
      {headings.length > 0 && (
        <p className="result-path">
          {headings.map((heading, index) => (
            <span key={index}>{heading}</span>
          ))}
        </p>
      )}
      <p className={whole ? 'result-text is-whole' : 'result-text'} tabIndex={whole ? 0 : undefined}>
        {pieces(whole ? result.content : short, words).map((piece, index) =>
          piece.marked ? <mark key={index}>{piece.text}</mark> : <span key={index}>{piece.text}</span>,
        )}
      </p>
      <div className="result-foot">
        <span className="mono cut" title={result.url}>
          {shortUrl(result.url)}
        </span>
        {result.metadata && (
          <Link className="text-button" to={`/sources/${encodeURIComponent(result.metadata.source_id)}/pages/${result.metadata.page_id}`}>
            Read the page here
          </Link>
        )}
        {(short !== running || result.content.includes('\n')) && (
          <button type="button" className="text-button" aria-expanded={whole} onClick={() => setWhole(!whole)}>
            {whole ? 'Show less' : 'Show whole passage'}
          </button>
        )}
      </div>
    </li>
  );
}

const RANKINGS = [
  ['keyword', 'Keywords', 'How well the words match (BM25); comparable within this answer'],
  ['vector', 'Meaning', 'Cosine of the angle between the vectors of question and passage'],
  ['rerank', 'Rerank', 'What the reranker thinks of question and passage together'],
] as const;

/** The scores of the rankings that found it, and the one it is listed by: relative to the best hit. */
function Scores({ result }: { result: SearchResult }) {
  return (
    <dl className="scores">
      {RANKINGS.map(([name, label, says]) => {
        const value = result.scores?.[name];
        return typeof value === 'number' ? (
          <div key={name} title={says}>
            <dt>{label}</dt>
            <dd>{value.toFixed(value < 10 ? 2 : 1)}</dd>
          </div>
        ) : null;
      })}
      <div className="score" title="Relative to the best hit">
        <dt className="visually-hidden">Score</dt>
        <dd>{result.similarity_score.toFixed(2)}</dd>
      </div>
    </dl>
  );
}

/** The words that the server found, in the forms it found them; else the words of the question. */
function markedWords({ metadata }: SearchResult, query: string): string[] {
  const found = wordsAt(metadata?.snippet ?? '', metadata?.highlights ?? []);
  return found.length ? found : queryWords(query);
}

/** The headings above the passage; the page's own title is not repeated. */
function headingPath({ heading_path, title }: SearchResult): string[] {
  return (heading_path ?? '').split(' > ').filter((heading) => heading && heading !== title);
}

function anchored({ url, metadata }: SearchResult): string {
  const anchor = metadata?.anchor;
  return anchor && !url.includes('#') ? `${url}#${anchor}` : url;
}
