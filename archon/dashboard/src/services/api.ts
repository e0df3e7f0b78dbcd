/** The REST API as the dashboard uses it: one function per call, in the server's own types. */
import type { CrawlProgressData } from './crawlProgressService';
import { query, request } from './http';
import type { Message, Schema } from './schema';

export { ApiError, errorFrom } from './http';

export type KnowledgeItem = Schema['Item'];
export type KnowledgePage = Omit<Schema['ItemList'], 'pages'>;
export type CrawlRequest = Partial<Schema['CrawlIn']> & { url: string };
export type CrawlStarted = Schema['CrawlStarted'];
export type CrawlPreview = Schema['CrawlPreview'];
export type PreviewPage = Schema['PreviewPageOut'];
export type CrawledPage = Schema['UrlVerdict'];
export type CrawledPages = Schema['CrawlUrlPage'];
export type UploadedFile = Schema['UploadedFileOut'];
export type SearchResult = Schema['Hit'];
export type SearchAnswer = Schema['RagAnswer'];
export type Evaluation = Schema['RagEvaluation'];
export type SourceName = Pick<Schema['Source'], 'source_id' | 'title'>;
export type PageSummary = Schema['PageSummary'];
export type PageHtml = Schema['PageHtml'];
export type PageDiff = Schema['PageDiff'];
export type Chunk = Schema['ChunkOut'];
export type CodeExample = Schema['CodeExampleOut'];
export type CrawlHost = Schema['CrawlHost'];
export type McpStatus = Schema['ServerStatus'];
export type McpConfig = Schema['Config'];
export type McpSnippet = Schema['SnippetOut'];
export type LogRecord = Message['McpLogRecord'];
export type Token = Schema['TokenOut'];
export type Settings = Schema['SettingsOut'];
export type Setting = Schema['SettingOut'];
export type Webhook = Schema['WebhookOut'];
export type WebhookEvent = Schema['Event'];
export type Delivery = Schema['DeliveryOut'];

// Knowledge

export interface KnowledgeFilter {
  page: number;
  search: string;
  tag: string;
  type: string;
}

export const KNOWLEDGE_PER_PAGE = 20;

export function fetchKnowledge(filter: KnowledgeFilter, signal?: AbortSignal): Promise<KnowledgePage> {
  const { page, search, tag, type } = filter;
  const params = query({ page, per_page: KNOWLEDGE_PER_PAGE, search, tags: tag, knowledge_type: type });
  return request('GET', `/api/knowledge-items${params}`, undefined, signal);
}

export function startCrawl(crawl: CrawlRequest): Promise<CrawlStarted> {
  return request('POST', '/api/knowledge-items/crawl', crawl);
}

export function previewCrawl(crawl: CrawlRequest): Promise<CrawlPreview> {
  return request('POST', '/api/knowledge-items/crawl/preview', crawl);
}

export interface UploadRequest {
  files: File[];
  tags: string[];
  knowledgeType: string;
  isPrivate: boolean;
}

export function uploadDocuments({ files, tags, knowledgeType, isPrivate }: UploadRequest): Promise<Schema['UploadStarted']> {
  const form = new FormData();
  for (const file of files) form.append('file', file);
  form.append('tags', JSON.stringify(tags));
  form.append('knowledge_type', knowledgeType);
  if (isPrivate) form.append('private', 'true');
  return request('POST', '/api/documents/upload', form);
}

export function fetchUploadedFiles(progressId: string, signal?: AbortSignal): Promise<Schema['UploadFiles']> {
  return request('GET', `/api/documents/uploads/${encodeURIComponent(progressId)}/files?per_page=1000`, undefined, signal);
}

export function fetchItem(sourceId: string, signal?: AbortSignal): Promise<KnowledgeItem> {
  return request('GET', `/api/knowledge-items/${encodeURIComponent(sourceId)}`, undefined, signal);
}

export function updateItem(sourceId: string, changes: Partial<Schema['ItemUpdate']>): Promise<unknown> {
  return request('PUT', `/api/knowledge-items/${encodeURIComponent(sourceId)}`, changes);
}

