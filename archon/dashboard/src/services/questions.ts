/** Questions of the eval bench, as they are pasted: YAML, of which JSON is a part. */
import { parseDocument } from 'yaml';

export interface EvalQuestion {
  query: string;
  expected: string[];
  source?: string;
  tags?: string[];
}

/** What is wrong with the text, where, and how it should look. */
export class BadQuestions extends Error {
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

export const MAX_QUESTIONS = 200;
const FIELDS = new Set(['query', 'expected', 'source', 'tags']);
const LIST_HINT = 'Write a list: each entry begins with "- query:" and names its pages with "expected:".';

/** A list of questions, or a mapping whose `questions` is one. Throws BadQuestions that names the line or the question. */
export function readQuestions(text: string): EvalQuestion[] {
  const document = parseDocument(text);
  const fault = document.errors[0];
  if (fault) {
    const line = fault.linePos?.[0].line;
    const said = fault.message.split(/ at line \d|\n/)[0]!.replace(/[.:]$/, '');
    throw new BadQuestions(`${line ? `Line ${line}` : 'The text'} cannot be read: ${said}.`, 'Text with a colon or a hash in it needs quotes around it.');
  }
  const value: unknown = document.toJS();
  const listed = isMapping(value) && 'questions' in value ? value.questions : value;
  if (!Array.isArray(listed) || listed.length === 0) throw new BadQuestions('There are no questions.', LIST_HINT);
  if (listed.length > MAX_QUESTIONS) {
    throw new BadQuestions(`There are ${listed.length} questions: expected at most ${MAX_QUESTIONS}.`, 'Ask a part of them here; manage.py eval takes 2,000.');
  }
  return listed.map((one, index) => question(one, `Question ${index + 1}`));
}

function question(value: unknown, place: string): EvalQuestion {
  if (!isMapping(value)) throw new BadQuestions(`${place} is no question.`, LIST_HINT);
  const unknown = Object.keys(value).find((name) => !FIELDS.has(name));
  if (unknown) throw new BadQuestions(`${place} has an unknown field "${unknown}".`, 'A question has query and expected, and may have source and tags.');
  const query = typeof value.query === 'string' ? value.query.trim() : '';
  if (!query) throw new BadQuestions(`${place} has no query.`, 'Write what to search for as "query:", in quotes when it is a number.');
  const expected = texts(value.expected);
  if (!expected?.length) throw new BadQuestions(`${place} names no page that answers it.`, 'Write addresses as "expected:", whole or their ends from a slash on.');
  const tags = value.tags == null ? [] : texts(value.tags);
  if (!tags) throw new BadQuestions(`${place} has tags that are no text.`, 'Write them as a list: [python, web].');
  if (value.source != null && typeof value.source !== 'string') {
    throw new BadQuestions(`${place} has a source that is no text.`, 'Put the id of the source in quotes.');
  }
  return { query, expected, ...(value.source ? { source: value.source } : {}), ...(tags.length ? { tags } : {}) };
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** One text or a list of them; null for anything else. */
function texts(value: unknown): string[] | null {
  const listed: unknown[] = Array.isArray(value) ? value : [value];
  return listed.every((one): one is string => typeof one === 'string' && one.trim() !== '') ? listed : null;
}
