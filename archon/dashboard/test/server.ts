/** A real WebSocket server for tests, which remembers who came and what they said. */
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket as ServerSocket } from 'ws';

export class StreamServer {
  readonly paths: string[] = [];
  readonly received: string[] = [];
  readonly sockets: ServerSocket[] = [];

  private constructor(private readonly server: WebSocketServer) {
    server.on('connection', (socket, request) => {
      this.paths.push(request.url ?? '');
      this.sockets.push(socket);
      socket.on('message', (text) => this.received.push(String(text)));
      this.onConnection(socket, this.sockets.length);
    });
  }

  /** What the server does with its nth connection, counted from 1. */
  onConnection: (socket: ServerSocket, nth: number) => void = () => undefined;

  static async start(): Promise<StreamServer> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await new Promise((resolve) => server.once('listening', resolve));
    return new StreamServer(server);
  }

  get address(): string {
    return `ws://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get newest(): ServerSocket {
    return this.sockets.at(-1)!;
  }

  send(message: unknown): void {
    this.newest.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  progress(data: Record<string, unknown>): void {
    this.send({ type: 'crawl_progress', data: { progressId: 'test-id', status: 'crawling', percentage: 10, ...data } });
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.terminate();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
