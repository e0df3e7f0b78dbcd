import { expect, it } from 'vitest';
import { sectionsOf } from '../src/unified';

it('numbers each line in the text that it stands in', () => {
  const [first, second] = sectionsOf('@@ -3,3 +3,4 @@\n a\n-b\n+c\n+@@ -1,1 +1,1 @@\n d\n@@ -90,1 +91,0 @@\n-last');
  expect(first).toMatchObject({ from: 3, to: 6 });
  expect(first!.lines.map(({ kind, text, number }) => `${number} ${kind} ${text}`)).toEqual(['3 same a', '4 removed b', '4 added c', '5 added @@ -1,1 +1,1 @@', '6 same d']);
  expect(second).toEqual({ from: 91, to: 91, lines: [{ kind: 'removed', text: 'last', number: 90 }] });
});

it('finds nothing in nothing', () => {
  expect(sectionsOf('')).toEqual([]);
});
