export * from '../../packages/crawl-progress/src/reconnectingSocket';
