/** Cuts a search result down to the part that answers, and marks the words of the question. */

export interface Piece {
  text: string;
  marked: boolean;
}

const SNIPPET_CHARS = 320;

/** The words worth marking: at least two characters, longest first so that "cleanup" wins over "clean". */
export function queryWords(query: string): string[] {
  const words = query.toLowerCase().match(/[\p{L}\p{N}_]{2,}/gu) ?? [];
  const unique = [...new Set(words)].filter((word) => !STOP_WORDS.has(word));
  return unique.sort((a, b) => b.length - a.length);
}

const STOP_WORDS = new Set(
  'an and are as at be by can do does for from how in is it of on or that the this to what when where which why with'.split(' '),
);

function wordPattern(words: string[]): RegExp | null {
  if (words.length === 0) return null;
  const literal = words.map((word) => word.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`(?<![\\p{L}\\p{N}])(${literal.join('|')})`, 'giu');
}

/** The words at these places of a text. The places count code points, a string of ours UTF-16 units. */
export function wordsAt(text: string, places: [start: number, end: number][]): string[] {
  const points = Array.from(text);
  const words = places.map(([start, end]) => points.slice(start, end).join('').toLowerCase());
  return [...new Set(words)].filter(Boolean).sort((a, b) => b.length - a.length);
}

export function pieces(text: string, words: string[]): Piece[] {
  const pattern = wordPattern(words);
  if (!pattern) return [{ text, marked: false }];
  return text
    .split(pattern)
    .map((part, index) => ({ text: part, marked: index % 2 === 1 }))
    .filter((piece) => piece.text !== '');
}

/** Markdown as running text: enough to read a snippet, not a renderer. */
export function plainText(markdown: string): string {
  return markdown
    .replace(/^```.*$/gm, '')
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/^\s{0,3}#{1,6}\s+/gm, '')
    .replace(/\*\*|__|`/g, '')
    .replace(/(^|[\s(])[*_](\S(?:[^*_\n]*\S)?)[*_](?=[\s).,:;!?]|$)/gm, '$1$2')
    .replace(/\s+/g, ' ')
    .trim();
}

/** A part of a text, with dots where the text goes on; no word is cut in two at its end. */
export function excerpt(part: string, whole: string): string {
  const at = whole.indexOf(part);
  if (at < 0) return part;
  const end = at + part.length;
  const cut = /\w/.test(whole[end] ?? '') ? part.slice(0, Math.max(part.lastIndexOf(' '), 0)) || part : part;
  return `${at > 0 ? '… ' : ''}${cut}${end < whole.length ? ' …' : ''}`;
}

/** The window of `text` around the first marked word. */
export function snippet(text: string, words: string[], length = SNIPPET_CHARS): string {
  if (text.length <= length) return text;
  const first = wordPattern(words)?.exec(text)?.index ?? 0;
  let start = Math.max(0, first - Math.floor(length / 4));
  if (start > 0) start = text.indexOf(' ', start) + 1 || start;
  let end = Math.min(text.length, start + length);
  if (end < text.length) end = Math.max(text.lastIndexOf(' ', end), start + 1);
  return `${start > 0 ? '… ' : ''}${text.slice(start, end)}${end < text.length ? ' …' : ''}`;
}
