/** The seed's module; its code is the package beside, which others can copy. */
export * from '../../packages/crawl-progress/src/crawlProgressService';
