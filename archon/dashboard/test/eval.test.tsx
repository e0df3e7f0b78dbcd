// @vitest-environment jsdom
import { cleanup, screen, within } from '@testing-library/react';
import { beforeEach, describe, expect, it } from 'vitest';
import { readQuestions } from '../src/services/questions';
import { answers, requests, visit } from './app';

describe('Questions', () => {
  it('are read from YAML, from JSON, and from a file with `questions`', () => {
    const wanted = [{ query: 'How?', expected: ['a/b.html'] }, { query: 'Why?', expected: ['c', 'd'], source: 's', tags: ['t'] }];
    expect(readQuestions('- query: How?\n  expected: a/b.html\n- query: Why?\n  expected: [c, d]\n  source: s\n  tags: t')).toEqual(wanted);
    expect(readQuestions(JSON.stringify({ questions: wanted }))).toEqual(wanted);
  });

  it.each([
    ['', 'There are no questions.'],
    ['- query: a\n expected: b', 'Line 2 cannot be read'],
    ['- query: a', 'Question 1 names no page'],
    ['- {query: a, expected: b}\n- {expected: b}', 'Question 2 has no query'],
    ['- {query: a, expect: b}', 'unknown field "expect"'],
    ['- {query: 12, expected: b}', 'has no query'],
    ['- {query: a, expected: b, source: 12}', 'source that is no text'],
    [JSON.stringify(Array(201).fill({ query: 'a', expected: 'b' })), 'at most 200'],
  ])('that cannot be asked are refused with the place: %j', (text, said) => {
    expect(() => readQuestions(text)).toThrow(said);
  });
});

const score = { hit_at_1: 0.5, hit_at_5: 0.5, hit_at_10: 1, mrr: 0.583, ndcg_at_10: 0.678, median_ms: 4.2, answered_as: [], unavailable: '' };

describe('Eval bench', () => {
  beforeEach(() => sessionStorage.clear());

  it('scores every mode, and lists what was missed with the search that missed it', async () => {
    answers['POST /api/rag/eval'] = [
      200,
      {
        success: true,
        modes: [
          { ...score, mode: 'keyword' },
          { ...score, mode: 'vector', unavailable: 'Search by meaning is off.' },
          { ...score, mode: 'hybrid', hit_at_1: 1, answered_as: ['keyword'] },
        ],
        ranks: [{ keyword: 1, hybrid: 1 }, { keyword: null, hybrid: 6 }],
        took_ms: 12,
      },
    ];
    const user = visit('/search?view=eval');
    await user.click(await screen.findByRole('button', { name: 'Fill in an example' }));
    await user.click(screen.getByRole('button', { name: 'Score the search' }));
    const scores = within(await screen.findByRole('region', { name: 'Scores by mode' })).getAllByRole('row');
    expect(scores.map(({ textContent }) => textContent)).toEqual([
      'ModeHit@1Hit@5Hit@10MRRnDCG@10Median',
      'Keywords0.5000.5001.0000.5830.6784 ms',
      'MeaningSearch by meaning is off.',
      'Hybrid answered as Keywords1.0000.5001.0000.5830.6784 ms',
    ]);
    expect(requests.find(({ path }) => path === '/api/rag/eval')!.body).toMatchObject({
      questions: [{ query: 'How do I run a coroutine?', expected: ['library/asyncio-runner.html'] }, {}],
    });
    const missed = screen.getByRole('link', { name: 'Keywords: missed' });
    expect(missed.getAttribute('href')).toBe('/search?q=list+the+files+of+a+directory&mode=keyword');
    screen.getByRole('link', { name: 'Hybrid: place 6' });
  });

  it('says what is wrong with the questions without asking the server', async () => {
    const user = visit('/search?view=eval');
    await user.type(await screen.findByRole('textbox'), '- query: a');
    await user.click(screen.getByRole('button', { name: 'Score the search' }));
    expect((await screen.findByRole('alert')).textContent).toContain('Question 1 names no page that answers it.');
    expect(requests.some(({ path }) => path === '/api/rag/eval')).toBe(false);
  });

  it('keeps the questions over a reload', async () => {
    const user = visit('/search?view=eval');
    await user.click(await screen.findByRole('button', { name: 'Fill in an example' }));
    cleanup();
    visit('/search?view=eval');
    expect((await screen.findByRole<HTMLTextAreaElement>('textbox')).value).toContain('How do I run a coroutine?');
  });
});
