import { ago, count, dateTime } from '../format';
import type { Settings } from '../services/api';
import { Notice } from './Notice';

/** Which models answer, and how they are. */
export function Models({ settings }: { settings: Settings }) {
  const { embedder } = settings;
  return (
    <>
      {embedder.away_since && (
        <Notice tone="warn" title={`The embedder has given no vectors since ${dateTime(embedder.away_since)}`}>
          {embedder.away_reason} Search goes by words until then{embedder.asked_again_at && `; it is asked again ${dateTime(embedder.asked_again_at)}`}.
        </Notice>
      )}
      <div className="models">
        <Embedder {...embedder} />
        <LanguageModel {...settings.language_model} />
        <Reranker {...settings.reranker} />
        <Mode settings={settings} />
      </div>
    </>
  );
}

interface CardProps {
  title: string;
  says: string;
  state: 'done' | 'failed' | 'skipped' | 'leased';
  word: string;
  rows: [name: string, value: string][];
  children?: React.ReactNode;
}

function Card({ title, says, state, word, rows, children }: CardProps) {
  return (
    <section className="panel model" aria-label={title}>
      <div className="model-head">
        <h2>{title}</h2>
        <span className={`state state-${state}`}>{word}</span>
      </div>
      <p className="muted">{says}</p>
      {rows.length > 0 && (
        <dl className="model-facts">
          {rows.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd className="cut" title={value}>
                {value}
              </dd>
            </div>
          ))}
        </dl>
      )}
      {children && <p className="model-note">{children}</p>}
    </section>
  );
}

function Embedder(embedder: Settings['embedder']) {
  const { kind, model, url, dimension, embedded, waiting, refused, serving, away_since } = embedder;
  const title = 'Embeddings';
  const says = 'Finds pages by meaning.';
  if (kind === 'off') {
    return (
      <Card title={title} says={says} state="skipped" word="Off" rows={[]}>
        Search goes by words alone. Set <code>ARCHON_EMBEDDER=local</code> for the model that comes with Archon.
      </Card>
    );
  }
  const rows: CardProps['rows'] = [
    ['Model', model],
    ['Runs', kind === 'local' ? 'here, in the worker' : url],
    ['Dimensions', count(dimension)],
    ['Chunks with a vector', count(embedded)],
  ];
  if (waiting) rows.push(['Waiting', count(waiting)]);
  if (refused) rows.push(['Found by words only', count(refused)]);
  const state = away_since ? 'failed' : waiting ? 'leased' : 'done';
  return (
    <Card title={title} says={says} state={state} word={away_since ? `Away since ${ago(away_since)}` : waiting ? 'Embedding' : 'Works'} rows={rows}>
      {!serving && embedded > 0 && 'Searches use the vectors of the model before, until all chunks have one of this.'}
    </Card>
  );
}

function LanguageModel({ model, url, key_given }: Settings['language_model']) {
  const title = 'Language model';
  const says = 'Writes the answers of the chat.';
  if (!model) {
    return (
      <Card title={title} says={says} state="skipped" word="None" rows={[]}>
        Answers are quoted from the passages. Set <code>ARCHON_LLM_MODEL</code> and <code>ARCHON_LLM_BASE_URL</code> to have them written.
      </Card>
    );
  }
  const rows: CardProps['rows'] = [
    ['Model', model],
    ['Asked at', url],
    ['Key', key_given ? 'set, not shown' : 'none'],
  ];
  return <Card title={title} says={says} state="done" word="Set up" rows={rows} />;
}

function Reranker({ model, reranked }: Settings['reranker']) {
  const title = 'Reranker';
  const says = 'Puts the best matches of a search into order anew.';
  if (model) {
    const rows: CardProps['rows'] = [
      ['Model', model],
      ['Reads', `the ${count(reranked)} best matches`],
    ];
    return <Card title={title} says={says} state="done" word="Set up" rows={rows} />;
  }
  return (
    <Card title={title} says={says} state="skipped" word="None" rows={[]}>
      Matches stand in the order of their rankings. Name a cross-encoder in <code>ARCHON_RERANKER</code> to have one.
    </Card>
  );
}

function valueOf(settings: Settings, name: string): string {
  return settings.groups.flatMap((group) => group.settings).find((one) => one.name === name)?.value ?? '';
}

/** What the variables say about where this runs. */
function Mode({ settings }: { settings: Settings }) {
  const value = (name: string) => valueOf(settings, name);
  const server = value('ARCHON_MODE') === 'server';
  const rows: CardProps['rows'] = [
    ['Data folder', value('ARCHON_DATA_DIR')],
    ['Listens on', `${value('ARCHON_HOST')}:${value('ARCHON_PORT')}`],
  ];
  return (
    <Card
      title="Mode"
      says={server ? 'For several people: everyone signs in or sends a token.' : 'For one person on this machine, without an account.'}
      state="done"
      word={server ? 'Server' : 'Local'}
      rows={rows}
    />
  );
}
