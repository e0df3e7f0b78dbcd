// A small stand-in for the backend: serves dist/ under the strict policy and speaks the wire.
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { answerTo, items, sources } from './content.mjs';
import { FakeCrawl } from './crawl.mjs';

const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' };
export const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const problem = (error, code, hint, field) => ({ detail: { error, code, hint, ...(field ? { field } : {}) } });

export function startFake({ port = 0, empty = false, pace = 400 } = {}) {
  const crawls = new Map();
  const knowledge = empty ? [] : items();
  const add = (id, options) => crawls.set(id, new FakeCrawl(id, options)).get(id);
  if (!empty) {
    add('running', { at: 0.42, pace });
    add('discovering', { at: 0, pace: 0 });
    add('completed', { at: 1, pace: 0 });
    add('failed', { at: 0.1, pace: 0, failure: true });
  }

  const api = {
    'GET /api/knowledge-items': ({ query }) => {
      const search = (query.get('search') ?? '').toLowerCase();
      const tag = query.get('tags');
      const found = knowledge.filter(
        (item) => `${item.title} ${item.url}`.toLowerCase().includes(search) && (!tag || item.metadata.tags.includes(tag)),
      );
      return page(found, query);
    },
    'GET /api/progress/': () => ({ operations: [...crawls.values()].filter((c) => c.active).map((c) => c.snapshot()) }),
    'GET /api/rag/sources': () => ({ success: true, sources: sources(knowledge) }),
    'POST /api/rag/query': ({ body }) => answerTo(body),
    'POST /api/knowledge-items/crawl': ({ body }) => {
      if (!/^https?:\/\/[^/.]+\.[^/]+/.test(body.url)) {
        const said = body.url ? `${body.url} is not a web address.` : 'A crawl needs an address.';
        return [422, problem(said, 'invalid_url', 'Start with http:// or https://, for example https://docs.example.com.', 'url')];
      }
      if ((body.include ?? []).some((glob) => glob.includes('['))) {
        return [422, problem('The pattern is not closed.', 'invalid_glob', 'Close the bracket, or write ** for any path.', 'include')];
      }
      const id = `crawl-${crawls.size}`;
      add(id, { at: 0, pace, url: body.url });
      return [202, { success: true, progressId: id, sourceId: 'react', message: 'Crawling started', estimatedDuration: 'unknown' }];
    },
  };

  const patterns = [
    ['GET', /^\/api\/progress\/([^/]+)$/, (crawl) => crawl.snapshot()],
    ['GET', /^\/api\/crawls\/([^/]+)\/pages$/, (crawl, { query }) => crawledPages(crawl, query)],
    ['POST', /^\/api\/knowledge-items\/stop\/([^/]+)$/, (crawl) => (crawl.cancel(), { success: true, progressId: crawl.id, message: 'Stopping' })],
    ['POST', /^\/api\/knowledge-items\/retry-failed\/([^/]+)$/, () => (add('retried', { at: 0.9, pace }), { success: true, progressId: 'retried' })],
    ['POST', /^\/api\/knowledge-items\/([^/]+)\/refresh$/, () => (add('refreshed', { at: 0, pace }), { progressId: 'refreshed' }), true],
    ['DELETE', /^\/api\/knowledge-items\/([^/]+)$/, (_, { id }) => (knowledge.splice(knowledge.findIndex((i) => i.source_id === id), 1), broadcast(), { success: true }), true],
  ];

  function route(method, path, context) {
    const exact = api[`${method} ${path}`];
    if (exact) return exact(context);
    for (const [verb, pattern, act, free] of patterns) {
      const id = verb === method && pattern.exec(path)?.[1];
      if (!id) continue;
      const crawl = crawls.get(id);
      if (!crawl && !free) return [404, problem(`There is no crawl ${id}.`, 'not_found', 'Start one with Add source.')];
      return act(crawl, { ...context, id });
    }
    return [404, problem('There is nothing at this address.', 'not_found', '')];
  }

  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://fake');
    if (url.pathname.startsWith('/api/')) {
      let text = '';
      for await (const part of request) text += part;
      const answer = route(request.method, url.pathname, { query: url.searchParams, body: text ? JSON.parse(text) : {} });
      const [status, payload] = Array.isArray(answer) ? answer : [200, answer];
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(payload));
      return;
    }
    const known = url.pathname.startsWith('/assets/');
    try {
      const file = known ? normalize(join(DIST, url.pathname)) : join(DIST, 'index.html');
      const bytes = readFileSync(file);
      response
        .writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'text/plain', 'Content-Security-Policy': POLICY })
        .end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });

  const sockets = new WebSocketServer({ server });
  const watchers = new Set();
  const update = () => JSON.stringify({ type: 'knowledge_items_update', data: page(knowledge, new URLSearchParams()) });
  const broadcast = () => watchers.forEach((socket) => socket.send(update()));

  sockets.on('connection', (socket, request) => {
    const url = new URL(request.url, 'http://fake');
    if (url.pathname === '/api/knowledge-items/stream') {
      watchers.add(socket);
      socket.on('close', () => watchers.delete(socket));
      socket.send(update());
      return;
    }
    const id = decodeURIComponent(/^\/api\/crawl-progress\/(.+)$/.exec(url.pathname)?.[1] ?? '');
    const crawl = crawls.get(id);
    if (crawl) crawl.watch(socket, Number(url.searchParams.get('since') ?? 0));
    else {
      const data = { progressId: id, status: 'waiting', percentage: 0, logs: ['Waiting for crawl to start...'] };
      socket.send(JSON.stringify({ type: 'crawl_progress', data }));
    }
  });

  return new Promise((resolve) => {
    server.listen(port, '127.0.0.1', () =>
      resolve({
        address: `http://127.0.0.1:${server.address().port}`,
        drop: () => sockets.clients.forEach((socket) => socket.terminate()),
        stop: () => {
          crawls.forEach((crawl) => crawl.stop());
          sockets.clients.forEach((socket) => socket.terminate());
          server.close();
        },
      }),
    );
  });
}

function page(all, query) {
  const number = Number(query.get('page') ?? 1);
  const size = Number(query.get('per_page') ?? 20);
  const items = all.slice((number - 1) * size, number * size);
  return { items, total: all.length, page: number, per_page: size, pages: Math.ceil(all.length / size) };
}

function crawledPages(crawl, query) {
  const { items, ...rest } = page(crawl.pages(query.get('state')), query);
  return { ...rest, pages: items, counts: crawl.counts() };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { address } = await startFake({ port: Number(process.env.PORT ?? 8080) });
  console.log(`Fake backend on ${address}`);
}
