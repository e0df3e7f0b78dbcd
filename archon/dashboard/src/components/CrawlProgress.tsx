import { useEffect, useRef, useState, type ReactNode } from 'react';
import { count, duration, plural, secondsBetween } from '../format';
import { isTerminal, type CrawlProgressData } from '../services/crawlProgressService';
import { operation, phrase, tone } from '../status';
import { ConnectionBadge } from './ConnectionBadge';
import { Fact } from './Fact';
import { LogConsole } from './LogConsole';
import { Notice } from './Notice';
import { ProgressBar } from './ProgressBar';
import { Throughput } from './Throughput';
import { StatusMark } from './StatusMark';
import { useCrawlProgress } from './useCrawlProgress';

export interface CrawlProgressProps {
  progressId: string;
  onComplete?: (data: CrawlProgressData) => void;
  /** Every state, for a page that shows more around it. */
  onProgress?: (data: CrawlProgressData) => void;
}

/** A crawl while it happens: how far, how fast, what failed, and the log. */
export function CrawlProgress({ progressId, onComplete, onProgress }: CrawlProgressProps) {
  const { progress, logs, connection, reconnect } = useCrawlProgress(progressId);
  useReports(progress, onProgress, onComplete);

  if (!progress) {
    return (
      <div className="panel crawl">
        <p className="crawl-connecting" role="status">
          <StatusMark status="starting" />
          Connecting to progress stream...
        </p>
        {connection === 'disconnected' && <ConnectionBadge state={connection} onRetry={reconnect} />}
      </div>
    );
  }

  return (
    <section className="panel crawl" aria-label="Crawl progress">
      <Headline progress={progress} badge={<ConnectionBadge state={connection} onRetry={reconnect} />} />
      <Outcome progress={progress} />
      <Facts progress={progress} />
      {progress.currentUrl && !isTerminal(progress.status) && !isEmbedding(progress) && (
        <p className="crawl-current">
          <span className="muted">Current {operation(progress.kind).one}</span>
          <span className="mono cut" title={progress.currentUrl}>
            {progress.currentUrl}
          </span>
        </p>
      )}
      <Throughput progress={progress} />
      <LogConsole lines={logs} />
    </section>
  );
}

/** Passes states on; completion is told once each time the crawl gets there. */
function useReports(
  progress: CrawlProgressData | null,
  onProgress: CrawlProgressProps['onProgress'],
  onComplete: CrawlProgressProps['onComplete'],
) {
  const listeners = useRef({ onProgress, onComplete });
  const told = useRef<string | null>(null);

  useEffect(() => {
    listeners.current = { onProgress, onComplete };
  });
  useEffect(() => {
    if (!progress) return;
    listeners.current.onProgress?.(progress);
    const completed = progress.status === 'completed' ? progress.progressId : null;
    if (completed && told.current !== completed) listeners.current.onComplete?.(progress);
    told.current = completed;
  }, [progress]);
}

function Headline({ progress, badge }: { progress: CrawlProgressData; badge: ReactNode }) {
  const { status, percentage, queuePosition, failedPages = 0 } = progress;
  const totalUnknown = !progress.totalPages && !isTerminal(status);
  const done = isEmbedding(progress) ? `${chunksDone(progress)} embedded` : pagesDone(progress);

  return (
    <div className="crawl-headline">
      <div className="crawl-status">
        <StatusMark status={status} failedPages={failedPages} />
        <p role="status">{status === 'queued' && queuePosition ? `Queued, ${plural(queuePosition - 1, 'crawl')} before it` : phrase(status)}</p>
        {badge}
      </div>
      <p className="crawl-percentage" aria-hidden>
        {percentage}
        <span>%</span>
      </p>
      <ProgressBar
        label="Crawl progress"
        value={totalUnknown ? null : percentage}
        valueText={`${percentage}%, ${done}`}
        tone={tone(status)}
      />
    </div>
  );
}

function pagesDone({ kind, processedPages = 0, totalPages, status }: CrawlProgressData): string {
  const { one } = operation(kind);
  if (totalPages) return `${count(processedPages)} of ${plural(totalPages, one)}`;
  return isTerminal(status) ? plural(processedPages, one) : `${plural(processedPages, one)}, total unknown`;
}

/** The pages are all there, and chunks are what is counted. */
function isEmbedding({ status, chunksStored }: CrawlProgressData): boolean {
  return status === 'embedding' && Boolean(chunksStored);
}

function chunksDone({ embeddedChunks, chunksStored }: CrawlProgressData): string {
  return `${count(embeddedChunks ?? 0)} of ${plural(chunksStored ?? 0, 'chunk')}`;
}

