// @vitest-environment jsdom
import { act, screen, waitFor, within } from '@testing-library/react';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { address, answers, requests, say, visit } from './app';

const REACT = {
  id: 'react',
  source_id: 'react',
  title: 'React',
  url: 'https://react.dev/learn',
  metadata: { knowledge_type: 'technical', tags: ['frontend'], document_count: 236, chunks_count: 1_416 },
  created_at: '2026-11-20T10:00:00Z',
  updated_at: '2026-11-20T10:00:00Z',
};

describe('Knowledge', () => {
  it('says what to do when there is nothing', async () => {
    visit('/');
    const link = await screen.findByRole('link', { name: 'Add your first source' });
    expect(link.getAttribute('href')).toBe('/add');
  });

  it('shows a source as soon as the stream tells of it', async () => {
    visit('/');
    await screen.findByText('Nothing learned yet');
    say('/api/knowledge-items/stream', { type: 'knowledge_items_update', data: { items: [REACT], total: 1, page: 1, per_page: 20 } });
    await screen.findByRole('link', { name: 'React' });
    screen.getByText('236 pages · 1,416 chunks');
  });

  it('restores search, tag and page from the address', async () => {
    visit('/?q=rea&tag=frontend&page=2');
    await waitFor(() => expect(requests.map(({ path }) => path)).toContain('/api/knowledge-items?page=2&per_page=20&search=rea&tags=frontend'));
    expect(screen.getByRole<HTMLInputElement>('searchbox').value).toBe('rea');
    await screen.findByText('No source matches');
  });

  it('writes what is searched into the address', async () => {
    const user = visit('/');
    await user.type(screen.getByRole('searchbox', { hidden: true }), 'dja');
    await waitFor(() => expect(address()).toBe('/?q=dja'));
  });

  it('gives reason and remedy when the server does not answer', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('failed')));
    visit('/');
    const alert = await screen.findByRole('alert');
    expect(alert.textContent).toContain('The server did not answer.Check that Archon is running');
    within(alert.parentElement!).getByRole('button', { name: 'Try again' });
  });

  it('deletes on the second click only', async () => {
    answers['GET /api/knowledge-items'] = [200, { items: [REACT], total: 1, page: 1, per_page: 20 }];
    answers['DELETE /api/knowledge-items/react'] = [200, { success: true }];
    const user = visit('/');
    await user.click(await screen.findByRole('button', { name: 'Delete React' }));
    expect(requests.some(({ method }) => method === 'DELETE')).toBe(false);
    await user.click(screen.getByRole('button', { name: 'Delete?' }));
    await waitFor(() => expect(requests.some(({ method }) => method === 'DELETE')).toBe(true));
  });

  it('leads from a running crawl to its page', async () => {
    answers['GET /api/progress/'] = [200, { operations: [{ progressId: 'a b', status: 'crawling', percentage: 40, totalPages: 10, processedPages: 4, sourceId: 'react' }] }];
    visit('/');
    const link = await screen.findByRole('link', { name: /React.*4 of 10 pages.*40%/ });
    expect(link.getAttribute('href')).toBe('/crawls/a%20b');
  });
});

