import { Link } from 'react-router';
import { shortUrl, webAddress } from '../format';
import type { KnowledgeItem } from '../services/api';
import { Chosen, type Choice } from './choice';
import { PrivateMark } from './Private';
import { SourceActions } from './SourceActions';
import { SourceFailure } from './SourceFailure';
import { SourceSize, SourceTags, SourceTime, SourceType } from './SourceFacts';

export function SourceCards({ items, choice }: { items: KnowledgeItem[]; choice: Choice | null }) {
  return (
    <ul className="cards">
      {items.map((item) => (
        <li key={item.source_id} className="card">
          <div className="card-head">
            <h2 className="card-title">
              <Link className="cut" to={`/sources/${encodeURIComponent(item.source_id)}`} title={item.title}>
                {item.title || shortUrl(item.url)}
              </Link>
            </h2>
            <PrivateMark item={item} />
            <SourceType item={item} />
            <Chosen item={item} choice={choice} />
          </div>
          <a className="card-url cut" href={webAddress(item.url)} title={item.url} rel="noreferrer" target="_blank">
            {shortUrl(item.url)}
          </a>
          {item.metadata.description && <p className="card-description">{item.metadata.description}</p>}
          <SourceFailure item={item} />
          <SourceTags item={item} />
          <div className="card-foot">
            <div className="card-facts">
              <SourceSize item={item} />
              <SourceTime item={item} />
            </div>
            <SourceActions item={item} />
          </div>
        </li>
      ))}
    </ul>
  );
}
