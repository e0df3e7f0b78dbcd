import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { BookOpen, ChevronLeft, Pause, Play, RotateCcw, Search, Square } from 'lucide-react';
import { useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { ConfirmButton } from '../components/ConfirmButton';
import { CrawlHosts } from '../components/CrawlHosts';
import { CrawlProgress } from '../components/CrawlProgress';
import { CrawledPages } from '../components/CrawledPages';
import { ErrorNotice, isMissing, Missing } from '../components/Notice';
import { Tabs } from '../components/Tabs';
import { SOURCES_QUERY, useSourceTitle } from '../components/useSourceTitle';
import { dateTime } from '../format';
import { fetchProgress, pauseCrawl, resumeCrawl, retryFailed, stopCrawl } from '../services/api';
import { isTerminal, type CrawlProgressData } from '../services/crawlProgressService';
import { operation } from '../status';
import { useAddress } from './useAddress';
import { usePageTitle } from './usePageTitle';

const LOOK_AGAIN_MS = 2_000;

export function CrawlPage() {
  const { progressId = '' } = useParams();
  // Another crawl is another page: nothing of the last one may linger.
  return <Crawl key={progressId} progressId={progressId} />;
}

function Crawl({ progressId }: { progressId: string }) {
  const [progress, setProgress] = useState<CrawlProgressData | null>(null);
  const name = useSourceTitle(progress) ?? progressId;
  const queries = useQueryClient();
  const here = `/crawls/${encodeURIComponent(progressId)}`;
  const hosts = useAddress()[0].get('view') === 'hosts';
  const refreshTitles = () => void queries.invalidateQueries({ queryKey: SOURCES_QUERY.queryKey });
  usePageTitle(progress ? `${progress.percentage}%` : '', name);
  // The socket waits for whatever may begin under this id; whether there is anything is asked once more and again.
  const known = useQuery({
    queryKey: ['crawl-known', progressId],
    queryFn: () => fetchProgress(progressId),
    enabled: progress?.status === 'waiting',
    retry: false,
    refetchInterval: LOOK_AGAIN_MS,
  });
  if (progress?.status === 'waiting' && isMissing(known.error)) {
    return (
      <div className="page">
        <h1 className="visually-hidden">Crawl</h1>
        <Missing what="crawl" why="It was forgotten some time after its end, deleted with its source, or its address is mistyped." />
      </div>
    );
  }

  return (
    <div className="page">
      <div className="page-head">
        <div className="page-head-text">
          <Link className="back-link" to="/">
            <ChevronLeft aria-hidden />
            Knowledge
          </Link>
          <h1 className="cut" title={name}>
            {name}
          </h1>
          {progress?.start_time && (
            <p className="page-sub crawl-started">
              Started <time dateTime={progress.start_time}>{dateTime(progress.start_time)}</time>
            </p>
          )}
        </div>
        <CrawlActions progressId={progressId} progress={progress} />
      </div>
      <CrawlProgress progressId={progressId} onProgress={setProgress} onComplete={refreshTitles} />
      {operation(progress?.kind).crawls && (
        <div className="crawl-views">
          <Tabs
            label="Views of the crawl"
            tabs={[
              { name: 'Pages', to: here, current: !hosts },
              { name: 'Hosts', to: `${here}?view=hosts`, current: hosts },
            ]}
          />
        </div>
      )}
      {hosts ? <CrawlHosts progressId={progressId} progress={progress} /> : <CrawledPages progressId={progressId} progress={progress} />}
    </div>
  );
}

/** Statuses in which there is nothing to pause. */
const NOT_HELD = new Set<string>(['waiting', 'stopping', 'finalizing']);

function CrawlActions({ progressId, progress }: { progressId: string; progress: CrawlProgressData | null }) {
  const navigate = useNavigate();
  const stop = useMutation({ mutationFn: () => stopCrawl(progressId) });
  const hold = useMutation({ mutationFn: () => (progress?.status === 'paused' ? resumeCrawl : pauseCrawl)(progressId) });
  const retry = useMutation({
    mutationFn: () => retryFailed(progressId),
    onSuccess: (started) => {
      if (started.progressId !== progressId) return navigate(`/crawls/${encodeURIComponent(started.progressId)}`);
    },
  });
  if (!progress) return null;

  const ended = isTerminal(progress.status);
  const { crawls, one } = operation(progress.kind);
  const stored = (progress.processedPages ?? 0) - (progress.failedPages ?? 0) > 0;
  const stopping = stop.isPending || progress.status === 'stopping';
  const failure = stop.error ?? hold.error ?? retry.error;

  return (
    <div className="page-actions">
      {!ended && crawls && !NOT_HELD.has(progress.status) && (
        <button type="button" className="button" disabled={hold.isPending} onClick={() => hold.mutate()}>
          {progress.status === 'paused' ? <Play aria-hidden /> : <Pause aria-hidden />}
          {progress.status === 'paused' ? 'Resume' : 'Pause'}
        </button>
      )}
      {!ended && progress.status !== 'waiting' && (
        <ConfirmButton question="Click again to cancel" disabled={stopping} onConfirm={() => stop.mutate()}>
          <Square aria-hidden />
          {stopping ? 'Cancelling…' : one === 'file' ? 'Cancel upload' : 'Cancel crawl'}
        </ConfirmButton>
      )}
      {ended && crawls && (progress.failedPages ?? 0) > 0 && (
        <button type="button" className="button" disabled={retry.isPending} onClick={() => retry.mutate()}>
          <RotateCcw aria-hidden />
          Retry failed
        </button>
      )}
      {progress.sourceId && (stored || (crawls && (progress.processedPages ?? 0) > 0)) && (
        <Link className="button" to={`/sources/${encodeURIComponent(progress.sourceId)}`}>
          <BookOpen aria-hidden />
          Open source
        </Link>
      )}
      {progress.sourceId && stored && (
        <Link className="button button-primary" to={`/search?source=${encodeURIComponent(progress.sourceId)}`}>
          <Search aria-hidden />
          Search in it
        </Link>
      )}
      {failure && <ErrorNotice error={failure} />}
    </div>
  );
}
