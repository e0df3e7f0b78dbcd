import { describe, expect, it } from 'vitest';
import { ago, bytes, duration, milliseconds, shortUrl, webAddress } from '../src/format';
import { excerpt, pieces, plainText, queryWords, snippet, wordsAt } from '../src/highlight';
import { withScheme } from '../src/pages/AddSourcePage';
import { errorFrom } from '../src/services/api';

describe('numbers and times', () => {
  it.each([
    [0.4, '0 s'],
    [42, '42 s'],
    [60, '1 min'],
    [200, '3 min 20 s'],
    [3_900, '1 h 5 min'],
  ])('writes %f seconds as %s', (seconds, written) => expect(duration(seconds)).toBe(written));

  it('writes sizes and fetch times in the unit that fits', () => {
    expect([bytes(null), bytes(312), bytes(8_040), bytes(53_000), bytes(2_500_000)]).toEqual(['–', '312 B', '8.0 kB', '53 kB', '2.5 MB']);
    expect([milliseconds(null), milliseconds(90), milliseconds(1_530)]).toEqual(['–', '90 ms', '1.5 s']);
  });

  it('writes a time as the distance from now', () => {
    const now = Date.parse('2026-11-23T12:00:00Z');
    expect(ago('2026-11-23T11:59:40Z', now)).toBe('just now');
    expect(ago('2026-11-23T11:57:00Z', now)).toBe('3 minutes ago');
    expect(ago('2026-11-21T12:00:00Z', now)).toBe('2 days ago');
    expect(ago('2026-10-01T12:00:00Z', now)).toContain('2026');
    expect(ago('not a time', now)).toBe('not a time');
  });
});

describe('addresses', () => {
  it('are shown without what every address has', () => expect(shortUrl('https://www.example.com/guide/')).toBe('example.com/guide'));

  it('of uploads are the names of their files', () => {
    expect(shortUrl('upload://file_1b2c/a%20book.pdf#page=12')).toBe('a book.pdf#page=12');
    expect(shortUrl('upload://file_1b2c/')).toBe('uploaded files');
    expect(shortUrl('upload://file_1b2c/100%25%.md')).toBe('100%25%.md');
  });

  it('become links only when they lead to the web', () => {
    expect(webAddress('https://example.com')).toBe('https://example.com');
    expect(webAddress('javascript:alert(1)')).toBeUndefined();
    expect(webAddress(' data:text/html,x')).toBeUndefined();
  });

  it('get the scheme that people leave out', () => {
    expect(withScheme(' docs.example.com ')).toBe('https://docs.example.com');
    expect(withScheme('http://docs.example.com')).toBe('http://docs.example.com');
    expect(withScheme('ftp://docs.example.com')).toBe('ftp://docs.example.com');
    expect(withScheme('')).toBe('');
  });
});

describe('highlighting', () => {
  it('marks the words of the question at their start, whatever their case', () => {
    const marked = pieces('Cleanup runs; the cleanups of Effects, not aftereffects.', queryWords('effect cleanup'));
    expect(marked.filter((piece) => piece.marked).map((piece) => piece.text)).toEqual(['Cleanup', 'cleanup', 'Effect']);
    expect(marked.map((piece) => piece.text).join('')).toBe('Cleanup runs; the cleanups of Effects, not aftereffects.');
  });

  it('leaves out words that are everywhere and signs that mean something to a pattern', () => {
    expect(queryWords('what is the (a+)+ of C++ in $& Zürich?')).toEqual(['zürich']);
    expect(pieces('anything', [])).toEqual([{ text: 'anything', marked: false }]);
  });

  it('takes the words that the server found, counted in code points', () => {
    const words = wordsAt('🙂 Ran C++ (fast)', [[2, 5], [6, 9], [2, 5]]);
    expect(words).toEqual(['ran', 'c++']);
    expect(pieces('He ran c++', words).filter((piece) => piece.marked).map((piece) => piece.text)).toEqual(['ran', 'c++']);
  });

  it('cuts the passage around the first marked word', () => {
    const text = `${'before '.repeat(80)}needle ${'after '.repeat(80)}`.trim();
    const cut = snippet(text, ['needle'], 100);
    expect(cut).toContain('needle');
    expect(cut.startsWith('… ')).toBe(true);
    expect(cut.endsWith(' …')).toBe(true);
    expect(cut.length).toBeLessThan(110);
    expect(snippet('short', ['needle'])).toBe('short');
  });

  it('reads Markdown as running text', () => {
    expect(plainText('## Use\n\nCall **it** with `x` and [a link](http://e.x), *never* twice.\n```js\nf(a * b * c)\n```')).toBe(
      'Use Call it with x and a link, never twice. f(a * b * c)',
    );
  });
});

describe('an error of the server', () => {
  it('keeps its sentence, word, remedy and field', () => {
    const detail = { error: 'Not an address.', code: 'url_invalid', hint: 'Start with https://.', field: 'url' };
    expect(errorFrom(422, { detail })).toMatchObject({ message: 'Not an address.', status: 422, code: 'url_invalid', hint: 'Start with https://.', field: 'url' });
  });

  it('names the list when one of its entries is at fault', () => {
    expect(errorFrom(422, { detail: { error: 'x', code: 'y', field: 'include.0' } }).field).toBe('include');
  });

  it('says at least the status when the answer is not ours', () => {
    expect(errorFrom(502, null)).toMatchObject({ message: 'The server answered with status 502.', hint: 'The server log names the reason.' });
  });
});

describe('words with signs in them', () => {
  it.each(['asyncio-task.html', 'C++', 'a|b', '--no-cache', '[x]', 'a/b', '^$.*?()'])('highlights %s without breaking', (word) => {
    expect(() => pieces(`before ${word} after`, [word])).not.toThrow();
  });
});

it('shows a part of a text with dots where it goes on, and no half word', () => {
  const whole = 'Names of files are returned in any order.';
  expect(excerpt('of files are ret', whole)).toBe('… of files are …');
  expect(excerpt('any order.', whole)).toBe('… any order.');
  expect(excerpt(whole, whole)).toBe(whole);
  expect(excerpt('elsewhere', whole)).toBe('elsewhere');
});