function Outcome({ progress }: { progress: CrawlProgressData }) {
  const { status, error, failedPages = 0 } = progress;
  const { name, one } = operation(progress.kind);
  if (status === 'failed') {
    return (
      <Notice tone="bad" title={error?.message ?? progress.log ?? `The ${name.toLowerCase()} failed without naming a reason.`}>
        {error?.hint}
      </Notice>
    );
  }
  if (status === 'cancelled') {
    return (
      <Notice tone="idle" title={`The ${name.toLowerCase()} was cancelled`}>
        {one === 'file' ? 'Files' : 'Pages'} stored until then are kept and can be searched.
      </Notice>
    );
  }
  if (isEmbedding(progress)) {
    return (
      <Notice tone="idle" title={`All ${one}s are stored`}>
        Search finds them by their words already. By meaning it finds those whose chunks are embedded: {chunksDone(progress)} so far.
      </Notice>
    );
  }
  if (status !== 'completed') return null;
  return (
    <Notice
      tone={failedPages > 0 ? 'warn' : 'good'}
      title={failedPages > 0 ? `${name} completed, ${plural(failedPages, one)} failed` : `${name} completed`}
    >
      {summary(progress)}
    </Notice>
  );
}

function summary(progress: CrawlProgressData): string {
  const { chunksStored, wordCount, embeddedChunks } = progress;
  const parts = [
    chunksStored ? `Chunks stored: ${count(chunksStored)}.` : '',
    wordCount ? `Words processed: ${count(wordCount)}.` : '',
  ];
  if (chunksStored && embeddedChunks && embeddedChunks < chunksStored) {
    parts.push(`${plural(chunksStored - embeddedChunks, 'chunk has', 'chunks have')} no vector yet: found by keywords.`);
  }
  return parts.filter(Boolean).join(' ');
}

function Facts({ progress }: { progress: CrawlProgressData }) {
  const { totalPages, processedPages = 0, failedPages = 0, skippedPages = 0, chunksStored, embeddedChunks } = progress;
  const ended = isTerminal(progress.status);
  const elapsed = useElapsed(progress);
  const took = <Fact name={ended ? 'Took' : 'Running for'} value={elapsed === null ? '–' : duration(elapsed)} />;
  const behind = chunksStored && embeddedChunks !== chunksStored;

  return (
    <dl className="facts">
      <Fact name={operation(progress.kind).one === 'file' ? 'Files' : 'Pages'} value={count(processedPages)} of={totalPages ? count(totalPages) : null} />
      <Fact name="Failed" value={count(failedPages)} bad={failedPages > 0} />
      {operation(progress.kind).crawls && <Fact name="Skipped" value={count(skippedPages)} />}
      {ended ? took : <Speed progress={progress} />}
      <Fact name="Chunks stored" value={count(chunksStored ?? 0)} />
      {embeddedChunks || isEmbedding(progress) ? (
        <Fact name="Embedded" value={count(embeddedChunks ?? 0)} of={behind ? count(chunksStored) : null} />
      ) : (
        <Fact name="Words" value={count(progress.wordCount ?? 0)} />
      )}
      {ended ? (
        embeddedChunks ? <Fact name="Words" value={count(progress.wordCount ?? 0)} /> : null
      ) : (
        <>
          <Fact name="Time left" value={timeLeft(progress)} wordy={typeof progress.etaSeconds !== 'number' && !HELD.has(progress.status)} />
          {took}
        </>
      )}
    </dl>
  );
}

/** Pages a second, or chunks while only these are counted: the time left is told at their speed. */
function Speed({ progress }: { progress: CrawlProgressData }) {
  const { pagesPerSecond, etaSeconds, chunksStored, embeddedChunks } = progress;
  if (!isEmbedding(progress)) return <Fact name="Speed" value={pagesPerSecond?.toFixed(1) ?? '–'} unit="pages/s" />;
  const speed = etaSeconds ? ((chunksStored ?? 0) - (embeddedChunks ?? 0)) / etaSeconds : null;
  return <Fact name="Speed" value={speed?.toFixed(1) ?? '–'} unit="chunks/s" />;
}

/** Statuses in which nothing moves, so that no time is left to tell. */
const HELD = new Set<string>(['waiting', 'queued', 'paused', 'stopping']);

function timeLeft({ etaSeconds, totalPages, status }: CrawlProgressData): string {
  if (HELD.has(status)) return '–';
  if (typeof etaSeconds === 'number') return `about ${duration(etaSeconds)}`;
  return totalPages ? 'not known yet' : 'discovering, total unknown';
}

function useElapsed({ start_time, completed_at, updated_at, status }: CrawlProgressData): number | null {
  const ended = isTerminal(status);
  const [now, setNow] = useState(() => new Date().toISOString());
  useEffect(() => {
    if (ended) return;
    const timer = setInterval(() => setNow(new Date().toISOString()), 1_000);
    return () => clearInterval(timer);
  }, [ended]);
  return secondsBetween(start_time, ended ? (completed_at ?? updated_at) : now);
}