export const PAGES_PER_PAGE = 50;

export function fetchPages(sourceId: string, filter: { section: string; page: number }, signal?: AbortSignal): Promise<Schema['PageList']> {
  const offset = (filter.page - 1) * PAGES_PER_PAGE;
  const params = query({ source_id: sourceId, section: filter.section, limit: PAGES_PER_PAGE, offset });
  return request('GET', `/api/pages${params}`, undefined, signal);
}

export function fetchPageHtml(pageId: string, signal?: AbortSignal): Promise<PageHtml> {
  return request('GET', `/api/pages/${encodeURIComponent(pageId)}/html`, undefined, signal);
}

export const CHUNKS_PER_PAGE = 20;

export function fetchChunks(sourceId: string, page: number, signal?: AbortSignal): Promise<Schema['ChunkList']> {
  const params = query({ limit: CHUNKS_PER_PAGE, offset: (page - 1) * CHUNKS_PER_PAGE });
  return request('GET', `/api/knowledge-items/${encodeURIComponent(sourceId)}/chunks${params}`, undefined, signal);
}

export const EXAMPLES_PER_PAGE = 20;

export function fetchCodeExamples(sourceId: string, page: number, signal?: AbortSignal): Promise<Schema['CodeExampleList']> {
  const params = query({ limit: EXAMPLES_PER_PAGE, offset: (page - 1) * EXAMPLES_PER_PAGE });
  return request('GET', `/api/knowledge-items/${encodeURIComponent(sourceId)}/code-examples${params}`, undefined, signal);
}

export const CHANGES_PER_PAGE = 50;

/** `since` is a day; without it the server takes the last seven days. */
export function fetchChanges(sourceId: string, filter: { since: string; page: number }, signal?: AbortSignal): Promise<Schema['ChangeList']> {
  const params = query({ since: beginOf(filter.since), limit: CHANGES_PER_PAGE, offset: (filter.page - 1) * CHANGES_PER_PAGE });
  return request('GET', `/api/knowledge-items/${encodeURIComponent(sourceId)}/changes${params}`, undefined, signal);
}

/** Without a day: what the last change made of the page. */
export function fetchPageDiff(pageId: string, since: string, signal?: AbortSignal): Promise<PageDiff> {
  return request('GET', `/api/pages/${encodeURIComponent(pageId)}/diff${query({ since: beginOf(since) })}`, undefined, signal);
}

