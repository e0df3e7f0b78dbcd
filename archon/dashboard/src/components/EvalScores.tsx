import { milliseconds } from '../format';
import type { Evaluation } from '../services/api';

export const MODE_NAMES: Record<string, string> = { keyword: 'Keywords', vector: 'Meaning', hybrid: 'Hybrid' };

type ModeScore = Evaluation['modes'][number];

const FIGURES = [
  ['hit_at_1', 'Hit@1', 'Share of the questions with an expected page in the first place'],
  ['hit_at_5', 'Hit@5', 'Share with one among the first five'],
  ['hit_at_10', 'Hit@10', 'Share with one among the first ten'],
  ['mrr', 'MRR', 'Mean of 1 / place of the first expected page'],
  ['ndcg_at_10', 'nDCG@10', 'How near the ten first pages come to the best order possible'],
] as const;

/** The figures of each mode; the best of every column stands out. */
export function EvalScores({ modes }: { modes: ModeScore[] }) {
  const usable = modes.filter(({ unavailable }) => !unavailable);
  const best = (name: (typeof FIGURES)[number][0]) => Math.max(...usable.map((score) => score[name]));
  return (
    <div className="table-scroll panel" tabIndex={0} role="region" aria-label="Scores by mode">
      <table className="table eval-scores">
        <thead>
          <tr>
            <th scope="col">Mode</th>
            {FIGURES.map(([name, label, says]) => (
              <th key={name} scope="col" className="num" title={says}>
                {label}
              </th>
            ))}
            <th scope="col" className="num" title="Half of the questions were answered within this time">
              Median
            </th>
          </tr>
        </thead>
        <tbody>
          {modes.map((score) => (
            <tr key={score.mode}>
              <th scope="row">
                {MODE_NAMES[score.mode] ?? score.mode}
                {score.answered_as.length > 0 && (
                  <span className="muted"> answered as {score.answered_as.map((mode) => MODE_NAMES[mode] ?? mode).join(', ')}</span>
                )}
              </th>
              {score.unavailable ? (
                <td colSpan={FIGURES.length + 1} className="muted">
                  {score.unavailable}
                </td>
              ) : (
                <>
                  {FIGURES.map(([name]) => (
                    <td key={name} className={score[name] > 0 && score[name] === best(name) ? 'num is-best' : 'num'}>
                      {score[name].toFixed(3)}
                    </td>
                  ))}
                  <td className="num nowrap">{milliseconds(score.median_ms)}</td>
                </>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
