// Sources and passages for the stand-in backend.
const SOURCES = [
  ['react', 'React', 'https://react.dev/learn', ['react', 'frontend'], 236, 1_416, 188, 0.01, 'The library for web and native user interfaces: learn pages and the API reference.'],
  ['django', 'Django documentation', 'https://docs.djangoproject.com/en/5.2/', ['python', 'web'], 691, 9_204, 2_310, 3, 'Everything about Django, from the first tutorial to the release notes.'],
  ['celery', 'Celery: distributed task queue', 'https://docs.celeryq.dev/en/stable/', ['python', 'queue'], 204, 3_871, 960, 20, null],
  ['handbook', 'Employee handbook and travel rules for everybody in the northern and southern offices, revised', 'https://intranet.example.com/people/handbook/2026/revised-edition/index.html', ['people'], 12, 96, 0, 60, null, 'business'],
  ['vite', 'Vite', 'https://vite.dev/guide/', ['frontend', 'build'], 58, 612, 204, 200, 'Next generation frontend tooling.'],
];

export function items() {
  return SOURCES.map(([source_id, title, url, tags, pages, chunks, examples, hours, description, type = 'technical']) => {
    const updated = new Date(Date.now() - hours * 3_600_000).toISOString();
    return {
      id: source_id,
      source_id,
      title,
      url,
      metadata: { knowledge_type: type, tags, source_type: 'url', status: 'active', description, document_count: pages, chunks_count: chunks, code_examples_count: examples, word_count: chunks * 120, last_scraped: updated },
      created_at: updated,
      updated_at: updated,
    };
  });
}

export const sources = (items) => items.map(({ source_id, title, metadata }) => ({ source_id, title, metadata }));

const PASSAGES = [
  ['useEffect', 'https://react.dev/reference/react/useEffect#connecting-to-an-external-system', ['Reference', 'Usage', 'Connecting to an external system'], 0.91,
    'Some components need to stay connected to the network while they are displayed. These systems are not controlled by React, so they are called *external*.\n\nTo connect, call `useEffect` at the top level. Pass two arguments: a *setup function* and a **cleanup function** which disconnects from that system. React calls your setup and cleanup functions whenever it is necessary:\n\n```js\nuseEffect(() => {\n  const connection = createConnection(serverUrl, roomId);\n  connection.connect();\n  return () => connection.disconnect();\n}, [serverUrl, roomId]);\n```\n\nAfter every commit with changed dependencies React first runs the cleanup code with the old values, then the setup with the new ones.'],
  ['Synchronizing with Effects', 'https://react.dev/learn/synchronizing-with-effects#step-3-add-cleanup-if-needed', ['How to write an Effect', 'Step 3: Add cleanup if needed'], 0.84,
    'Imagine that the user navigates to another page and back. Without a cleanup function the effect would open a second connection, and the first would never be closed. React calls your cleanup each time before the Effect runs again, and one final time when the component unmounts.'],
  ['Lifecycle of Reactive Effects', 'https://react.dev/learn/lifecycle-of-reactive-effects', [], 0.71,
    'An Effect can only do two things: start synchronizing something, and later stop synchronizing it. <script>alert(1)</script> is shown as text. This cycle can happen many times if your Effect depends on props and state that change over time.'],
];

export function answerTo({ query = '', match_count = 5, mode = 'hybrid' }) {
  const found = /nothing/i.test(query) ? [] : PASSAGES;
  return {
    success: true,
    results: found.slice(0, match_count).map(([title, url, heading_path, score, content], n) => ({
      id: `chunk-${n}`, content, url, title, heading_path: heading_path.join(' > '), metadata: {}, similarity_score: score, scores: { vector: score - 0.05, keyword: score - 0.2 },
    })),
    query, source: null, match_count, total_found: found.length * 9, search_mode: mode, reranking_applied: false, return_mode: 'chunks', took_ms: 38,
  };
}
