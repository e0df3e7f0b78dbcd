import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket as NodeWebSocket } from 'ws';
import { CrawlProgressService, type ConnectionState, type CrawlProgressData } from '../src/services/crawlProgressService';
import { backoffDelay, defaultBaseUrl, type WebSocketConstructor } from '../src/services/reconnectingSocket';
import { StreamServer } from './server';

const QUICK = { reconnectDelay: 10 };

let server: StreamServer;
let service: CrawlProgressService;
let seen: CrawlProgressData[];
const see = (data: CrawlProgressData) => void seen.push(data);

beforeEach(async () => {
  server = await StreamServer.start();
  service = new CrawlProgressService(server.address, { WebSocket: NodeWebSocket as unknown as WebSocketConstructor });
  seen = [];
});

afterEach(async () => {
  service.disconnectAll();
  await server.stop();
});

/** Waits until the check holds; long enough for a busy machine. */
const soon = (check: () => void) => vi.waitFor(check, { timeout: 10_000, interval: 10 });
const connections = (n: number) => soon(() => expect(server.sockets).toHaveLength(n));
const states = (n: number) => soon(() => expect(seen).toHaveLength(n));
const later = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe('a stream', () => {
  it('returns the socket of the address of its progress id', async () => {
    const socket = service.streamProgress('test-id', see);
    expect(socket.url).toBe(`${server.address}/api/crawl-progress/test-id`);
    await connections(1);
    expect(server.paths).toEqual(['/api/crawl-progress/test-id']);
  });

  it('takes any text as a progress id', async () => {
    service.streamProgress('a b/ü?', see);
    await connections(1);
    expect(server.paths).toEqual(['/api/crawl-progress/a%20b%2F%C3%BC%3F']);
  });

  it('hands over progress and completion, and nothing else', async () => {
    service.streamProgress('test-id', see);
    await connections(1);
    server.progress({ percentage: 45 });
    server.send({ type: 'pong' });
    server.send({ type: 'something_new', data: { progressId: 'test-id' } });
    server.send('not json');
    server.send('null');
    server.send({ type: 'crawl_progress' });
    server.send({ type: 'crawl_completed', data: { progressId: 'test-id', status: 'completed', percentage: 100 } });
    await states(2);
    expect(seen.map(({ percentage }) => percentage)).toEqual([45, 100]);
  });

  it('answers a heartbeat with the bare text ping', async () => {
    service.streamProgress('test-id', see);
    await connections(1);
    server.send({ type: 'heartbeat' });
    await soon(() => expect(server.received).toEqual(['ping']));
    expect(seen).toEqual([]);
  });

  it('writes nothing to the console', async () => {
    const spies = (['log', 'warn', 'error', 'info', 'debug'] as const).map((name) => vi.spyOn(console, name));
    service.streamProgress('test-id', see, QUICK);
    await connections(1);
    server.send('not json');
    server.newest.terminate();
    await connections(2);
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
  });

  it('replaces an earlier stream of the same id', async () => {
    const first = service.streamProgress('test-id', () => expect.unreachable());
    await connections(1);
    service.streamProgress('test-id', see);
    await connections(2);
    expect(first.readyState).toBeGreaterThanOrEqual(2);
    server.progress({ percentage: 7 });
    await states(1);
  });
});

