import { ChevronLeft, ChevronRight } from 'lucide-react';
import { Link, useSearchParams } from 'react-router';
import { count } from '../format';

interface PagerProps {
  page: number;
  perPage: number;
  total: number;
  label: string;
}

/** Earlier and later, as links: the page number is part of the address. */
export function Pager({ page, perPage, total, label }: PagerProps) {
  const [params] = useSearchParams();
  const last = Math.max(1, Math.ceil(total / perPage));
  if (last === 1) return null;

  const to = (target: number) => {
    const next = new URLSearchParams(params);
    if (target === 1) next.delete('page');
    else next.set('page', String(target));
    return { search: next.toString() };
  };

  return (
    <nav className="pager" aria-label={label}>
      <span>
        {count((page - 1) * perPage + 1)}–{count(Math.min(page * perPage, total))} of {count(total)}
      </span>
      <PagerLink to={page > 1 ? to(page - 1) : null} name="Previous page" icon={<ChevronLeft aria-hidden />} />
      <PagerLink to={page < last ? to(page + 1) : null} name="Next page" icon={<ChevronRight aria-hidden />} />
    </nav>
  );
}

function PagerLink({ to, name, icon }: { to: { search: string } | null; name: string; icon: React.ReactNode }) {
  if (!to) {
    return (
      <span className="icon-button is-disabled" aria-hidden>
        {icon}
      </span>
    );
  }
  return (
    <Link className="icon-button" to={to} aria-label={name} title={name} preventScrollReset>
      {icon}
    </Link>
  );
}
