/** The REST API as the dashboard uses it: one function per call, one error type. */
import type { CrawlProgressData } from './crawlProgressService';

export interface KnowledgeItem {
  id: string;
  title: string;
  url: string;
  source_id: string;
  metadata: {
    knowledge_type?: string;
    tags?: string[];
    source_type?: string;
    status?: string;
    description?: string | null;
    document_count?: number;
    chunks_count?: number;
    code_examples_count?: number;
    word_count?: number;
    last_scraped?: string | null;
  };
  created_at: string;
  updated_at: string;
}

export interface KnowledgePage {
  items: KnowledgeItem[];
  total: number;
  page: number;
  per_page: number;
  pages?: number;
}

export interface CrawlRequest {
  url: string;
  knowledge_type: string;
  tags: string[];
  max_depth: number;
  max_pages?: number;
  scope: string;
  include?: string[];
  exclude?: string[];
}

export interface CrawlStarted {
  success: boolean;
  progressId: string;
  sourceId?: string;
  message: string;
}

export interface CrawledPage {
  url: string;
  state: 'queued' | 'leased' | 'done' | 'failed' | 'skipped';
  /** Why it was skipped, or what became of it. */
  reason: string;
  depth: number;
  http_status: number | null;
  milliseconds: number | null;
  bytes: number | null;
  chunks: number;
  attempts: number;
  error: { code: string; message: string; hint: string } | null;
}

export interface CrawledPages {
  pages: CrawledPage[];
  total: number;
  page: number;
  per_page: number;
  /** Pages per state, zeros included. */
  counts: Record<string, number>;
}

export interface SearchResult {
  id: string;
  content: string;
  url: string;
  title: string;
  heading_path?: string;
  metadata?: {
    anchor?: string;
    /** The part of the content that answers best, and the places of the asked words in it, in code points. */
    snippet?: string;
    highlights?: [start: number, end: number][];
  };
  similarity_score: number;
  scores?: Record<string, number | null>;
}

export interface SearchAnswer {
  success: boolean;
  results: SearchResult[];
  query: string;
  total_found: number;
  search_mode: string;
  reranking_applied?: boolean;
  took_ms?: number;
}

/** What the server said went wrong, and what to do about it. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string,
    readonly hint: string | null,
    readonly field: string | null,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

async function request<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      credentials: 'same-origin',
      headers: {
        Accept: 'application/json',
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(method === 'GET' ? {} : csrfHeader()),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new ApiError(
      'The server did not answer.',
      0,
      'unreachable',
      'Check that Archon is running, then try again.',
      null,
    );
  }
  const payload: unknown = await response.json().catch(() => null);
  if (!response.ok) throw errorFrom(response.status, payload);
  return payload as T;
}

function csrfHeader(): Record<string, string> {
  const token = /(?:^|;\s*)csrftoken=([^;]+)/.exec(document.cookie)?.[1];
  return token ? { 'X-CSRFToken': decodeURIComponent(token) } : {};
}

export function errorFrom(status: number, payload: unknown): ApiError {
  const detail = (payload as { detail?: unknown } | null)?.detail;
  if (detail && typeof detail === 'object' && 'error' in detail) {
    const { error, code, hint, field } = detail as Record<string, string | null | undefined>;
    // A fault inside a list is named like `include.0`: the form has one field for the list.
    return new ApiError(error ?? '', status, code ?? 'error', hint || null, field?.split('.')[0] ?? null);
  }
  return new ApiError(
    `The server answered with status ${status}.`,
    status,
    'unexpected',
    status >= 500 ? 'The server log names the reason.' : null,
    null,
  );
}

function query(params: Record<string, string | number | undefined>): string {
  const pairs = Object.entries(params).filter(([, value]) => value !== undefined && value !== '');
  const search = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]));
  return search.size ? `?${search}` : '';
}

// Knowledge

export interface KnowledgeFilter {
  page: number;
  search: string;
  tag: string;
}

export const KNOWLEDGE_PER_PAGE = 20;

export function fetchKnowledge(filter: KnowledgeFilter, signal?: AbortSignal): Promise<KnowledgePage> {
  const { page, search, tag } = filter;
  const params = query({ page, per_page: KNOWLEDGE_PER_PAGE, search, tags: tag });
  return request('GET', `/api/knowledge-items${params}`, undefined, signal);
}

export function startCrawl(crawl: CrawlRequest): Promise<CrawlStarted> {
  return request('POST', '/api/knowledge-items/crawl', crawl);
}

export function refreshSource(sourceId: string): Promise<{ progressId: string }> {
  return request('POST', `/api/knowledge-items/${encodeURIComponent(sourceId)}/refresh`);
}

export function deleteSource(sourceId: string): Promise<unknown> {
  return request('DELETE', `/api/knowledge-items/${encodeURIComponent(sourceId)}`);
}

// Crawls

export function stopCrawl(progressId: string): Promise<unknown> {
  return request('POST', `/api/knowledge-items/stop/${encodeURIComponent(progressId)}`);
}

export function retryFailed(progressId: string): Promise<{ progressId: string }> {
  return request('POST', `/api/knowledge-items/retry-failed/${encodeURIComponent(progressId)}`);
}

export function fetchProgress(progressId: string): Promise<CrawlProgressData> {
  return request('GET', `/api/progress/${encodeURIComponent(progressId)}`);
}

export async function fetchActive(signal?: AbortSignal): Promise<CrawlProgressData[]> {
  const answer = await request<{ operations: CrawlProgressData[] }>('GET', '/api/progress/', undefined, signal);
  return answer.operations;
}

export const CRAWLED_PER_PAGE = 25;

export function fetchCrawledPages(
  progressId: string,
  filter: { state: string; page: number },
  signal?: AbortSignal,
): Promise<CrawledPages> {
  const params = query({ state: filter.state, page: filter.page, per_page: CRAWLED_PER_PAGE });
  return request('GET', `/api/crawls/${encodeURIComponent(progressId)}/pages${params}`, undefined, signal);
}

// Search

export interface SearchQuery {
  query: string;
  mode: string;
  source: string;
  match_count: number;
}

export function search(question: SearchQuery, signal?: AbortSignal): Promise<SearchAnswer> {
  const { source, ...rest } = question;
  return request('POST', '/api/rag/query', source ? { ...rest, source } : rest, signal);
}

export interface SourceName {
  source_id: string;
  title: string;
}

export async function fetchSources(signal?: AbortSignal): Promise<SourceName[]> {
  const answer = await request<{ sources: SourceName[] }>('GET', '/api/rag/sources', undefined, signal);
  return answer.sources;
}
