/** The whole dashboard at an address, with a server that answers what a test wrote into `answers`. */
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { act, cleanup, configure, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { MemoryRouter, useLocation } from 'react-router';
import { afterEach, beforeEach, vi } from 'vitest';
import { App } from '../src/App';

// Long enough for a busy machine.
configure({ asyncUtilTimeout: 10_000 });

type Answer = [status: number, body: unknown];
type Request = { method: string; path: string; body: unknown };

export let answers: Record<string, Answer>;
export let requests: Request[];
let sockets: { url: string; onmessage: ((event: { data: string }) => void) | null }[];

beforeEach(() => {
  requests = [];
  sockets = [];
  answers = {
    'GET /api/knowledge-items': [200, { items: [], total: 0, page: 1, per_page: 20 }],
    'GET /api/progress/': [200, { operations: [] }],
    'GET /api/rag/sources': [200, { sources: [{ source_id: 'react', title: 'React' }] }],
  };
  vi.stubGlobal('fetch', async (path: string, init: RequestInit) => {
    const body = init.body ? JSON.parse(String(init.body)) : undefined;
    requests.push({ method: init.method!, path, body });
    const [status, payload] = answers[`${init.method} ${path.split('?')[0]}`] ?? [404, { detail: { error: 'Unknown.', code: 'unknown' } }];
    return new Response(JSON.stringify(payload), { status });
  });
  vi.stubGlobal(
    'WebSocket',
    class {
      onmessage = null;
      constructor(readonly url: string) {
        sockets.push(this);
      }
      send() {}
      close() {}
    },
  );
  window.matchMedia = () => ({ matches: false, addEventListener: () => {}, removeEventListener: () => {} }) as unknown as MediaQueryList;
  window.scrollTo = () => {};
  Element.prototype.scrollIntoView = () => {};
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function Address() {
  const { pathname, search } = useLocation();
  return <output data-testid="address">{pathname + search}</output>;
}

export function visit(address: string) {
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={queries}>
      <MemoryRouter initialEntries={[address]}>
        <App />
        <Address />
      </MemoryRouter>
    </QueryClientProvider>,
  );
  return userEvent.setup();
}

export const address = () => screen.getByTestId('address').textContent;
export const say = (path: string, message: unknown) =>
  act(() => sockets.find(({ url }) => url.endsWith(path))!.onmessage!({ data: JSON.stringify(message) }));
