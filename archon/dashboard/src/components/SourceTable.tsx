import { Link } from 'react-router';
import { count, shortUrl, webAddress } from '../format';
import type { KnowledgeItem } from '../services/api';
import { Chosen, type Choice } from './choice';
import { PrivateMark } from './Private';
import { SourceActions } from './SourceActions';
import { SourceFailure } from './SourceFailure';
import { SourceTags, SourceTime, SourceType, pageCount } from './SourceFacts';

export function SourceTable({ items, choice }: { items: KnowledgeItem[]; choice: Choice | null }) {
  return (
    <div className="table-scroll panel" tabIndex={0} role="region" aria-label="Sources">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Source</th>
            <th scope="col">Type</th>
            <th scope="col">Tags</th>
            <th scope="col" className="num">
              Pages
            </th>
            <th scope="col" className="num">
              Chunks
            </th>
            <th scope="col">Updated</th>
            <th scope="col">
              <span className="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <tr key={item.source_id}>
              <th scope="row" className="source-cell">
                <Link className="cut" to={`/sources/${encodeURIComponent(item.source_id)}`} title={item.title}>
                  {item.title || shortUrl(item.url)}
                </Link>
                <a className="card-url cut" href={webAddress(item.url)} title={item.url} rel="noreferrer" target="_blank">
                  {shortUrl(item.url)}
                </a>
                <SourceFailure item={item} />
              </th>
              <td>
                <PrivateMark item={item} />
                <SourceType item={item} />
              </td>
              <td>
                <SourceTags item={item} />
              </td>
              <td className="num">{count(pageCount(item))}</td>
              <td className="num">{count(item.metadata.chunks_count)}</td>
              <td className="nowrap">
                <SourceTime item={item} />
              </td>
              <td className="nowrap">
                <Chosen item={item} choice={choice} />
                {!choice && <SourceActions item={item} />}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
