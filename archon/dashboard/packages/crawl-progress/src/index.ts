export * from './crawlProgressService.js';
export * from './reconnectingSocket.js';
