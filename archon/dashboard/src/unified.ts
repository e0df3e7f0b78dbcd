/** A unified diff, as the server writes it, taken apart. */

export interface DiffLine {
  kind: 'same' | 'added' | 'removed';
  text: string;
  /** In the new text; of a removed line, in the old one. */
  number: number | null;
}

/** A stretch of lines that stand together; `from` and `to` are counted in the new text. */
export interface DiffSection {
  from: number;
  to: number;
  lines: DiffLine[];
}

export function sectionsOf(diff: string): DiffSection[] {
  const sections: DiffSection[] = [];
  let was = 0;
  let is = 0;
  for (const line of diff ? diff.split('\n') : []) {
    const head = /^@@ -(\d+),(\d+) \+(\d+),(\d+) @@$/.exec(line);
    if (head) {
      const [oldFrom = 0, , newFrom = 0, length = 0] = head.slice(1).map(Number);
      was = oldFrom;
      is = newFrom;
      sections.push({ from: newFrom, to: newFrom + Math.max(length, 1) - 1, lines: [] });
      continue;
    }
    const lines = sections.at(-1)?.lines;
    const text = line.slice(1);
    if (line.startsWith('-')) lines?.push({ kind: 'removed', text, number: was++ });
    else if (line.startsWith('+')) lines?.push({ kind: 'added', text, number: is++ });
    else {
      lines?.push({ kind: 'same', text, number: is++ });
      was++;
    }
  }
  return sections;
}
