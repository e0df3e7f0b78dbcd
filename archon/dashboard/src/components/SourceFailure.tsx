import { CircleAlert } from 'lucide-react';
import { Link } from 'react-router';
import { ago, dateTime } from '../format';
import type { KnowledgeItem } from '../services/api';

/** That what filled the source failed last, why, and what to do; what it learned before can still be searched. */
export function SourceFailure({ item }: { item: KnowledgeItem }) {
  const { failure, document_count: pages, source_type } = item.metadata;
  if (!failure) return null;
  return (
    <div className="source-failure">
      <CircleAlert aria-hidden />
      <p>
        <Link to={`/crawls/${encodeURIComponent(failure.progress_id)}`} title={dateTime(failure.failed_at)}>
          {source_type === 'file' ? 'Reading' : 'Crawl'} failed {ago(failure.failed_at)}
        </Link>
        {pages ? ', the pages before are kept' : ', nothing was stored'}: {failure.message} {failure.hint}
      </p>
    </div>
  );
}
