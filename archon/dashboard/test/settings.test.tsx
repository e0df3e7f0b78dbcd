// @vitest-environment jsdom
import { screen, waitFor, within } from '@testing-library/react';
import { beforeEach, describe, expect, it } from 'vitest';
import { address, answers, requests, visit } from './app';

const variable = (changes: object) => ({ name: 'ARCHON_MODE', kind: 'local or server', value: 'local', default: 'local', help: 'Who may come in.', given: false, ...changes });
const SETTINGS = {
  groups: [
    { title: 'Where it runs', settings: [variable({}), variable({ name: 'ARCHON_PORT', value: '9000', default: '8080', help: 'Port that `make up` serves on.', given: true })] },
    { title: 'Chat', settings: [variable({ name: 'ARCHON_LLM_API_KEY', kind: 'secret', value: null, default: '', help: 'Key.', given: true })] },
  ],
  embedder: {
    kind: 'local', model: 'all-MiniLM-L6-v2-int8', url: '', space: 'local/x', dimension: 384, serving: true, embedded: 1_278, waiting: 0, refused: 0,
    away_since: null, away_reason: '', asked_again_at: null,
  },
  reranker: { model: '', reranked: 0 },
  language_model: { model: '', url: '', key_given: false },
};

beforeEach(() => {
  answers['GET /api/settings'] = [200, SETTINGS];
});

describe('Settings', () => {
  it('names the models and how they are', async () => {
    visit('/settings');
    const embeddings = await screen.findByRole('region', { name: 'Embeddings' });
    expect(embeddings.textContent).toContain('Works');
    expect(embeddings.textContent).toContain('Dimensions384');
    expect(screen.getByRole('region', { name: 'Language model' }).textContent).toContain('Answers are quoted from the passages.');
    expect(screen.getByRole('region', { name: 'Reranker' }).textContent).toContain('None');
    expect(screen.getByRole('region', { name: 'Mode' }).textContent).toContain('Local');
  });

  it('names the reranker that was set', async () => {
    answers['GET /api/settings'] = [200, { ...SETTINGS, reranker: { model: 'Xenova/ms-marco-MiniLM-L-6-v2', reranked: 20 } }];
    visit('/settings');
    const reranker = await screen.findByRole('region', { name: 'Reranker' });
    expect(reranker.textContent).toContain('Set upPuts');
    expect(reranker.textContent).toContain('Readsthe 20 best matches');
    screen.getByText('Xenova/ms-marco-MiniLM-L-6-v2');
  });

  it('says since when the embedder is away, and why', async () => {
    const embedder = { ...SETTINGS.embedder, away_since: '2026-11-20T10:00:00Z', away_reason: 'It answered 401.' };
    answers['GET /api/settings'] = [200, { ...SETTINGS, embedder }];
    visit('/settings');
    await screen.findByText(/The embedder has given no vectors since/);
    screen.getByText(/It answered 401\. Search goes by words until then/);
  });

  it('shows each variable with its value, and of a secret only that it is set', async () => {
    visit('/settings/variables');
    const chat = await screen.findByRole('region', { name: 'Chat' });
    expect(within(chat).getByRole('listitem').textContent).toBe('ARCHON_LLM_API_KEYKey.•••••• not shownSet');
    const [mode, port] = within(screen.getByRole('region', { name: 'Where it runs' })).getAllByRole('listitem');
    expect(mode!.textContent).toBe('ARCHON_MODEWho may come in.localDefault');
    expect(port!.textContent).toBe('ARCHON_PORTPort that make up serves on.9000default 8080Set');
  });

  it('filters the variables by the address', async () => {
    const user = visit('/settings/variables?only=set');
    await screen.findByText('ARCHON_PORT');
    expect(screen.queryByText('ARCHON_MODE')).toBeNull();
    await user.type(screen.getByRole('searchbox'), 'llm');
    expect(screen.queryByText('ARCHON_PORT')).toBeNull();
    expect(address()).toBe('/settings/variables?only=set&q=llm');
    await user.type(screen.getByRole('searchbox'), 'zzz');
    screen.getByText('No variable matches');
  });

  it('says when only operators may read them', async () => {
    answers['GET /api/settings'] = [403, { detail: { error: 'You may not.', code: 'scope', hint: 'Ask an operator.', field: null } }];
    visit('/settings');
    expect((await screen.findByRole('alert')).textContent).toContain('You may not.Ask an operator.');
  });
});

describe('Webhooks', () => {
  const hook = { id: 7, url: 'https://e.x/archon', events: ['crawl.finished'], active: true, note: '', created_at: '2026-11-20T10:00:00Z' };
  const sent = (changes: object) => ({
    id: 1, event: 'test', key: 'test 1', state: 'failed', attempts: 3, http_status: 500, error: 'It answered 500.',
    created_at: '2026-11-20T10:00:00Z', delivered_at: null, next_at: null, ...changes,
  });

  beforeEach(() => {
    answers['GET /api/webhooks'] = [200, { webhooks: [hook] }];
    answers['GET /api/webhooks/7/deliveries'] = [200, { deliveries: [sent({}), sent({ id: 2, event: 'crawl.finished', state: 'delivered', http_status: 204, error: '' })], total: 2 }];
  });

  it('makes one and shows its secret once', async () => {
    answers['GET /api/webhooks'] = [200, { webhooks: [] }];
    answers['POST /api/webhooks'] = [201, { ...hook, secret: 's3cret' }];
    const user = visit('/settings/webhooks');
    await screen.findByText('Nobody is told yet');
    await user.type(screen.getByLabelText('Address of the new webhook'), hook.url);
    await user.click(screen.getByRole('checkbox', { name: 'Crawl failed' }));
    await user.click(screen.getByRole('button', { name: 'Add webhook' }));
    await screen.findByText('s3cret');
    expect(requests.find(({ method }) => method === 'POST')!.body).toEqual({ url: hook.url, events: ['crawl.finished'] });
  });

  it('shows a refusal with its remedy', async () => {
    answers['POST /api/webhooks'] = [422, { detail: { error: 'The address is inside the network.', code: 'address_private', hint: 'Use a public one.', field: 'url' } }];
    const user = visit('/settings/webhooks');
    await user.type(await screen.findByLabelText('Address of the new webhook'), 'http://10.0.0.1/');
    await user.click(screen.getByRole('button', { name: 'Add webhook' }));
    expect((await screen.findByRole('alert')).textContent).toContain('The address is inside the network.Use a public one.');
  });

  it('sends a test and opens what was sent', async () => {
    answers['POST /api/webhooks/7/test'] = [202, { success: true, message: 'On its way.' }];
    const user = visit('/settings/webhooks');
    await user.click(await screen.findByRole('button', { name: 'Send a test to https://e.x/archon' }));
    await waitFor(() => expect(address()).toBe('/settings/webhooks?hook=7'));
    const [, failed, delivered] = await screen.findAllByRole('row');
    expect(failed!.textContent).toContain('TestIt answered 500.Failed5003');
    expect(delivered!.textContent).toContain('Crawl finishedDelivered204');
  });

  it('deletes on the second click', async () => {
    answers['DELETE /api/webhooks/7'] = [200, { success: true }];
    const user = visit('/settings/webhooks');
    await user.dblClick(await screen.findByRole('button', { name: 'Delete https://e.x/archon' }));
    await waitFor(() => expect(requests.some(({ method }) => method === 'DELETE')).toBe(true));
  });
});