describe('Add source', () => {
  it('sends the form and goes to the crawl', async () => {
    answers['POST /api/knowledge-items/crawl'] = [202, { success: true, progressId: 'p1', message: 'Crawling started' }];
    const user = visit('/add');
    await user.type(screen.getByLabelText('Address'), 'docs.example.com');
    await user.type(screen.getByLabelText('Tags'), 'one,two{Enter}');
    await user.click(screen.getByRole('radio', { name: '3' }));
    await user.click(screen.getByRole('button', { name: /which addresses/ }));
    await user.type(screen.getByLabelText('Exclude'), '/blog/**{Enter}/old/**');
    await user.click(screen.getByRole('button', { name: 'Start crawl' }));
    await waitFor(() => expect(address()).toBe('/crawls/p1'));
    expect(requests.find(({ method }) => method === 'POST')!.body).toEqual({
      url: 'https://docs.example.com',
      tags: ['one', 'two'],
      max_depth: 3,
      scope: 'path',
      exclude: ['/blog/**', '/old/**'],
    });
  });

  it('shows a refusal at its field, with the remedy', async () => {
    const detail = { error: 'A crawl needs an address.', code: 'url_missing', hint: 'For example https://docs.example.com.', field: 'url' };
    answers['POST /api/knowledge-items/crawl'] = [422, { detail }];
    const user = visit('/add');
    await user.click(screen.getByRole('button', { name: 'Start crawl' }));
    const alert = await screen.findByRole('alert');
    expect(alert.textContent).toBe('A crawl needs an address. For example https://docs.example.com.');
    const field = screen.getByLabelText('Address');
    expect(field.getAttribute('aria-describedby')).toBe(alert.id);
    expect(field.getAttribute('aria-invalid')).toBe('true');
    await waitFor(() => expect(document.activeElement).toBe(field));
    await user.type(field, 'docs.example.com');
    expect(screen.queryByRole('alert')).toBeNull();
    expect(field.getAttribute('aria-invalid')).toBeNull();
  });

  it('warns in a preview of a site that shows a sign-in form', async () => {
    const page = { url: 'https://e.x/login', title: 'Sign in', depth: 0, verdict: 'skip', reason: 'sign_in' };
    const warning = 'https://e.x/ shows a sign-in form and next to nothing else. Archon signs in nowhere: upload the pages.';
    answers['POST /api/knowledge-items/crawl/preview'] = [200, {
      kind: 'page', seed: page.url, scope: {}, pages: [page], counts: { crawl: 0, skip: 1, sign_in: 1 },
      robots: { status: 404, allowed: true, crawl_delay: null, sitemaps: [] }, warnings: [warning], notes: ['It is a web page', 'Pages named by https://e.x/sitemap.xml: 7'], truncated: '',
    }];
    const user = visit('/add?url=https%3A%2F%2Fe.x');
    await user.click(screen.getByRole('button', { name: /Preview/ }));
    await screen.findByText(warning);
    screen.getByText('A sign-in form and nothing else');
    screen.getByText('It is a web page');
    screen.getByText('Pages named by https://e.x/sitemap.xml: 7');
  });

  it('forgets why a preview failed once the address is another one', async () => {
    answers['POST /api/knowledge-items/crawl/preview'] = [422, { detail: { error: 'That host does not resolve.', code: 'dns_failed', hint: '', field: null } }];
    const user = visit('/add?url=https%3A%2F%2Fe.x');
    await user.click(screen.getByRole('button', { name: /Preview/ }));
    await screen.findByText('That host does not resolve.');
    await user.type(screen.getByLabelText('Address'), '/docs');
    expect(screen.queryByText('That host does not resolve.')).toBeNull();
  });

  it('opens the folded part when the fault is there', async () => {
    answers['POST /api/knowledge-items/crawl'] = [422, { detail: { error: 'Not a pattern.', code: 'glob', hint: '', field: 'include.0' } }];
    const user = visit('/add?url=https%3A%2F%2Fe.x');
    await user.click(screen.getByRole('button', { name: 'Start crawl' }));
    await screen.findByLabelText('Include');
    screen.getByText('Not a pattern.');
  });

  it('shows any other refusal above the button', async () => {
    answers['POST /api/knowledge-items/crawl'] = [503, { detail: { error: 'No worker runs.', code: 'no_worker', hint: 'Start one.', field: null } }];
    const user = visit('/add?url=https%3A%2F%2Fe.x');
    await user.click(screen.getByRole('button', { name: 'Start crawl' }));
    expect((await screen.findByRole('alert')).textContent).toContain('No worker runs.Start one.');
  });

  it('restores the form from the address', () => {
    visit('/add?url=https%3A%2F%2Fe.x&depth=4&tag=a&max_pages=30&scope=host&render=browser');
    expect(screen.getByLabelText<HTMLInputElement>('Address').value).toBe('https://e.x');
    expect(screen.getByRole<HTMLInputElement>('radio', { name: '4' }).checked).toBe(true);
    expect(screen.getByLabelText<HTMLInputElement>('Page limit').value).toBe('30');
    screen.getByRole('button', { name: 'Remove tag a' });
    expect(screen.getByRole<HTMLInputElement>('radio', { name: 'This host' }).checked).toBe(true);
    expect(screen.getByRole<HTMLInputElement>('radio', { name: 'Always' }).checked).toBe(true);
  });

  it('asks for a browser when that was chosen', async () => {
    answers['POST /api/knowledge-items/crawl'] = [202, { progressId: 'p1' }];
    const user = visit('/add?url=https%3A%2F%2Fe.x');
    await user.click(screen.getByRole('button', { name: /how to read them/ }));
    await user.click(screen.getByRole('radio', { name: 'Always' }));
    await user.click(screen.getByRole('button', { name: 'Start crawl' }));
    await waitFor(() => expect(requests.find(({ method }) => method === 'POST')?.body).toMatchObject({ render: 'browser' }));
  });
});

