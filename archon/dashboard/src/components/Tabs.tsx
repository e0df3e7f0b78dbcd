import { useEffect, useRef } from 'react';
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
  const nav = useRef<HTMLElement>(null);
  // Totals that arrive later make the row wider.
  const laid = tabs.map((tab) => `${tab.current}${tab.total}`).join();

  // On a phone the row is wider than the window: the current tab is brought into sight, without moving the page.
  useEffect(() => {
    const link = nav.current?.querySelector<HTMLElement>('[aria-current]');
    if (!nav.current || !link) return;
    const { left, right } = nav.current.getBoundingClientRect();
    const box = link.getBoundingClientRect();
    if (box.left < left) nav.current.scrollLeft -= left - box.left;
    if (box.right > right) nav.current.scrollLeft += box.right - right;
  }, [laid]);

  return (
    <nav className="filter" aria-label={label} ref={nav}>
      {tabs.map(({ name, to, current, total }) => (
        <Link key={name} to={to} preventScrollReset aria-current={current ? 'true' : undefined}>
          {name}
          {total !== undefined && <span className="filter-count">{count(total)}</span>}
        </Link>
      ))}
    </nav>
  );
}
