import { Link } from 'react-router';
import { plural, shortUrl, webAddress } from '../format';
import type { Evaluation } from '../services/api';
import type { EvalQuestion } from '../services/questions';
import { MODE_NAMES } from './EvalScores';
import { Notice } from './Notice';

interface Miss {
  question: EvalQuestion;
  ranks: Record<string, number | null>;
  number: number;
}

/** Questions with a mode that shows no expected page among ten: each leads to that very search. */
export function EvalMisses({ questions, evaluation }: { questions: EvalQuestion[]; evaluation: Evaluation }) {
  const misses = questions
    .map((question, index): Miss => ({ question, ranks: evaluation.ranks[index] ?? {}, number: index + 1 }))
    .filter(({ ranks }) => Object.values(ranks).includes(null));
  if (misses.length === 0) return <Notice tone="good" title="Every question found its page in every mode" />;
  return (
    <section aria-labelledby="misses-title">
      <div className="section-head">
        <h2 id="misses-title">Misses</h2>
        <span className="muted">{plural(misses.length, 'question')} with no expected page among the first ten of some mode</span>
      </div>
      <ul className="panel rows">
        {misses.map((miss) => (
          <Row key={miss.number} miss={miss} />
        ))}
      </ul>
    </section>
  );
}

function Row({ miss: { question, ranks, number } }: { miss: Miss }) {
  return (
    <li className="row eval-miss">
      <span className="eval-query">
        <span className="muted">{number}.</span> {question.query}
      </span>
      <span className="eval-expected muted">
        {question.expected.map((page) => (
          <Page key={page} page={page} />
        ))}
      </span>
      <span className="eval-places">
        {Object.entries(ranks).map(([mode, rank]) => (
          <Link key={mode} to={searchFor(question, mode)} className={rank ? 'state' : 'state state-failed'} title={`Search this by ${MODE_NAMES[mode] ?? mode}`}>
            {MODE_NAMES[mode] ?? mode}: {rank ? `place ${rank}` : 'missed'}
          </Link>
        ))}
      </span>
    </li>
  );
}

function Page({ page }: { page: string }) {
  const href = webAddress(page);
  return href ? (
    <a className="mono cut" href={href} title={page} rel="noreferrer" target="_blank">
      {shortUrl(page)}
    </a>
  ) : (
    <span className="mono cut" title={page}>
      {page}
    </span>
  );
}

function searchFor({ query, source }: EvalQuestion, mode: string): { pathname: string; search: string } {
  const params = new URLSearchParams({ q: query, ...(mode === 'hybrid' ? {} : { mode }), ...(source ? { source } : {}) });
  return { pathname: '/search', search: params.toString() };
}