describe('Crawl', () => {
  const failedPage = {
    url: 'https://e.x/a',
    state: 'failed',
    reason: '',
    depth: 1,
    http_status: 503,
    milliseconds: 423,
    bytes: 312,
    chunks: 0,
    attempts: 3,
    error: { code: 'http_status', message: 'The server answered 503.', hint: 'Retry later.' },
  };
  const state = (data: object) => ({ type: 'crawl_progress', data: { progressId: 'p1', percentage: 10, sourceId: 'react', ...data } });

  beforeEach(() => {
    answers['GET /api/crawls/p1/pages'] = [200, { pages: [failedPage], total: 1, page: 1, per_page: 25, counts: { failed: 1, done: 8 } }];
  });

  it('lists its pages in the state that the address names', async () => {
    visit('/crawls/p1?state=failed');
    say('/p1', state({ status: 'crawling', processedPages: 1 }));
    const row = await screen.findByRole('row', { name: /e\.x\/a/ });
    expect(row.textContent).toContain('The server answered 503. Retry later.');
    expect([...row.querySelectorAll('[role=cell]')].map((cell) => cell.textContent)).toEqual(['Failed', '503', '423 ms', '312 B', '–', '3']);
    expect(requests.map(({ path }) => path)).toContain('/api/crawls/p1/pages?state=failed&page=1&per_page=200');
    expect(screen.getByRole('link', { name: 'Failed1' }).getAttribute('aria-current')).toBe('true');
  });

  it('cancels on the second click', async () => {
    answers['POST /api/knowledge-items/stop/p1'] = [200, { success: true }];
    const user = visit('/crawls/p1');
    say('/p1', state({ status: 'crawling', processedPages: 1 }));
    await user.click(await screen.findByRole('button', { name: 'Cancel crawl' }));
    await user.click(screen.getByRole('button', { name: 'Click again to cancel' }));
    await waitFor(() => expect(requests.map(({ method, path }) => `${method} ${path}`)).toContain('POST /api/knowledge-items/stop/p1'));
    screen.getByRole('link', { name: 'Search in it' });
    await screen.findByRole('heading', { name: 'React' });
  });

  it('follows the retry of its failed pages', async () => {
    answers['POST /api/knowledge-items/retry-failed/p1'] = [200, { success: true, progressId: 'p2' }];
    const user = visit('/crawls/p1');
    say('/p1', state({ status: 'completed', percentage: 100, failedPages: 1 }));
    expect(screen.queryByRole('button', { name: 'Cancel crawl' })).toBeNull();
    await user.click(await screen.findByRole('button', { name: 'Retry failed' }));
    await waitFor(() => expect(address()).toBe('/crawls/p2'));
  });

  it('shows an upload as files, and offers nothing that only a crawl can do', async () => {
    const notes = { name: 'notes.md', state: 'failed', reason: '', bytes: 12, chunks: 0, page_id: null, error: { code: 'file_broken', message: 'notes.md is broken.', hint: 'Save it again.' } };
    answers['GET /api/documents/uploads/p1/files'] = [200, { files: [notes], total: 1, page: 1, per_page: 100, counts: {} }];
    visit('/crawls/p1');
    say('/p1', state({ kind: 'upload', status: 'completed', percentage: 100, totalPages: 2, processedPages: 2, failedPages: 1 }));
    screen.getByText('Upload completed, 1 file failed');
    await screen.findByRole('heading', { name: 'Files' });
    expect((await screen.findByRole('list', { name: 'Files' })).textContent).toContain('notes.md is broken. Save it again.');
    screen.getByRole('link', { name: 'Open source' });
    for (const name of ['Retry failed', 'Pause']) expect(screen.queryByRole('button', { name })).toBeNull();
    for (const name of ['Hosts', 'Fetching']) expect(screen.queryByRole('link', { name })).toBeNull();
  });

  it('leads to no source that an upload of which nothing was read has not left', async () => {
    visit('/crawls/p1');
    say('/p1', state({ kind: 'upload', status: 'failed', percentage: 70, totalPages: 1, processedPages: 1, failedPages: 1, error: { code: 'file_broken', message: 'It is broken.', hint: '' } }));
    await screen.findByText('Nothing is kept');
    for (const name of ['Open source', 'Search in it']) expect(screen.queryByRole('link', { name })).toBeNull();
  });

  it('says why a cancel did not work', async () => {
    answers['POST /api/knowledge-items/stop/p1'] = [409, { detail: { error: 'It is over already.', code: 'wrong_state', hint: 'Reload.' } }];
    const user = visit('/crawls/p1');
    say('/p1', state({ status: 'crawling' }));
    await user.dblClick(await screen.findByRole('button', { name: 'Cancel crawl' }));
    expect((await screen.findByRole('alert')).textContent).toContain('It is over already.');
  });
});

