import { Link } from 'react-router';
import { count } from '../format';

export interface Tab {
  name: string;
  to: string;
  current: boolean;
  total?: number | undefined;
}

/** Views of one thing, as links: which one is shown stands in the address. */
export function Tabs({ label, tabs }: { label: string; tabs: Tab[] }) {
  return (
    <nav className="filter" aria-label={label}>
      {tabs.map(({ name, to, current, total }) => (
        <Link key={name} to={to} preventScrollReset aria-current={current ? 'true' : undefined}>
          {name}
          {total !== undefined && <span className="filter-count">{count(total)}</span>}
        </Link>
      ))}
    </nav>
  );
}
