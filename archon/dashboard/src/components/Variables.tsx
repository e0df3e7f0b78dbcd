import { Search, SearchX } from 'lucide-react';
import { Link } from 'react-router';
import { plural } from '../format';
import { useAddress } from '../pages/useAddress';
import type { Setting, Settings } from '../services/api';
import { Empty } from './Notice';

/** Every variable with the value that counts, and whether somebody set it. */
export function Variables({ groups }: { groups: Settings['groups'] }) {
  const [params, change] = useAddress();
  const words = (params.get('q') ?? '').toLowerCase();
  const onlySet = params.get('only') === 'set';
  const wanted = ({ name, help, given }: Setting) => (!onlySet || given) && `${name} ${help}`.toLowerCase().includes(words);
  const shown = groups.map((group) => ({ ...group, settings: group.settings.filter(wanted) })).filter(({ settings }) => settings.length > 0);
  const given = groups.flatMap(({ settings }) => settings).filter((one) => one.given).length;
  const address = (only: string) => {
    const next = new URLSearchParams(params);
    if (only) next.set('only', only);
    else next.delete('only');
    return { search: next.toString() };
  };

  return (
    <>
      <div className="toolbar">
        <div className="search-box">
          <Search aria-hidden />
          <input
            type="search"
            aria-label="Filter variables"
            placeholder="Filter by name or meaning"
            value={params.get('q') ?? ''}
            onChange={(event) => change({ q: event.target.value }, { replace: true })}
          />
        </div>
        <nav className="filter" aria-label="Variables by origin">
          <Link to={address('')} preventScrollReset aria-current={onlySet ? undefined : 'true'}>
            All
          </Link>
          <Link to={address('set')} preventScrollReset aria-current={onlySet ? 'true' : undefined}>
            Set by you
            <span className="filter-count">{given}</span>
          </Link>
        </nav>
      </div>
      <p className="section-note">
        Set them in the environment or in <code>.env</code>, then start Archon again: they are read once, at the start.
      </p>
      {shown.length === 0 && (
        <Empty icon={<SearchX />} title="No variable matches">
          {onlySet ? 'Choose All above, or another word.' : 'Try another word of its name or its meaning.'}
        </Empty>
      )}
      {shown.map(({ title, settings }) => (
        <section key={title} className="variables" aria-label={title}>
          <div className="section-head">
            <h2>{title}</h2>
            <span className="muted">{plural(settings.length, 'variable')}</span>
          </div>
          <ul className="panel rows">
            {settings.map((setting) => (
              <Variable key={setting.name} {...setting} />
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}

function Variable({ name, kind, value, default: usual, help, given }: Setting) {
  const secret = kind === 'secret';
  const text = secret ? (given ? '•••••• not shown' : 'not set') : value || 'empty';
  return (
    <li className="row variable">
      <div className="variable-text">
        <span className="mono variable-name">{name}</span>
        <p className="muted">{ticked(help)}</p>
      </div>
      <div className="variable-value">
        <span className={secret || !value ? 'mono muted' : 'mono'}>{text}</span>
        {given && !secret && usual !== value && <span className="muted">default {usual || 'empty'}</span>}
      </div>
      <span className={given ? 'origin is-set' : 'origin'}>{given ? 'Set' : 'Default'}</span>
    </li>
  );
}

/** Words between backticks are code. */
function ticked(text: string) {
  return text.split('`').map((part, index) => (index % 2 ? <code key={index}>{part}</code> : part));
}