describe('Search', () => {
  const result = {
    id: 'c1',
    content: 'React calls your cleanup. <img src=x onerror=alert(1)>',
    url: 'https://react.dev/learn#cleanup',
    title: 'Effects',
    heading_path: 'Effects > Cleanup',
    similarity_score: 0.912,
  };

  it('asks what the address asks, and shows the passages as text', async () => {
    answers['POST /api/rag/query'] = [200, { success: true, results: [result], query: 'cleanup', total_found: 4, search_mode: 'keyword', took_ms: 38 }];
    visit('/search?q=cleanup&source=react&mode=keyword&n=20');
    const link = await screen.findByRole('link', { name: 'Effects' });
    expect(link.getAttribute('href')).toBe('https://react.dev/learn#cleanup');
    expect(requests.find(({ method }) => method === 'POST')!.body).toEqual({ query: 'cleanup', mode: 'keyword', match_count: 20, source: 'react' });
    screen.getByText('1 result of 4 in 38 ms, by keywords');
    screen.getByText('Cleanup');
    expect(document.querySelector('mark')!.textContent).toBe('cleanup');
    expect(document.querySelector('img')).toBeNull();
    expect(document.title).toBe('cleanup · Search · Archon');
  });

  it('says so when nothing that was found seems to answer', async () => {
    const answer = { success: true, results: [result], query: 'zeppelin', total_found: 1, search_mode: 'hybrid' };
    answers['POST /api/rag/query'] = [200, { ...answer, weak: true }];
    visit('/search?q=zeppelin');
    await screen.findByText('No good match; the nearest passages are:');
    expect(screen.getByRole('link', { name: 'add a source' }).getAttribute('href')).toBe('/add');
  });

  it('says nothing of the kind when something does', async () => {
    answers['POST /api/rag/query'] = [200, { success: true, results: [result], query: 'cleanup', total_found: 1, search_mode: 'hybrid', weak: false }];
    visit('/search?q=cleanup');
    await screen.findByRole('link', { name: 'Effects' });
    expect(screen.queryByText(/No good match/)).toBeNull();
  });

  it('marks the words as the server found them, and says when it had to search by keywords', async () => {
    const metadata = { snippet: 'React calls your cleanup.', highlights: [[6, 11]] };
    answers['POST /api/rag/query'] = [200, { success: true, results: [{ ...result, metadata }], query: 'called', total_found: 1, search_mode: 'keyword', notice: 'Searched by words only: no text has been embedded yet.' }];
    visit('/search?q=called');
    expect((await screen.findByText('calls')).tagName).toBe('MARK');
    screen.getByText('1 result, by keywords');
    screen.getByText('Searched by words only: no text has been embedded yet.');
  });

  it('shows the score of each ranking that found a passage, and of none that did not', async () => {
    const scores = { keyword: 12.34, vector: 0.567, rerank: null };
    answers['POST /api/rag/query'] = [200, { success: true, results: [{ ...result, scores }], query: 'cleanup', total_found: 1, search_mode: 'hybrid', notice: '' }];
    const user = visit('/search?q=cleanup');
    await screen.findByText('1 result, by meaning and keywords');
    expect(document.querySelector('.scores')!.textContent).toBe('Keywords12.3Meaning0.57Score0.91');
    await user.click(screen.getByRole('radio', { name: 'Meaning' }));
    expect(address()).toBe('/search?q=cleanup&mode=vector');
  });

  it('says what to try when nothing is found', async () => {
    answers['POST /api/rag/query'] = [200, { success: true, results: [], query: 'x', total_found: 0, search_mode: 'hybrid' }];
    const user = visit('/search');
    await user.type(screen.getByRole('searchbox'), 'xyz{Enter}');
    expect(address()).toBe('/search?q=xyz');
    await screen.findByText('Nothing found');
  });

  it('leads to Add source while there is nothing to search', async () => {
    answers['GET /api/rag/sources'] = [200, { sources: [] }];
    visit('/search');
    await screen.findByText('There is nothing to search yet');
  });
});

