// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import { beforeEach, describe, expect, it } from 'vitest';
import { address, answers, requests, say, visit } from './app';

const ITEM = {
  id: 'react', source_id: 'react', title: 'React', url: 'https://react.dev/learn',
  metadata: { knowledge_type: 'technical', tags: [], document_count: 2, chunks_count: 9, code_examples_count: 1, word_count: 40, update_frequency: 0, source_type: 'url', last_scraped: '2026-11-20T10:00:00Z' },
  created_at: '2026-11-20T10:00:00Z', updated_at: '2026-11-20T10:00:00Z',
};
const asked = () => requests.map(({ path }) => path);

beforeEach(() => {
  answers['GET /api/knowledge-items/react'] = [200, ITEM];
});

describe('Code examples of a source', () => {
  const example = {
    id: 'e1', source_id: 'react', title: 'Cleanup', summary: 'Runs before the next effect.', language: 'jsx', url: 'https://react.dev/learn',
    content: 'useEffect(() => {\n  return stop;\n});\n<img src=x onerror=alert(1)>',
    metadata: { page_id: 'p9', page_title: 'Effects', heading_path: 'Effects > Cleanup', anchor: 'cleanup', char_count: 40, knowledge_type: 'technical', tags: [] },
  };
  const left_out = { short: 3, long: 0, prose: 1, diagram: 0, output: 0, duplicate: 0 };
  const descriptions = { by_model: 0, waiting: 0, failed: 0, reason: '' };

  it('shows each with its language, its heading and its page, as text', async () => {
    answers['GET /api/knowledge-items/react/code-examples'] = [200, { code_examples: [example], left_out, descriptions, total: 21 }];
    visit('/sources/react/code?page=2');
    const shown = await screen.findByRole('listitem');
    expect(shown.textContent).toContain('jsx');
    expect(shown.querySelector('pre')!.textContent).toBe(example.content);
    expect(shown.querySelector('img')).toBeNull();
    expect(within(shown).getByRole('link', { name: 'Effects > Cleanup' }).getAttribute('href')).toBe('https://react.dev/learn#cleanup');
    expect(within(shown).getByRole('link', { name: 'Read the page here' }).getAttribute('href')).toBe('/sources/react/pages/p9');
    within(shown).getByRole('button', { name: 'Copy the code of Cleanup' });
    screen.getByText('Left out: 3 too short, 1 prose.');
    expect(asked()).toContain('/api/knowledge-items/react/code-examples?limit=20&offset=20');
  });

  it('tells how far a language model is with their titles, and why not further', async () => {
    const behind = { by_model: 1200, waiting: 30, failed: 4, reason: 'The model answered 401: wrong key.' };
    answers['GET /api/knowledge-items/react/code-examples'] = [200, { code_examples: [example], left_out, descriptions: behind, total: 1 }];
    visit('/sources/react/code');
    await screen.findByText('Titles and summaries: 1,200 by a language model, 30 to come, 4 it could not write. The model answered 401: wrong key.');
  });

  it('tells nothing of titles while no model writes any', async () => {
    answers['GET /api/knowledge-items/react/code-examples'] = [200, { code_examples: [example], left_out, descriptions, total: 1 }];
    visit('/sources/react/code');
    await screen.findByRole('listitem');
    expect(screen.queryByText(/Titles and summaries/)).toBeNull();
  });

  it('says why there are none', async () => {
    answers['GET /api/knowledge-items/react/code-examples'] = [200, { code_examples: [], left_out, descriptions, total: 0 }];
    visit('/sources/react/code');
    await screen.findByText('The pages hold code, but none that stands as an example.');
  });
});