describe('sequences', () => {
  it('drops what it has already handed over', async () => {
    service.streamProgress('test-id', see);
    await connections(1);
    for (const sequence of [1, 2, 2, 1, 3]) server.progress({ sequence });
    await states(3);
    expect(seen.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
  });

  it('passes states without a sequence on, as an older server sends them', async () => {
    service.streamProgress('test-id', see);
    await connections(1);
    server.progress({ percentage: 1 });
    server.progress({ percentage: 1 });
    await states(2);
  });

  it('asks only for what it missed, and takes the replay in order', async () => {
    service.streamProgress('test-id', see, QUICK);
    await connections(1);
    server.progress({ sequence: 4 });
    await states(1);
    server.onConnection = () => [4, 5, 6].forEach((sequence) => server.progress({ sequence }));
    server.newest.close(1012);
    await connections(2);
    await states(3);
    expect(server.paths[1]).toBe('/api/crawl-progress/test-id?since=4');
    expect(seen.map(({ sequence }) => sequence)).toEqual([4, 5, 6]);
  });

  it('asks without since as long as nothing was numbered', async () => {
    service.streamProgress('test-id', see, QUICK);
    await connections(1);
    server.newest.close(1012);
    await connections(2);
    expect(server.paths[1]).toBe('/api/crawl-progress/test-id');
  });

  it('takes a resync whatever its number is', async () => {
    service.streamProgress('test-id', see);
    await connections(1);
    server.progress({ sequence: 90 });
    server.progress({ sequence: 3, resync: true });
    server.progress({ sequence: 4 });
    await states(3);
    expect(seen.map(({ sequence }) => sequence)).toEqual([90, 3, 4]);
  });
});

describe('reconnecting', () => {
  it.each([1001, 1011, 1012, 1013, 4000])('comes back after close code %i', async (code) => {
    service.streamProgress('test-id', see, QUICK);
    await connections(1);
    server.newest.close(code);
    await connections(2);
  });

  it('comes back after a connection that broke', async () => {
    service.streamProgress('test-id', see, QUICK);
    await connections(1);
    server.newest.terminate();
    await connections(2);
  });

  it('stays away after close code 1000', async () => {
    const ended = vi.fn();
    service.streamProgress('test-id', see, { ...QUICK, onConnectionChange: ended });
    await connections(1);
    server.newest.close(1000);
    await soon(() => expect(ended).toHaveBeenLastCalledWith('disconnected'));
    await later(60);
    expect(server.sockets).toHaveLength(1);
  });

  it('stays away when told not to reconnect', async () => {
    const socket = service.streamProgress('test-id', see, { ...QUICK, autoReconnect: false });
    await connections(1);
    server.newest.terminate();
    await soon(() => expect(socket.readyState).toBe(3));
    await later(60);
    expect(server.sockets).toHaveLength(1);
  });

  it('counts attempts anew after each open', async () => {
    let opened = 0;
    const count = (state: ConnectionState) => void (opened += state === 'connected' ? 1 : 0);
    service.streamProgress('test-id', see, { ...QUICK, maxReconnectAttempts: 1, onConnectionChange: count });
    for (let n = 1; n <= 4; n += 1) {
      await soon(() => expect(opened).toBe(n));
      server.newest.terminate();
    }
    await connections(5);
  });

  it('tells the state of the connection', async () => {
    const told: ConnectionState[] = [];
    service.streamProgress('test-id', see, { ...QUICK, onConnectionChange: (state) => told.push(state) });
    await connections(1);
    await soon(() => expect(told).toEqual(['connecting', 'connected']));
    server.newest.terminate();
    await soon(() => expect(told).toEqual(['connecting', 'connected', 'disconnected', 'connecting', 'connected']));
  });
});

describe('disconnecting', () => {
  it('closes with 1000 and does not come back', async () => {
    service.streamProgress('test-id', see, QUICK);
    await connections(1);
    const closed = new Promise<number>((resolve) => server.newest.on('close', resolve));
    service.disconnect('test-id');
    expect(await closed).toBe(1000);
    await later(60);
    expect(server.sockets).toHaveLength(1);
  });

  it('also stops a reconnect that is waiting for its turn', async () => {
    const told = vi.fn();
    service.streamProgress('test-id', see, { reconnectDelay: 400, onConnectionChange: told });
    await connections(1);
    server.newest.terminate();
    await soon(() => expect(told).toHaveBeenLastCalledWith('disconnected'));
    service.disconnect('test-id');
    await later(450);
    expect(server.sockets).toHaveLength(1);
  });

  it('ends every stream at once', async () => {
    for (const id of ['a', 'b', 'c']) service.streamProgress(id, see);
    await connections(3);
    service.disconnectAll();
    await soon(() => expect(server.sockets.every(({ readyState }) => readyState === 3)).toBe(true));
  });

  it('ends only the named stream', async () => {
    service.streamProgress('a', see);
    await connections(1);
    service.streamProgress('b', see);
    await connections(2);
    service.disconnect('a');
    service.disconnect('unknown');
    await soon(() => expect(server.sockets[0]!.readyState).toBe(3));
    expect(server.sockets[1]!.readyState).toBe(1);
  });
});

describe('silence', () => {
  it('counts as a dead connection after its limit', async () => {
    service.streamProgress('test-id', see, { ...QUICK, silenceLimit: 80 });
    await connections(1);
    server.progress({ sequence: 9 });
    await connections(2);
    expect(server.paths[1]).toBe('/api/crawl-progress/test-id?since=9');
  });
});

describe('with a clock of our own', () => {
  /** A socket that only does what the test tells it. */
  class StillSocket {
    static all: StillSocket[] = [];
    readyState = 0;
    onopen: (() => void) | null = null;
    onclose: ((event: { code: number }) => void) | null = null;
    onmessage: ((event: { data: string }) => void) | null = null;
    onerror: (() => void) | null = null;
    send = vi.fn();
    close = vi.fn();
    constructor(readonly url: string) {
      StillSocket.all.push(this);
    }
  }

  beforeEach(() => {
    vi.useFakeTimers();
    StillSocket.all = [];
    service = new CrawlProgressService('ws://here', {
      WebSocket: StillSocket as unknown as WebSocketConstructor,
      random: () => 1,
    });
  });
  afterEach(() => vi.useRealTimers());

  const failNewest = () => StillSocket.all.at(-1)!.onclose!({ code: 1006 });

  it('waits longer before every attempt and gives up after the fifth', () => {
    service.streamProgress('test-id', see);
    const waits: number[] = [];
    for (let n = 1; n <= 5; n += 1) {
      failNewest();
      const before = Date.now();
      vi.runOnlyPendingTimers();
      waits.push(Date.now() - before);
    }
    expect(waits).toEqual([5_000, 10_000, 20_000, 30_000, 30_000]);
    failNewest();
    vi.advanceTimersByTime(3_600_000);
    expect(StillSocket.all).toHaveLength(6);
  });

  it('waits longer and longer for a server that accepts and closes, and not after one that spoke', () => {
    service.streamProgress('test-id', see);
    const wait = () => {
      failNewest();
      const before = Date.now();
      vi.runOnlyPendingTimers();
      StillSocket.all.at(-1)!.onopen!();
      return Date.now() - before;
    };
    expect([wait(), wait(), wait()]).toEqual([5_000, 10_000, 20_000]);
    StillSocket.all.at(-1)!.onmessage!({ data: '{"type":"heartbeat"}' });
    expect(wait()).toBe(5_000);
  });

  it('tries again at once when asked, also after giving up', () => {
    service.streamProgress('test-id', see, { maxReconnectAttempts: 0 });
    failNewest();
    service.reconnect('test-id');
    expect(StillSocket.all).toHaveLength(2);
    service.reconnect('test-id');
    expect(StillSocket.all).toHaveLength(2);
  });

  it('does not wait for the close event of a connection silent for 75 seconds', () => {
    service.streamProgress('test-id', see);
    StillSocket.all[0]!.onopen!();
    vi.advanceTimersByTime(75_000);
    expect(StillSocket.all[0]!.close).toHaveBeenCalledWith(4408, 'No frame received');
    vi.advanceTimersByTime(5_000);
    expect(StillSocket.all).toHaveLength(2);
  });

  it('counts silence from the newest frame, whatever it is', () => {
    service.streamProgress('test-id', see);
    const [socket] = StillSocket.all;
    socket!.onopen!();
    for (let n = 0; n < 5; n += 1) {
      vi.advanceTimersByTime(60_000);
      socket!.onmessage!({ data: n % 2 ? '{"type":"heartbeat"}' : 'anything' });
    }
    expect(socket!.close).not.toHaveBeenCalled();
    expect(StillSocket.all).toHaveLength(1);
  });

  it('ignores what a replaced connection still has to say', () => {
    service.streamProgress('test-id', see);
    const [dead] = StillSocket.all;
    dead!.onopen!();
    vi.advanceTimersByTime(80_000);
    dead!.onmessage!({ data: '{"type":"crawl_progress","data":{"status":"crawling"}}' });
    dead!.onclose!({ code: 1006 });
    vi.advanceTimersByTime(1_000);
    expect(seen).toEqual([]);
    expect(StillSocket.all).toHaveLength(2);
  });

  it('keeps the wait between half and all of its step', () => {
    expect(backoffDelay(1, 5_000, () => 0)).toBe(2_500);
    expect(backoffDelay(1, 5_000, () => 1)).toBe(5_000);
    expect(backoffDelay(99, 5_000, () => 1)).toBe(30_000);
    expect(backoffDelay(99, 60_000, () => 1)).toBe(60_000);
  });
});

describe('the address', () => {
  it('is the local server outside a browser', () => expect(defaultBaseUrl()).toBe('ws://localhost:8080'));

  it('is the origin of the page in a browser', () => {
    vi.stubGlobal('window', { location: { protocol: 'https:', host: 'docs.example.com' } });
    expect(defaultBaseUrl()).toBe('wss://docs.example.com');
    vi.unstubAllGlobals();
  });

  it('needs a WebSocket from somewhere, and says so', () => {
    vi.stubGlobal('WebSocket', undefined);
    expect(() => new CrawlProgressService().streamProgress('test-id', see)).toThrow('No WebSocket here');
    vi.unstubAllGlobals();
  });
});
