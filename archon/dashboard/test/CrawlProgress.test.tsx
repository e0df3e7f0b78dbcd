// @vitest-environment jsdom
import { act, cleanup, fireEvent, render, screen } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CrawlProgress } from '../src/components/CrawlProgress';
import type { CrawlProgressData } from '../src/services/crawlProgressService';

class PageSocket {
  static all: PageSocket[] = [];
  readyState = 0;
  onopen: (() => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  send = vi.fn();
  close = vi.fn();
  constructor(readonly url: string) {
    PageSocket.all.push(this);
  }
  open() {
    this.readyState = 1;
    act(() => this.onopen!());
  }
  say(data: Partial<CrawlProgressData>, type = 'crawl_progress') {
    const whole = { progressId: 'test-id', status: 'crawling', percentage: 10, ...data };
    act(() => this.onmessage!({ data: JSON.stringify({ type, data: whole }) }));
  }
}

beforeEach(() => {
  PageSocket.all = [];
  vi.stubGlobal('WebSocket', PageSocket);
});
afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function show(props: Partial<Parameters<typeof CrawlProgress>[0]> = {}) {
  const view = render(<CrawlProgress progressId="test-id" {...props} />);
  const socket = PageSocket.all.at(-1)!;
  return { ...view, socket };
}

const bar = () => screen.getByRole('progressbar', { name: 'Crawl progress' });
const fact = (name: string) => screen.getByText(name).nextElementSibling!.textContent;

describe('before the first message', () => {
  it('says that it connects, to the origin of the page', () => {
    const { socket } = show();
    expect(socket.url).toBe(`ws://${window.location.host}/api/crawl-progress/test-id`);
    screen.getByText('Connecting to progress stream...');
  });

  it('says when the connection is lost', () => {
    const { socket } = show();
    act(() => socket.onclose!({ code: 1006 }));
    screen.getByText('Disconnected');
  });
});

describe('waiting', () => {
  it('shows the waiting line and no false progress', () => {
    const { socket } = show();
    socket.open();
    socket.say({ status: 'waiting', percentage: 0, logs: ['Waiting for crawl to start...'] });
    screen.getByText('Connected');
    screen.getByText('Waiting for crawl to start...');
    expect(bar().getAttribute('aria-valuenow')).toBeNull();
  });
});

describe('crawling', () => {
  it('shows how far, how fast and what failed', () => {
    const { socket } = show();
    socket.open();
    socket.say({
      percentage: 45,
      totalPages: 24,
      processedPages: 11,
      failedPages: 2,
      pagesPerSecond: 3.25,
      etaSeconds: 80,
      currentUrl: 'https://example.com/<b>page</b>',
      logs: ['Processed 11/24 pages'],
    });
    screen.getByText('Fetching pages');
    expect(bar().getAttribute('aria-valuenow')).toBe('45');
    expect(bar().getAttribute('aria-valuetext')).toBe('45%, 11 of 24 pages');
    expect(fact('Pages')).toBe('11 of 24');
    expect(fact('Failed')).toBe('2');
    expect(fact('Speed')).toBe('3.3 pages/s');
    expect(fact('Time left')).toBe('about 1 min 20 s');
    expect(screen.getByText('https://example.com/<b>page</b>').title).toBe('https://example.com/<b>page</b>');
  });

  it('says that the total is unknown while it discovers', () => {
    const { socket } = show();
    socket.say({ status: 'discovering', percentage: 3, totalPages: 0, processedPages: 0, etaSeconds: null });
    screen.getByText('Discovering pages');
    expect(fact('Time left')).toBe('discovering, total unknown');
    expect(bar().getAttribute('data-state')).toBe('indeterminate');
    expect(bar().getAttribute('aria-valuetext')).toBe('3%, 0 pages, total unknown');
  });

  it('says how many crawls stand before a queued one', () => {
    const { socket } = show();
    socket.say({ status: 'queued', percentage: 0, queuePosition: 3 });
    screen.getByText('Queued, 2 crawls before it');
  });

  it('shows a status it does not know in its own words', () => {
    const { socket } = show();
    socket.say({ status: 'warming_up' });
    screen.getByText('Warming up');
  });

  it('answers the heartbeat', () => {
    const { socket } = show();
    socket.open();
    act(() => socket.onmessage!({ data: '{"type":"heartbeat"}' }));
    expect(socket.send).toHaveBeenCalledWith('ping');
  });
});

describe('the log', () => {
  const lines = () => [...screen.getByLabelText('Log lines').children].map((line) => line.textContent);

  it('grows beyond the newest lines that each message carries', () => {
    const { socket } = show();
    socket.say({ sequence: 1, logs: ['one', 'two'] });
    socket.say({ sequence: 2, logs: ['two', 'three'] });
    socket.say({ sequence: 3, logs: ['two', 'three'] });
    expect(lines()).toEqual(['one', 'two', 'three']);
  });

  it('takes single lines too, as the seed sends them', () => {
    const { socket } = show();
    socket.say({ logs: ['Starting crawl...'] });
    socket.say({ log: 'Processed 11/24 pages' });
    socket.say({ log: 'Processed 11/24 pages' });
    expect(lines()).toEqual(['Starting crawl...', 'Processed 11/24 pages']);
  });

  it('starts over after a resync', () => {
    const { socket } = show();
    socket.say({ sequence: 1, logs: ['one'] });
    socket.say({ sequence: 900, logs: ['nine hundred'], resync: true });
    expect(lines()).toEqual(['nine hundred']);
  });

  it('keeps the newest 500 lines', () => {
    const { socket } = show();
    socket.say({ logs: Array.from({ length: 600 }, (_, n) => `line ${n}`) });
    expect(lines()).toHaveLength(500);
    expect(lines().at(-1)).toBe('line 599');
  });

  it('can be paused and followed again', () => {
    const { socket } = show();
    socket.say({ logs: ['one'] });
    fireEvent.click(screen.getByRole('button', { name: 'Stop scrolling' }));
    fireEvent.click(screen.getByRole('button', { name: 'Follow the log' }));
    screen.getByRole('button', { name: 'Stop scrolling' });
  });
});

describe('the end', () => {
  it('sums up a completed crawl and tells it once', () => {
    const onComplete = vi.fn();
    const { socket, rerender } = show({ onComplete });
    const completed = {
      status: 'completed',
      percentage: 100,
      chunksStored: 89,
      wordCount: 25_000,
      start_time: '2025-06-04T20:57:34.081424',
      completed_at: '2025-06-04T20:58:45.123456',
    };
    socket.say(completed, 'crawl_completed');
    socket.say(completed, 'crawl_completed');
    screen.getByText('Crawl completed');
    screen.getByText('Chunks stored: 89. Words processed: 25,000.');
    expect(fact('Took')).toBe('1 min 11 s');
    expect(bar().getAttribute('aria-valuenow')).toBe('100');
    const another = vi.fn();
    rerender(<CrawlProgress progressId="test-id" onComplete={another} />);
    expect(onComplete).toHaveBeenCalledTimes(1);
    expect(another).not.toHaveBeenCalled();
    expect(PageSocket.all).toHaveLength(1);
  });

  it('counts chunks while they are embedded, with their speed and the time left', () => {
    const { socket } = show();
    socket.say({ status: 'embedding', percentage: 79, totalPages: 20, processedPages: 20, chunksStored: 1_278, embeddedChunks: 416, pagesPerSecond: null, etaSeconds: 28.7, currentUrl: 'https://e.com/last' });
    screen.getByText('Embedding chunks');
    screen.getByText('All pages are stored');
    expect(bar().getAttribute('aria-valuetext')).toBe('79%, 416 of 1,278 chunks embedded');
    expect(screen.getByText('Embedded').parentElement!.textContent).toBe('Embedded416 of 1,278');
    expect(screen.getByText('Speed').parentElement!.textContent).toBe('Speed30.0 chunks/s');
    screen.getByText('about 29 s');
    expect(screen.queryByText('https://e.com/last')).toBeNull();
  });

  it('names failed pages and waiting embeddings of a completed crawl', () => {
    const { socket } = show();
    socket.say({ status: 'completed', percentage: 100, failedPages: 1, chunksStored: 89, embeddedChunks: 80 });
    screen.getByText('Crawl completed, 1 page failed');
    screen.getByText(/9 chunks have no vector/);
  });

  it('gives the reason and the remedy of a failed crawl', () => {
    const onComplete = vi.fn();
    const { socket } = show({ onComplete });
    socket.say({
      status: 'failed',
      percentage: 12,
      error: { code: 'blocked', message: 'The site refused every request.', hint: 'Ask its owner.' },
    });
    const block = screen.getByRole('alert').textContent;
    expect(block).toContain('The site refused every request.');
    expect(block).toContain('Ask its owner.');
    expect(onComplete).not.toHaveBeenCalled();
  });

  it('says what is kept of a cancelled crawl', () => {
    const { socket } = show();
    socket.say({ status: 'cancelled', percentage: 40, processedPages: 3 });
    screen.getByText('The crawl was cancelled');
  });
});

describe('the connection', () => {
  it('closes when the component goes', () => {
    const { socket, unmount } = show();
    socket.open();
    unmount();
    expect(socket.close).toHaveBeenCalledWith(1000, 'Client disconnecting');
  });

  it('follows another crawl when the id changes', () => {
    const { socket, rerender } = show();
    socket.say({ logs: ['of the first'] });
    rerender(<CrawlProgress progressId="other" />);
    expect(socket.close).toHaveBeenCalled();
    expect(PageSocket.all.at(-1)!.url).toContain('/api/crawl-progress/other');
    screen.getByText('Connecting to progress stream...');
  });

  it('reads over plain HTTP while the socket is away', async () => {
    vi.useFakeTimers();
    const answer = { progressId: 'test-id', status: 'crawling', percentage: 60, totalPages: 10, processedPages: 6, sequence: 8 };
    const fetch = vi.fn(async () => new Response(JSON.stringify(answer)));
    vi.stubGlobal('fetch', fetch);
    const { socket } = show();
    socket.open();
    socket.say({ sequence: 5, percentage: 30, totalPages: 10 });
    await act(() => vi.advanceTimersByTimeAsync(10_000));
    expect(fetch).not.toHaveBeenCalled();
    act(() => socket.onclose!({ code: 1006 }));
    await act(() => vi.advanceTimersByTimeAsync(4_100));
    expect(fetch.mock.calls[0]).toMatchObject(['/api/progress/test-id', { method: 'GET' }]);
    expect(bar().getAttribute('aria-valuenow')).toBe('60');
  });

  it('offers to reconnect now', () => {
    const { socket } = show();
    socket.say({ percentage: 30 });
    act(() => socket.onclose!({ code: 1006 }));
    fireEvent.click(screen.getByRole('button', { name: 'Reconnect now' }));
    expect(PageSocket.all).toHaveLength(2);
  });
});