describe('Changes of a source', () => {
  const page = (change: string, page_id: string | null) => ({ change, page_id, url: `https://react.dev/${change}`, title: `A ${change} page`, changed_at: '2026-11-20T10:00:00Z', has_diff: false });

  it('lists them since the day that the address names', async () => {
    const changes = [page('added', 'p1'), page('removed', null)];
    answers['GET /api/knowledge-items/react/changes'] = [200, { changes, counts: { added: 1, changed: 0, removed: 1 }, since: '2026-11-18T00:00:00Z', total: 2 }];
    visit('/sources/react/changes?since=2026-11-18');
    expect((await screen.findByRole('link', { name: 'A added page' })).getAttribute('href')).toBe('/sources/react/pages/p1');
    expect(screen.queryByRole('link', { name: 'A removed page' })).toBeNull();
    expect(screen.getByRole('list', { name: 'How many' }).textContent).toBe('1 added0 changed1 removed');
    const since = encodeURIComponent(new Date('2026-11-18T00:00:00').toISOString());
    expect(asked()).toContain(`/api/knowledge-items/react/changes?since=${since}&limit=50&offset=0`);
    fireEvent.change(screen.getByLabelText('Since'), { target: { value: '2026-11-01' } });
    await waitFor(() => expect(address()).toBe('/sources/react/changes?since=2026-11-01'));
  });

  it('lead to what changed wherever an earlier text is kept, of a new page too', async () => {
    const changes = [{ ...page('added', 'p1'), has_diff: true }, page('changed', 'p2')];
    answers['GET /api/knowledge-items/react/changes'] = [200, { changes, counts: { added: 1, changed: 1, removed: 0 }, since: '2026-11-18T00:00:00Z', total: 2 }];
    visit('/sources/react/changes');
    expect((await screen.findByRole('link', { name: 'What changed in A added page' })).getAttribute('href')).toBe('/sources/react/changes/p1');
    expect(screen.queryByRole('link', { name: 'What changed in A changed page' })).toBeNull();
  });

  it('leaves the day to the server when the address names none that is one', async () => {
    answers['GET /api/knowledge-items/react/changes'] = [200, { changes: [], counts: { added: 0, changed: 0, removed: 0 }, since: '2026-11-18T00:00:00Z', total: 0 }];
    visit('/sources/react/changes?since=2026-99-99');
    await screen.findByText('Nothing changed since then');
    expect(asked()).toContain('/api/knowledge-items/react/changes?limit=50&offset=0');
  });
});

describe('What changed in a page', () => {
  const diff = {
    page_id: 'p1', source_id: 'react', url: 'https://react.dev/a', title: 'A', title_before: 'A', since: '2026-11-01T10:00:00Z', until: '2026-11-20T10:00:00Z',
    changed_at: '2026-11-20T10:00:00Z', diff: '@@ -7,3 +7,3 @@\n same\n-<b>old</b>\n+new\n same', added: 1, removed: 1, truncated: false,
  };

  it('is a link from the list, and says of each line what became of it', async () => {
    const changed = { change: 'changed', page_id: 'p1', url: diff.url, title: 'A', changed_at: diff.changed_at, has_diff: true };
    answers['GET /api/knowledge-items/react/changes'] = [200, { changes: [changed], counts: { added: 0, changed: 1, removed: 0 }, since: '2026-11-18T00:00:00Z', total: 1 }];
    answers['GET /api/pages/p1/diff'] = [200, diff];
    const user = visit('/sources/react/changes?since=2026-11-18');
    await user.click(await screen.findByRole('link', { name: 'What changed in A' }));
    expect(address()).toBe('/sources/react/changes/p1?since=2026-11-18');
    const section = await screen.findByRole('region', { name: 'Lines 7 to 9' });
    expect(within(section).getAllByRole('listitem').map((line) => line.textContent)).toEqual(['same', 'Removed: <b>old</b>', 'Added: new', 'same']);
    expect(within(section).getByText('<b>old</b>').tagName).toBe('DEL');
    const since = encodeURIComponent(new Date('2026-11-18T00:00:00').toISOString());
    expect(asked()).toContain(`/api/pages/p1/diff?since=${since}`);
    screen.getByText(/1 line added, 1 removed/);
    await user.click(screen.getByRole('link', { name: 'All changes' }));
    expect(address()).toBe('/sources/react/changes?since=2026-11-18');
  });

  it('is the title alone, or part of a long page', async () => {
    answers['GET /api/pages/p1/diff'] = [200, { ...diff, title_before: 'B', diff: '', added: 0, removed: 0, truncated: true }];
    visit('/sources/react/changes/p1');
    expect((await screen.findByRole('list', { name: 'Title' })).textContent).toBe('Removed: BAdded: A');
    screen.getByText('The text is the same.');
    screen.getByText('This is not all of it');
    expect(asked()).toContain('/api/pages/p1/diff');
  });

  it('is unknown when no earlier text is kept', async () => {
    answers['GET /api/pages/p1/diff'] = [200, { ...diff, title_before: '', since: null, until: null, diff: '', added: 0, removed: 0 }];
    visit('/sources/react/changes/p1?since=nonsense');
    await screen.findByText('No earlier text of this page is kept');
    expect(screen.queryByRole('list', { name: 'Title' })).toBeNull();
    expect(asked()).toContain('/api/pages/p1/diff');
  });
});