describe('Private sources', () => {
  const mine = { ...REACT, metadata: { ...REACT.metadata, description: '', update_frequency: 7, private: true } };
  beforeEach(() => {
    answers['GET /api/knowledge-items'] = [200, { items: [mine], total: 1, page: 1, per_page: 20 }];
    answers['GET /api/knowledge-items/react'] = [200, mine];
    answers['PUT /api/knowledge-items/react'] = [200, { success: true }];
    answers['GET /api/whoami'] = [200, { mode: 'server', user: 'ada', staff: false, scopes: ['read', 'crawl'] }];
  });

  it('carry a lock', async () => {
    visit('/');
    expect((await screen.findByText('Private')).title).toBe('Only you see this source');
  });

  it('are shared with a box in their settings', async () => {
    const user = visit('/sources/react/edit');
    await user.click(await screen.findByRole('checkbox', { name: 'Private' }));
    screen.getByText('Every account sees it and searches in it.');
    await user.click(screen.getByRole('button', { name: 'Save' }));
    await screen.findByText('Saved');
    expect(requests.find(({ method }) => method === 'PUT')!.body).toMatchObject({ private: false });
  });

  it('are asked for with the crawl, and the choice is in the address', async () => {
    const user = visit('/add?url=https://a.example');
    await user.click(await screen.findByRole('checkbox', { name: 'Private' }));
    await waitFor(() => expect(address()).toContain('private=1'));
    await user.click(screen.getByRole('button', { name: 'Start crawl' }));
    await waitFor(() => expect(requests.find(({ method }) => method === 'POST')!.body).toMatchObject({ private: true }));
  });

  it('are no matter where there are no accounts', async () => {
    answers['GET /api/whoami'] = [200, { mode: 'local', user: '', staff: true, scopes: [] }];
    const user = visit('/sources/react/edit');
    await user.click(await screen.findByRole('button', { name: 'Save' }));
    await screen.findByText('Saved');
    expect(screen.queryByText('Private')).toBeNull();
    expect(requests.find(({ method }) => method === 'PUT')!.body).not.toHaveProperty('private');
  });

  it.each(['/add?url=https://a.example&private=1', '/add?from=files', '/sources/react/edit'])('cannot be asked for at %s where there are no accounts', async (path) => {
    answers['GET /api/whoami'] = [200, { mode: 'local', user: '', staff: true, scopes: [] }];
    visit(path);
    await screen.findByRole('button', { name: /Start crawl|Upload|Save/ });
    await waitFor(() => expect(requests.some((request) => request.path === '/api/whoami')).toBe(true));
    await act(() => new Promise((settled) => setTimeout(settled))); // its answer is read and shown by then
    expect(screen.queryByRole('checkbox', { name: 'Private' })).toBeNull();
    expect(screen.queryByText('Who sees it')).toBeNull();
  });
});

it('answers an unknown address with the way back', () => {
  visit('/elsewhere');
  expect(screen.getByRole('link', { name: 'Go to Knowledge' }).getAttribute('href')).toBe('/');
});

describe('What is not there', () => {
  const gone = (error: string) => [404, { detail: { error, code: 'source_unknown', hint: 'GET /api/knowledge-items/sources lists the sources.', field: null } }] as const;

  it('is said of a source, with ways on and nothing of REST', async () => {
    answers['GET /api/knowledge-items/nope'] = [...gone('No source has the id.')];
    visit('/sources/nope');
    await screen.findByText('There is no such source');
    expect(screen.getByRole('link', { name: 'All sources' }).getAttribute('href')).toBe('/');
    expect(document.body.textContent).not.toContain('/api/');
  });

  it('is said of a crawl that nothing has started, until something does', async () => {
    answers['GET /api/progress/nope'] = [...gone('No operation has the progress id.')];
    visit('/crawls/nope');
    say('/nope', { type: 'crawl_progress', data: { progressId: 'nope', status: 'waiting', percentage: 0, logs: [] } });
    await screen.findByText('There is no such crawl');
    expect(screen.getByRole('link', { name: 'All sources' }).getAttribute('href')).toBe('/');
    answers['GET /api/progress/nope'] = [200, { progressId: 'nope', status: 'crawling', percentage: 4, sequence: 1 }];
    await screen.findByRole('region', { name: 'Pages' });
  });
});
