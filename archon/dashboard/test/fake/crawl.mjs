// A crawl that only pretends: it moves along a fixed list of pages and numbers its events.
const TOTAL = 240;
const SECTIONS = ['learn', 'reference/react', 'reference/react-dom', 'reference/rules', 'community', 'blog/2025'];
const NAMES = ['state-a-components-memory', 'useEffect', 'useMemo', 'createPortal', 'render-and-commit', 'conferences', 'synchronizing-with-effects'];

export class FakeCrawl {
  constructor(id, { at, pace, failure = false, url = 'https://react.dev/learn' }) {
    this.id = id;
    this.url = url;
    this.failure = failure;
    this.done = Math.round(TOTAL * at);
    this.status = failure ? 'failed' : at === 1 ? 'completed' : this.done ? 'crawling' : 'discovering';
    this.sequence = this.done + 1;
    this.events = [];
    this.watchers = new Set();
    this.started = new Date(Date.now() - 1_000 * (20 + this.done * 0.31));
    this.logs = ['Starting crawl of https://react.dev/learn', 'robots.txt read: 2 rules apply', 'Sitemap found: 412 addresses, 240 in scope'];
    for (let n = Math.max(0, this.done - 14); n < this.done; n += 1) this.logs.push(this.line(n));
    if (failure) this.logs.push('Gave up: the site refused every request');
    if (pace) this.timer = setInterval(() => this.step(), pace);
  }

  get active() {
    return !['completed', 'failed', 'cancelled'].includes(this.status);
  }

  pageAt(n) {
    return `https://react.dev/${SECTIONS[n % SECTIONS.length]}/${NAMES[n % NAMES.length]}${n > 30 ? `-${n}` : ''}`;
  }

  failedAt(n) {
    return n % 47 === 9;
  }

  failed() {
    return Array.from({ length: this.done }, (_, n) => n).filter((n) => this.failedAt(n)).length;
  }

  line(n) {
    return this.failedAt(n) ? `Failed ${this.pageAt(n)}: 503 after 3 tries` : `Stored ${this.pageAt(n)}, ${4 + (n % 5)} chunks`;
  }

  step() {
    if (!this.active) return;
    if (this.status === 'discovering') this.status = 'crawling';
    this.logs.push(this.line(this.done));
    this.done += 1;
    if (this.done >= TOTAL) this.status = 'completed';
    this.tell();
  }

  cancel() {
    this.status = 'cancelled';
    this.logs.push('Cancelled');
    this.tell();
  }

  tell() {
    this.sequence += 1;
    const frame = this.frame();
    this.events.push([this.sequence, frame]);
    this.watchers.forEach((socket) => socket.send(frame));
  }

  watch(socket, since) {
    const missed = this.events.filter(([sequence]) => sequence > since);
    if (since && missed.length && missed[0][0] === since + 1) missed.forEach(([, frame]) => socket.send(frame));
    else if (since !== this.sequence) socket.send(this.frame());
    this.watchers.add(socket);
    socket.on('close', () => this.watchers.delete(socket));
  }

  stop() {
    clearInterval(this.timer);
  }

  frame() {
    return JSON.stringify({ type: this.status === 'completed' ? 'crawl_completed' : 'crawl_progress', data: this.snapshot() });
  }

  snapshot() {
    const known = this.status !== 'discovering';
    const chunks = this.done * 6;
    return {
      progressId: this.id,
      sequence: this.sequence,
      kind: 'crawl',
      status: this.status,
      stage: this.status,
      percentage: this.status === 'completed' ? 100 : known ? Math.min(99, 4 + Math.floor((this.done / TOTAL) * 91)) : 3,
      start_time: this.started.toISOString(),
      updated_at: new Date().toISOString(),
      completed_at: this.active ? null : new Date().toISOString(),
      currentUrl: this.pageAt(this.done),
      totalPages: known ? TOTAL : 0,
      processedPages: this.done,
      failedPages: this.failed(),
      skippedPages: known ? 172 : 0,
      discoveredUrls: known ? 412 : 31,
      chunksStored: chunks,
      embeddedChunks: this.active ? Math.max(0, chunks - 64) : chunks,
      codeExamplesStored: Math.floor(this.done * 0.8),
      wordCount: this.done * 713,
      pagesPerSecond: this.status === 'crawling' ? 3.2 : null,
      etaSeconds: this.status === 'crawling' ? (TOTAL - this.done) / 3.2 : null,
      queuePosition: null,
      sourceId: 'react',
      log: this.logs.at(-1),
      logs: this.logs.slice(-50),
      ...(this.failure
        ? { error: { code: 'blocked', message: 'react.dev refused every request with status 403.', hint: 'The site blocks crawlers. Ask its owner, or try render: browser with a lower rate.' } }
        : {}),
    };
  }

  all() {
    return Array.from({ length: this.status === 'discovering' ? 31 : TOTAL }, (_, n) => {
      const fetched = n < this.done;
      const failed = fetched && n % 61 !== 17 && this.failedAt(n);
      const skipped = n % 61 === 17;
      const leased = this.active && !fetched && n < this.done + 4 && this.done > 0;
      return {
        url: this.pageAt(n),
        reason: skipped ? 'robots' : '',
        state: skipped ? 'skipped' : failed ? 'failed' : fetched ? 'done' : leased ? 'leased' : 'queued',
        depth: 1,
        http_status: failed ? 503 : fetched ? 200 : null,
        milliseconds: fetched ? 90 + ((n * 37) % 900) : null,
        bytes: failed ? 312 : fetched ? 8_000 + ((n * 7919) % 90_000) : null,
        chunks: fetched && !failed ? 4 + (n % 5) : 0,
        attempts: failed ? 3 : fetched || leased ? 1 : 0,
        error: failed ? { code: 'http_503', message: 'The server answered 503 three times.', hint: 'Retry failed tries again.' } : null,
      };
    });
  }

  pages(state) {
    return this.all().filter((page) => !state || page.state === state);
  }

  counts() {
    const counts = {};
    for (const { state } of this.all()) counts[state] = (counts[state] ?? 0) + 1;
    return counts;
  }
}
