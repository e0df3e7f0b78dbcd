// Follows one crawl in a terminal: node --experimental-websocket follow.mjs ws://localhost:8080 PROGRESS_ID
// Node 22 has a WebSocket of its own; Node 20 has it behind that flag.
import { CrawlProgressService, isTerminal } from './dist/index.js';

const [address, progressId] = process.argv.slice(2);
const service = new CrawlProgressService(address);
service.streamProgress(
  progressId,
  (data) => {
    console.log(`${String(data.percentage).padStart(3)}% ${data.status} ${data.log ?? ''}`);
    if (isTerminal(data.status)) service.disconnectAll();
  },
  { onConnectionChange: (state) => console.error(state) },
);
