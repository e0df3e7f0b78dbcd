import { useQuery } from '@tanstack/react-query';
import { ChevronLeft, Diff, ExternalLink } from 'lucide-react';
import { Link } from 'react-router';
import { shortUrl, webAddress } from '../format';
import { fetchPageHtml } from '../services/api';
import { ErrorNotice, Notice } from './Notice';
import { SafeHtml } from './SafeHtml';

/** What was stored of one page, as a reader sees it: no images, no scripts, nothing of the page's own markup. */
export function PageViewer({ pageId, back }: { pageId: string; back: string }) {
  const page = useQuery({ queryKey: ['page', pageId], queryFn: ({ signal }) => fetchPageHtml(pageId, signal), staleTime: 60_000 });
  return (
    <article className="viewer">
      <Link className="back-link" to={back}>
        <ChevronLeft aria-hidden />
        All pages
      </Link>
      {page.isError && <ErrorNotice error={page.error} onRetry={() => void page.refetch()} />}
      {page.data && (
        <>
          <div className="viewer-head">
            <h2>{page.data.title || shortUrl(page.data.url)}</h2>
            <p className="viewer-links">
              <a className="text-button" href={webAddress(page.data.url)} rel="nofollow noopener noreferrer" target="_blank">
                <ExternalLink aria-hidden />
                <span className="cut">{shortUrl(page.data.url)}</span>
              </a>
              <Link className="text-button" to={`${back}/changes/${page.data.id}`}>
                <Diff aria-hidden />
                What changed
              </Link>
            </p>
          </div>
          <div className="panel viewer-text">
            <SafeHtml html={page.data.html} />
          </div>
          {page.data.truncated && (
            <Notice tone="idle" title="The page goes on">
              It is too long to show in one piece. Its Markdown is whole at <span className="mono">/api/pages/{page.data.id}</span>.
            </Notice>
          )}
        </>
      )}
    </article>
  );
}
