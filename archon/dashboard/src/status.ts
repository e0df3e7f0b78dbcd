/** What the statuses mean to a reader. */
export type Tone = 'running' | 'good' | 'warn' | 'bad' | 'idle';

const PHRASES: Record<string, string> = {
  waiting: 'Waiting for the crawl to start',
  queued: 'Queued',
  starting: 'Starting',
  analyzing: 'Looking at the address',
  discovering: 'Discovering pages',
  crawling: 'Fetching pages',
  storing: 'Storing pages',
  embedding: 'Embedding chunks',
  finalizing: 'Finishing',
  paused: 'Paused',
  stopping: 'Stopping',
  completed: 'Completed',
  failed: 'Failed',
  cancelled: 'Cancelled',
};

/** What an operation is called, and what it counts. */
export interface Operation {
  name: string;
  one: string;
  /** It asks a site: it has hosts, may be paused, and its failures may be asked for again. */
  crawls: boolean;
}

export function operation(kind: string | undefined): Operation {
  if (kind === 'upload') return { name: 'Upload', one: 'file', crawls: false };
  if (kind === 'import') return { name: 'Import', one: 'page', crawls: false };
  return { name: 'Crawl', one: 'page', crawls: kind === undefined || kind === 'crawl' || kind === 'refresh' };
}

export function phrase(status: string): string {
  return PHRASES[status] ?? status.charAt(0).toUpperCase() + status.slice(1).replaceAll('_', ' ');
}

export function tone(status: string, failedPages = 0): Tone {
  if (status === 'completed') return failedPages > 0 ? 'warn' : 'good';
  if (status === 'failed') return 'bad';
  if (status === 'cancelled' || status === 'paused' || status === 'waiting' || status === 'queued') return 'idle';
  return 'running';
}
