import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Code } from 'lucide-react';
import { Link } from 'react-router';
import { count, plural, shortUrl, webAddress } from '../format';
import { pageNumber, useAddress } from '../pages/useAddress';
import { EXAMPLES_PER_PAGE, fetchCodeExamples, type CodeExample } from '../services/api';
import { CopyButton } from './CopyButton';
import { Empty, ErrorNotice } from './Notice';
import { Pager } from './Pager';

const LEFT_OUT: Record<string, string> = {
  short: 'too short',
  long: 'too long',
  prose: 'prose',
  diagram: 'diagrams',
  output: 'output',
  duplicate: 'repeated',
};

/** The code of a source in reading order, to copy, each with the page and the heading it stands under. */
export function CodeExamples({ sourceId, base }: { sourceId: string; base: string }) {
  const [params] = useAddress();
  const page = pageNumber(params);
  const examples = useQuery({
    queryKey: ['code-examples', sourceId, page],
    queryFn: ({ signal }) => fetchCodeExamples(sourceId, page, signal),
    placeholderData: keepPreviousData,
  });
  if (examples.isError) return <ErrorNotice error={examples.error} onRetry={() => void examples.refetch()} />;
  if (!examples.data) return <div className="panel skeleton" role="status" aria-label="Reading the code examples" />;
  const { code_examples: shown, total, left_out, descriptions } = examples.data;
  const reasons = Object.entries(left_out).filter(([, n]) => n > 0);
  return (
    <section aria-label="Code examples">
      {total === 0 && (
        <Empty icon={<Code />} title="No code examples">
          {reasons.length > 0 ? 'The pages hold code, but none that stands as an example.' : 'The pages hold no code, or were crawled without looking for it.'}
        </Empty>
      )}
      <ol className="results" aria-busy={examples.isPlaceholderData}>
        {shown.map((example) => (
          <Example key={example.id} example={example} base={base} />
        ))}
      </ol>
      <Pager page={page} perPage={EXAMPLES_PER_PAGE} total={total} label="Pages of code examples" />
      {reasons.length > 0 && (
        <p className="section-note">
          Left out: {reasons.map(([reason, n]) => `${count(n)} ${LEFT_OUT[reason] ?? reason}`).join(', ')}.
        </p>
      )}
      {descriptions.by_model + descriptions.waiting + descriptions.failed > 0 && (
        <p className="section-note">
          Titles and summaries: {count(descriptions.by_model)} by a language model, {count(descriptions.waiting)} to come, {count(descriptions.failed)} it
          could not write. {descriptions.reason}
        </p>
      )}
    </section>
  );
}

function Example({ example, base }: { example: CodeExample; base: string }) {
  const { title, summary, content, language, url, metadata } = example;
  const name = title || metadata.page_title || shortUrl(url);
  const anchored = metadata.anchor && !url.includes('#') ? `${url}#${metadata.anchor}` : url;
  return (
    <li className="result">
      <div className="result-head">
        <h2 className="chunk-title cut" title={name}>
          {name}
        </h2>
        <div className="example-tools">
          <span className="kind">{language || 'language unknown'}</span>
          <CopyButton text={content} label={`Copy the code of ${name}`} />
        </div>
      </div>
      {summary && summary !== name && <p className="example-summary muted">{summary}</p>}
      <pre className="snippet example-code" tabIndex={0} aria-label={`Code of ${name}`}>
        {content}
      </pre>
      <p className="result-foot">
        <a className="mono cut" href={webAddress(anchored)} title={anchored} rel="nofollow noopener noreferrer" target="_blank">
          {metadata.heading_path || shortUrl(anchored)}
        </a>
        <Link className="text-button" to={`${base}/pages/${metadata.page_id}`}>
          Read the page here
        </Link>
        <span className="nowrap">{plural(content.split('\n').length, 'line')}</span>
      </p>
    </li>
  );
}
