/** The package as others use it: its committed build, in a Node of its own, with Node's own WebSocket. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { CrawlProgressData } from '../src/services/crawlProgressService';
import type { Message } from '../src/services/schema';
import { StreamServer } from './server';

const PACKAGE = fileURLToPath(new URL('../packages/crawl-progress/', import.meta.url));

describe('the package', () => {
  it('is built from its sources as they are', () => {
    const fresh = mkdtempSync(join(tmpdir(), 'crawl-progress-'));
    try {
      const compiler = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
      execFileSync(process.execPath, [compiler, '-p', PACKAGE, '--outDir', fresh]);
      const built = (folder: string) => Object.fromEntries(readdirSync(folder).sort().map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
      expect(built(`${PACKAGE}dist`), 'run `npm run build`').toEqual(built(fresh));
    } finally {
      rmSync(fresh, { recursive: true });
    }
  });

  it('follows a crawl from Node over a connection that breaks', async () => {
    const server = await StreamServer.start();
    server.onConnection = (socket, nth) => {
      const say = (type: string, data: object) => socket.send(JSON.stringify({ type, data: { progressId: 'p', ...data } }));
      if (nth === 1) {
        say('crawl_progress', { status: 'crawling', percentage: 10, sequence: 1, log: 'one' });
        socket.close(1012);
      } else {
        say('crawl_completed', { status: 'completed', percentage: 100, sequence: 2, log: 'two' });
      }
    };
    const child = spawn(process.execPath, ['--experimental-websocket', '--no-warnings', `${PACKAGE}follow.mjs`, server.address, 'p']);
    let said = '';
    child.stdout.on('data', (text) => (said += text));
    const code = await new Promise((resolve) => child.on('exit', resolve));
    await server.stop();
    expect(said.trimEnd().split('\n')).toEqual([' 10% crawling one', '100% completed two']);
    expect(server.paths).toEqual(['/api/crawl-progress/p', '/api/crawl-progress/p?since=1']);
    expect(code).toBe(0);
  });

  it('needs nothing else', () => {
    const { dependencies = {} } = JSON.parse(readFileSync(`${PACKAGE}package.json`, 'utf8')) as { dependencies?: object };
    expect(dependencies).toEqual({});
  });

  it('has the types that the server publishes', () => {
    // Fails to compile when a field of the server no longer fits.
    const fits = (body: Message['ProgressBody'] | Message['WaitingBody']): CrawlProgressData => body;
    expect(fits).toBeTypeOf('function');
  });
});
