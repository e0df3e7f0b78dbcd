// Walks every page in both themes and two sizes: pictures, axe, sideways scrolling, console and policy errors.
// node test/look.mjs <folder for the pictures> [only pages whose name matches this pattern]
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';
import { startFake } from './fake/serve.mjs';

const out = process.argv[2] ?? 'look';
mkdirSync(out, { recursive: true });
const only = new RegExp(process.argv[3] ?? '.');
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 360, height: 740 } };
const PAGES = {
  knowledge: '/',
  'knowledge-table': '/?view=table',
  'knowledge-none': '/?q=zzz',
  add: '/add',
  'add-error': ['/add?url=nonsense&tag=react&tag=hooks&include=%2Fguide%2F**', (page) => page.getByRole('button', { name: 'Start crawl' }).click()],
  'crawl-running': '/crawls/running',
  'crawl-discovering': '/crawls/discovering',
  'crawl-completed': '/crawls/completed',
  'crawl-failed-pages': '/crawls/completed?state=failed',
  'crawl-failed': '/crawls/failed',
  'crawl-waiting': '/crawls/test-id',
  search: '/search',
  'search-results': '/search?q=effect+cleanup',
  'search-whole': ['/search?q=effect+cleanup', (page) => page.getByRole('button', { name: 'Show whole passage' }).first().click()],
  'search-none': '/search?q=nothing',
  'not-found': '/elsewhere',
};

function onPath(...names) {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(existsSync);
}

const backend = await startFake({ pace: 2_500 });
const bare = await startFake({ empty: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? onPath('chromium', 'chromium-browser', 'google-chrome'),
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
let problems = 0;
const report = (where, what) => {
  problems += 1;
  console.log(`${where}: ${what}`);
};

for (const colorScheme of ['light', 'dark']) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    const context = await browser.newContext({ viewport, colorScheme, reducedMotion: 'reduce' });
    const visits = [
      ...Object.entries(PAGES).map(([name, visit]) => [name, backend.address, visit]),
      ['empty-knowledge', bare.address, '/'],
      ['empty-search', bare.address, '/search'],
    ];
    for (const [name, address, visit] of visits) {
      if (!only.test(name)) continue;
      const [path, act] = Array.isArray(visit) ? visit : [visit];
      const where = `${name}-${size}-${colorScheme}`;
      const page = await context.newPage();
      page.on('console', (message) => {
        const expected = /status of (404|422)/.test(message.text());
        if (['error', 'warning'].includes(message.type()) && !expected) report(where, message.text());
      });
      page.on('pageerror', (error) => report(where, error.message));
      await page.goto(address + path);
      await page.waitForTimeout(500);
      await act?.(page);
      await page.waitForTimeout(400);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) report(where, `scrolls sideways by ${wide} px`);
      await page.evaluate(AXE);
      const { violations } = await page.evaluate(() => axe.run());
      for (const { id, help, nodes } of violations) {
        report(where, `${id}: ${help}: ${nodes.map((node) => `${node.target} ${node.any[0]?.message ?? ''}`).join('; ')}`);
      }
      await page.screenshot({ path: join(out, `${where}.png`), fullPage: size === 'phone' || name.startsWith('search') });
      await page.close();
    }
    await context.close();
  }
}
await browser.close();
backend.stop();
bare.stop();
console.log(problems ? `${problems} problems` : 'No problems');
process.exit(problems ? 1 : 0);
