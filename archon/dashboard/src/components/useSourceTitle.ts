import { useQuery } from '@tanstack/react-query';
import { shortUrl } from '../format';
import { fetchSources } from '../services/api';
import type { CrawlProgressData } from '../services/crawlProgressService';

export const SOURCES_QUERY = {
  queryKey: ['sources'],
  queryFn: ({ signal }: { signal: AbortSignal }) => fetchSources(signal),
  staleTime: 30_000,
};

/** The title of the source that an operation fills; until it is known, the host that is crawled. */
export function useSourceTitle(progress: CrawlProgressData | null): string | null {
  const sourceId = progress?.sourceId;
  const sources = useQuery({ ...SOURCES_QUERY, enabled: Boolean(sourceId) });
  const title = sources.data?.find((source) => source.source_id === sourceId)?.title;
  const host = progress?.currentUrl ? shortUrl(progress.currentUrl).split('/')[0] : undefined;
  // A source is named by its address until its first page tells its title.
  return (title && shortUrl(title)) || host || null;
}