describe('Hosts of a crawl', () => {
  const host = { origin: 'https://e.x', own: false, concurrency: 2, delay_seconds: 0.5, crawl_delay: 3, robots: 'read', robots_status: 200, robots_error: '', held: null, holds: 0, counts: { done: 4, queued: 1 } };

  it('tells how fast each is asked, and which asks for patience', async () => {
    const held = { until: '2026-11-20T10:00:00Z', status: 429, seconds: 90 };
    const own = { ...host, origin: 'http://127.0.0.1:80', own: true, concurrency: null, delay_seconds: 0, robots: 'absent', robots_status: 404, counts: {} };
    answers['GET /api/crawls/p1/hosts'] = [200, { user_agent: 'Archon/0.1', hosts: [{ ...host, held, holds: 2 }, own] }];
    const user = visit('/crawls/p1');
    say('/p1', { type: 'crawl_progress', data: { progressId: 'p1', status: 'crawling', percentage: 4 } });
    await user.click(await screen.findByRole('link', { name: 'Hosts' }));
    expect(address()).toBe('/crawls/p1?view=hosts');
    const region = await screen.findByRole('region', { name: 'Hosts' });
    await waitFor(() => expect(within(region).getAllByRole('listitem')).toHaveLength(2));
    const [first, second] = within(region).getAllByRole('listitem');
    expect(first!.textContent).toContain('4 done, 1 waiting');
    expect(first!.textContent).toContain('At most 2 requests at once, 0.5 s apart, over all workers. Its robots.txt asks for 3 s between requests. It asked for patience 2 times.');
    expect(first!.textContent).toContain('it answered 429 and asked for 1 min 30 s.');
    expect(second!.textContent).toContain('asked as fast as it answers. It has no robots.txt (404).');
  });

  it('tells why a robots.txt cannot be read, and which was not asked for yet', async () => {
    const robots_error = 'robots.txt of https://e.x cannot be read: it did not answer within 30 s. Without it no page may be fetched (RFC 9309).';
    const silent = { ...host, robots: 'unreachable', robots_status: null, crawl_delay: null, robots_error };
    const unread = { ...host, origin: 'https://f.x', robots: 'unread', robots_status: null, crawl_delay: null };
    answers['GET /api/crawls/p1/hosts'] = [200, { user_agent: 'Archon/0.1', hosts: [silent, unread] }];
    visit('/crawls/p1?view=hosts');
    await screen.findByText(robots_error);
    screen.getByText(/Its robots.txt was not read yet./);
    expect(screen.queryByText(/asks for no delay/)).toBeNull();
  });

  it('says that an upload asks none', async () => {
    visit('/crawls/p1?view=hosts');
    await screen.findByText('No host was asked');
  });
});

describe('A source that could not be read', () => {
  const failure = { code: 'http_status', message: 'The site answers 403.', hint: 'Ask its owner.', progress_id: 'p7', failed_at: '2026-11-20T10:00:00Z' };
  const failed = { ...ITEM, metadata: { ...ITEM.metadata, status: 'error', document_count: 0, failure } };

  it.each(['', '?view=table'])('says why and what to do in the list (%s)', async (view) => {
    answers['GET /api/knowledge-items'] = [200, { items: [failed, { ...ITEM, source_id: 'vue', title: 'Vue' }], total: 2, page: 1, per_page: 24, pages: 1 }];
    visit(`/${view}`);
    expect((await screen.findByRole('link', { name: /^Crawl failed/ })).getAttribute('href')).toBe('/crawls/p7');
    expect(screen.getAllByText(/nothing was stored: The site answers 403. Ask its owner./)).toHaveLength(1);
  });

  it('says so on its own page, and that what was there is kept', async () => {
    answers['GET /api/knowledge-items/react'] = [200, { ...failed, metadata: { ...failed.metadata, document_count: 2 } }];
    visit('/sources/react');
    await screen.findByText(/the pages before are kept: The site answers 403. Ask its owner./);
  });
});