/** Of a day as the reader's clock has it; a word that is no day counts as none. */
function beginOf(day: string): string {
  const begin = new Date(`${day}T00:00:00`);
  return Number.isNaN(begin.getTime()) ? '' : begin.toISOString();
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

export function pauseCrawl(progressId: string): Promise<unknown> {
  return request('POST', `/api/knowledge-items/pause/${encodeURIComponent(progressId)}`);
}

export function resumeCrawl(progressId: string): Promise<unknown> {
  return request('POST', `/api/knowledge-items/resume/${encodeURIComponent(progressId)}`);
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

export const CRAWLED_PER_PAGE = 200;

export function fetchCrawledPages(
  progressId: string,
  filter: { state: string; page: number },
  signal?: AbortSignal,
): Promise<CrawledPages> {
  const params = query({ state: filter.state, page: filter.page, per_page: CRAWLED_PER_PAGE });
  return request('GET', `/api/crawls/${encodeURIComponent(progressId)}/pages${params}`, undefined, signal);
}

export function fetchCrawlHosts(progressId: string, signal?: AbortSignal): Promise<Schema['CrawlHosts']> {
  return request('GET', `/api/crawls/${encodeURIComponent(progressId)}/hosts`, undefined, signal);
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

export function evaluateSearch(questions: Partial<Schema['EvalQuestionIn']>[]): Promise<Evaluation> {
  return request('POST', '/api/rag/eval', { questions });
}

export async function fetchSources(signal?: AbortSignal): Promise<SourceName[]> {
  const answer = await request<{ sources: SourceName[] }>('GET', '/api/rag/sources', undefined, signal);
  return answer.sources;
}

// The assistants' server

export function fetchMcpStatus(signal?: AbortSignal): Promise<McpStatus> {
  return request('GET', '/api/mcp/status', undefined, signal);
}

export function fetchMcpConfig(signal?: AbortSignal): Promise<McpConfig> {
  return request('GET', '/api/mcp/config', undefined, signal);
}

export function fetchMcpTools(signal?: AbortSignal): Promise<Schema['ToolList']> {
  return request('GET', '/api/mcp/tools', undefined, signal);
}

export function fetchMcpClients(signal?: AbortSignal): Promise<Schema['ClientList']> {
  return request('GET', '/api/mcp/clients', undefined, signal);
}

export function clearMcpLogs(): Promise<unknown> {
  return request('DELETE', '/api/mcp/logs');
}

// The system

export interface Health {
  status: string;
  ready: boolean;
  timestamp: string;
  checks: Record<string, { status: 'ok' | 'failed' | 'absent'; detail: string }>;
}

/** /health has the same body while parts are down; only /ready turns its status into an answer. */
export function fetchHealth(signal?: AbortSignal): Promise<Health> {
  return request('GET', '/health', undefined, signal);
}

export function fetchMetrics(signal?: AbortSignal): Promise<Schema['Metrics']> {
  return request('GET', '/api/database/metrics', undefined, signal);
}

export function fetchWhoAmI(signal?: AbortSignal): Promise<Schema['WhoAmI']> {
  return request('GET', '/api/whoami', undefined, signal);
}

export async function fetchTokens(signal?: AbortSignal): Promise<Token[]> {
  return (await request<Schema['TokenList']>('GET', '/api/tokens', undefined, signal)).tokens;
}

export function makeToken(name: string, scopes: Token['scopes']): Promise<Schema['TokenMade']> {
  return request('POST', '/api/tokens', { name, scopes });
}

export function revokeToken(id: number): Promise<unknown> {
  return request('DELETE', `/api/tokens/${id}`);
}

// Settings

export function fetchSettings(signal?: AbortSignal): Promise<Settings> {
  return request('GET', '/api/settings', undefined, signal);
}

export async function fetchWebhooks(signal?: AbortSignal): Promise<Webhook[]> {
  return (await request<Schema['WebhookList']>('GET', '/api/webhooks', undefined, signal)).webhooks;
}

export function makeWebhook(url: string, events: WebhookEvent[]): Promise<Schema['WebhookMade']> {
  return request('POST', '/api/webhooks', { url, events });
}

export function deleteWebhook(id: number): Promise<unknown> {
  return request('DELETE', `/api/webhooks/${id}`);
}

export function testWebhook(id: number): Promise<unknown> {
  return request('POST', `/api/webhooks/${id}/test`);
}

export function fetchDeliveries(id: number, signal?: AbortSignal): Promise<Schema['DeliveryList']> {
  return request('GET', `/api/webhooks/${id}/deliveries`, undefined, signal);
}

// Chat

export function fetchChats(signal?: AbortSignal): Promise<Schema['ChatSessionList']> {
  return request('GET', '/api/chat/sessions?per_page=50', undefined, signal);
}

export function beginChat(): Promise<Schema['Session']> {
  return request('POST', '/api/chat/sessions', {});
}

export function ask(sessionId: string, message: string, sourceId: string): Promise<unknown> {
  const body = { message, ...(sourceId ? { source_id: sourceId } : {}) };
  return request('POST', `/api/chat/sessions/${encodeURIComponent(sessionId)}/messages`, body);
}

export function stopAnswer(sessionId: string): Promise<unknown> {
  return request('POST', `/api/chat/sessions/${encodeURIComponent(sessionId)}/stop`);
}

export function deleteChat(sessionId: string): Promise<unknown> {
  return request('DELETE', `/api/chat/sessions/${encodeURIComponent(sessionId)}`);
}

export function fetchPageByUrl(url: string, signal?: AbortSignal): Promise<Schema['Page']> {
  return request('GET', `/api/pages/by-url${query({ url })}`, undefined, signal);
}
