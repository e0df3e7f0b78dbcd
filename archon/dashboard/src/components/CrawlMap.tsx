import { plural, shortUrl } from '../format';
import type { CrawlPreview } from '../services/api';
import { Notice } from './Notice';
import { REASONS } from './CrawledPages';

const KINDS: Record<string, string> = {
  page: 'A page: its links are followed.',
  sitemap: 'A sitemap: the addresses it lists are crawled.',
  llms_txt: 'An llms.txt: the pages it links to are crawled.',
  llms_full_txt: 'An llms-full.txt: its sections become pages.',
  text: 'A text file: it becomes one page.',
  sitemap_index: 'A list of sitemaps: the addresses they list are crawled.',
  github_blob: 'A file of a repository.',
  github_tree: 'A folder of a repository: its files are crawled.',
  pdf: 'A PDF: its text becomes one page.',
};

/** What a crawl would begin with: what the address is, and which addresses would be taken or left. */
export function CrawlMap({ preview, onExclude }: { preview: CrawlPreview; onExclude: (pattern: string) => void }) {
  const { crawl: taken = 0, skip: left = 0 } = preview.counts;
  return (
    <section className="crawl-map" aria-label="Preview">
      {preview.warnings.map((warning) => (
        <Notice key={warning} tone="warn" title="Little would be crawled here">
          {warning}
        </Notice>
      ))}
      <Notice tone={preview.robots.allowed ? 'idle' : 'warn'} title={KINDS[preview.kind] ?? `Kind of the address: ${preview.kind.replaceAll('_', ' ')}.`}>
        {plural(taken, 'address', 'addresses')} of {plural(taken + left, 'address', 'addresses')} found so far would be crawled.
        {!preview.robots.allowed && ' robots.txt forbids the start.'} {preview.truncated}
        {preview.notes.length > 0 && (
          <ul className="notice-list">
            {preview.notes.map((note, index) => (
              <li key={index}>{note}</li>
            ))}
          </ul>
        )}
      </Notice>
      <ol className="panel rows crawl-map-list" tabIndex={0} aria-label="Addresses found">
        {preview.pages.map(({ url, verdict, reason }) => (
          <li key={url} className="row map-row">
            <span className={`state state-${verdict === 'crawl' ? 'done' : 'skipped'}`}>
              {verdict === 'crawl' ? 'Taken' : (REASONS[reason] ?? reason.replaceAll('_', ' '))}
            </span>
            <span className="mono cut" title={url}>{shortUrl(url)}</span>
            {verdict === 'crawl' && (
              <button type="button" className="text-button" aria-label={`Exclude ${shortUrl(url)}`} onClick={() => onExclude(pathOf(url))}>
                Exclude
              </button>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}

/** The path as a pattern: what stands for anything in patterns is left to do so. */
function pathOf(url: string): string {
  try {
    return new URL(url).pathname;
  } catch {
    return url;
  }
}
