import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { ChevronLeft, FileSearch, Search } from 'lucide-react';
import { useEffect, useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { Changes } from '../components/Changes';
import { CodeExamples } from '../components/CodeExamples';
import { CopyButton } from '../components/CopyButton';
import { Empty, ErrorNotice, isMissing, Missing } from '../components/Notice';
import { PageDiff } from '../components/PageDiff';
import { Pager } from '../components/Pager';
import { PageViewer } from '../components/PageViewer';
import { PrivateMark } from '../components/Private';
import { SourceActions } from '../components/SourceActions';
import { SourceFailure } from '../components/SourceFailure';
import { SourceTags, SourceTime } from '../components/SourceFacts';
import { SourceEditor } from '../components/SourceEditor';
import { Tabs } from '../components/Tabs';
import { count, plural, shortUrl, webAddress } from '../format';
import { fetchPageByUrl, CHUNKS_PER_PAGE, PAGES_PER_PAGE, fetchChunks, fetchItem, fetchPages, type KnowledgeItem } from '../services/api';
import { pageNumber, useAddress } from './useAddress';
import { usePageTitle } from './usePageTitle';

const TYPING_PAUSE_MS = 250;

/** `view`: of a page, where its id alone does not say what to show of it. */
export function SourcePage({ view: viewOfPage }: { view?: 'changes' }) {
  const { sourceId = '', view = viewOfPage ?? 'pages', pageId } = useParams();
  const navigate = useNavigate();
  const item = useQuery({ queryKey: ['item', sourceId], queryFn: ({ signal }) => fetchItem(sourceId, signal) });
  usePageTitle(item.data?.title ?? '', 'Source');
  if (item.isError) {
    return (
      <div className="page">
        <h1 className="visually-hidden">Source</h1>
        {isMissing(item.error) ? (
          <Missing what="source" why="It was deleted, or its address is mistyped." />
        ) : (
          <ErrorNotice error={item.error} onRetry={() => void item.refetch()} />
        )}
      </div>
    );
  }
  const base = `/sources/${encodeURIComponent(sourceId)}`;
  return (
    <div className="page">
      <div className="page-head">
        <div className="page-head-text">
          <Link className="back-link" to="/">
            <ChevronLeft aria-hidden />
            Knowledge
          </Link>
          <h1 className="cut" title={item.data?.title}>
            {item.data?.title || (item.data ? shortUrl(item.data.url) : 'Source')}
          </h1>
          {item.data && <Summary item={item.data} />}
        </div>
        {item.data && (
          <div className="page-actions">
            <SourceActions item={item.data} onDeleted={() => void navigate('/')} />
            <Link className="button button-primary" to={`/search?source=${encodeURIComponent(sourceId)}`}>
              <Search aria-hidden />
              Search in it
            </Link>
          </div>
        )}
      </div>
      {item.data && !pageId && <SourceFailure item={item.data} />}
      {pageId && view === 'changes' ? (
        <PageDiff pageId={pageId} base={base} />
      ) : pageId ? (
        <PageViewer pageId={pageId} back={base} />
      ) : view === 'page' ? (
        <PageAt back={base} />
      ) : (
        <>
          <Tabs
            label="Views of the source"
            tabs={[
              { name: 'Pages', to: base, current: view === 'pages', total: item.data?.metadata.document_count },
              { name: 'Chunks', to: `${base}/chunks`, current: view === 'chunks', total: item.data?.metadata.chunks_count },
              { name: 'Code examples', to: `${base}/code`, current: view === 'code', total: item.data?.metadata.code_examples_count },
              { name: 'Changes', to: `${base}/changes`, current: view === 'changes' },
              { name: 'Edit', to: `${base}/edit`, current: view === 'edit' },
            ]}
          />
          <div className="tab-body">
            {view === 'chunks' ? (
              <Chunks sourceId={sourceId} />
            ) : view === 'code' ? (
              <CodeExamples sourceId={sourceId} base={base} />
            ) : view === 'changes' ? (
              <Changes sourceId={sourceId} base={base} />
            ) : view === 'edit' ? (
              item.data && <SourceEditor key={item.data.source_id} item={item.data} />
            ) : (
              <Pages sourceId={sourceId} base={base} />
            )}
          </div>
        </>
      )}
    </div>
  );
}

function Summary({ item }: { item: KnowledgeItem }) {
  const { word_count, update_frequency } = item.metadata;
  const again = update_frequency ? `crawled again every ${update_frequency === 1 ? 'day' : plural(update_frequency, 'day')}` : 'crawled once';
  return (
    <>
      <p className="page-sub">
        <a className="card-url cut" href={webAddress(item.url)} title={item.url} rel="noreferrer" target="_blank">
          {shortUrl(item.url)}
        </a>
        <span className="muted">
          {plural(word_count, 'word')} · {item.metadata.source_type === 'file' ? 'uploaded' : again} · <SourceTime item={item} />
        </span>
        <PrivateMark item={item} />
      </p>
      {item.metadata.description && <p className="page-sub">{item.metadata.description}</p>}
      <SourceTags item={item} at="/" />
    </>
  );
}

/** A page that is known by its address only: a citation names no id. */
function PageAt({ back }: { back: string }) {
  const url = useAddress()[0].get('url') ?? '';
  const page = useQuery({ queryKey: ['page-at', url], queryFn: ({ signal }) => fetchPageByUrl(url, signal), staleTime: 60_000 });
  if (page.isError) return <ErrorNotice error={page.error} onRetry={() => void page.refetch()} />;
  return page.data ? <PageViewer pageId={page.data.id} back={back} /> : null;
}

function Pages({ sourceId, base }: { sourceId: string; base: string }) {
  const [params, change] = useAddress();
  const filter = { section: params.get('q') ?? '', page: pageNumber(params) };
  const [draft, setDraft] = useState(filter.section);
  const pages = useQuery({
    queryKey: ['pages', sourceId, filter],
    queryFn: ({ signal }) => fetchPages(sourceId, filter, signal),
    placeholderData: keepPreviousData,
  });
  useEffect(() => {
    if (draft.trim() === filter.section) return;
    const timer = setTimeout(() => change({ q: draft.trim() }, { replace: true }), TYPING_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [draft, filter.section, change]);

  return (
    <section aria-label="Pages">
      <div className="toolbar">
        <div className="search-box">
          <Search aria-hidden />
          <input type="search" aria-label="Filter pages by title" placeholder="Filter pages by title" value={draft} onChange={(event) => setDraft(event.target.value)} />
        </div>
      </div>
      {pages.isError && <ErrorNotice error={pages.error} onRetry={() => void pages.refetch()} />}
      {pages.data?.pages.length === 0 && (
        <Empty icon={<FileSearch />} title={filter.section ? 'No page has such a title' : 'No pages yet'}>
          {filter.section ? 'This box looks at titles only. To look inside the pages, use Search.' : 'Pages appear here as soon as a crawl has stored them.'}
        </Empty>
      )}
      {pages.data && pages.data.pages.length > 0 && (
        <>
          <ul className="panel rows" aria-busy={pages.isPlaceholderData}>
            {pages.data.pages.map((page) => (
              <li key={page.id} className="row row-link">
                <Link className="cut" to={`${base}/pages/${page.id}`} title={page.section_title}>
                  {page.section_title || shortUrl(page.url)}
                </Link>
                <span className="mono cut muted" title={page.url}>{shortUrl(page.url)}</span>
                <span className="muted nowrap">{plural(page.word_count, 'word')} · {plural(page.chunk_count, 'chunk')}</span>
              </li>
            ))}
          </ul>
          <Pager page={filter.page} perPage={PAGES_PER_PAGE} total={pages.data.total} label="Pages of the list" />
        </>
      )}
    </section>
  );
}

function Chunks({ sourceId }: { sourceId: string }) {
  const [params] = useAddress();
  const page = pageNumber(params);
  const chunks = useQuery({
    queryKey: ['chunks', sourceId, page],
    queryFn: ({ signal }) => fetchChunks(sourceId, page, signal),
    placeholderData: keepPreviousData,
  });
  if (chunks.isError) return <ErrorNotice error={chunks.error} onRetry={() => void chunks.refetch()} />;
  return (
    <section aria-label="Chunks">
      <ol className="results" aria-busy={chunks.isPlaceholderData}>
        {chunks.data?.chunks.map((chunk) => (
          <li key={chunk.id} className="result">
            <div className="result-head">
              <h2 className="chunk-title cut" title={chunk.title}>{chunk.title || shortUrl(chunk.url)}</h2>
              <CopyButton text={chunk.content} label={`Copy the chunk of ${chunk.title}`} />
            </div>
            <p className="result-path">{chunk.metadata.heading_path}</p>
            <pre className="snippet chunk-text" tabIndex={0} aria-label="Text of the chunk">{chunk.content}</pre>
            <p className="result-foot">
              <span className="mono cut" title={chunk.url}>{shortUrl(chunk.url)}</span>
              <span className="nowrap">{count(chunk.metadata.char_count)} characters</span>
            </p>
          </li>
        ))}
      </ol>
      {chunks.data && <Pager page={page} perPage={CHUNKS_PER_PAGE} total={chunks.data.total} label="Pages of chunks" />}
    </section>
  );
}
