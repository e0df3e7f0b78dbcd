import { useMutation } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { milliseconds, plural } from '../format';
import { evaluateSearch, type Evaluation } from '../services/api';
import { BadQuestions, readQuestions, type EvalQuestion } from '../services/questions';
import { EvalMisses } from './EvalMisses';
import { EvalScores } from './EvalScores';
import { ErrorNotice, Notice } from './Notice';

const EXAMPLE = `- query: How do I run a coroutine?
  expected: library/asyncio-runner.html
- query: list the files of a directory
  expected: [library/os.html, library/pathlib.html]`;

interface Asked {
  text: string;
  questions: EvalQuestion[];
  evaluation: Evaluation | null;
}

/** Too long for an address; a tab of its own keeps it over a reload. */
const KEPT = 'archon-eval-bench';

function kept(): Asked {
  try {
    const asked = JSON.parse(sessionStorage.getItem(KEPT) ?? '') as Asked;
    if (typeof asked.text === 'string') return asked;
  } catch {
    // Nothing was kept, or the browser keeps nothing.
  }
  return { text: '', questions: [], evaluation: null };
}

function keep(asked: Asked) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(asked));
  } catch {
    // Without storage a reload begins anew; nothing else is lost.
  }
}

/** One's own questions, asked in every mode: how well is what they look for found? */
export function EvalBench() {
  const [before] = useState(kept);
  const [text, setText] = useState(before.text);
  const run = useMutation({
    mutationFn: async (typed: string): Promise<Asked> => {
      const questions = readQuestions(typed);
      return { text: typed, questions, evaluation: await evaluateSearch(questions) };
    },
    onSuccess: keep,
  });
  const shown = run.data ?? (run.isIdle ? before : null);
  const change = (typed: string) => {
    setText(typed);
    keep({ ...(shown ?? before), text: typed });
  };

  return (
    <section aria-label="Eval bench">
      <form
        className="panel form"
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          run.mutate(text);
        }}
      >
        <div className="field">
          <label className="field-label" htmlFor="eval-questions">
            Questions and the pages that answer them
          </label>
          <textarea
            id="eval-questions"
            className="input mono"
            rows={9}
            spellCheck={false}
            placeholder={EXAMPLE}
            aria-describedby="eval-hint"
            aria-invalid={run.error ? true : undefined}
            value={text}
            onChange={(event) => change(event.target.value)}
          />
          <p className="field-hint" id="eval-hint">
            YAML or JSON, up to 200. A page is its address, or the end of it from a slash on. With <code>source</code> and <code>tags</code> a question is asked of less.
          </p>
        </div>
        <div className="form-foot">
          <button className="button button-primary" disabled={run.isPending || !text.trim()}>
            {run.isPending ? 'Asking…' : 'Score the search'}
          </button>
          {!text && (
            <button type="button" className="button" onClick={() => change(EXAMPLE)}>
              Fill in an example
            </button>
          )}
        </div>
      </form>
      <div className="eval-outcome" role="status" aria-busy={run.isPending}>
        {run.error instanceof BadQuestions ? (
          <Notice tone="bad" title={run.error.message}>
            {run.error.hint}
          </Notice>
        ) : (
          run.error && <ErrorNotice error={run.error} />
        )}
        {shown?.evaluation && (
          <>
            <p className="results-head">
              {plural(shown.questions.length, 'question')} in {milliseconds(shown.evaluation.took_ms)}
            </p>
            <EvalScores modes={shown.evaluation.modes} />
            <EvalMisses questions={shown.questions} evaluation={shown.evaluation} />
          </>
        )}
      </div>
    </section>
  );
}
