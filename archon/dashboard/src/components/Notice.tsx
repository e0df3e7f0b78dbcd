import { CircleAlert, CircleCheck, Compass, Info, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { ApiError } from '../services/api';

const ICONS = { bad: CircleAlert, warn: TriangleAlert, good: CircleCheck, idle: Info };

interface NoticeProps {
  tone: keyof typeof ICONS;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}

/** What happened, why, and what to do: one block for errors, warnings and results. */
export function Notice({ tone, title, children, action }: NoticeProps) {
  const Icon = ICONS[tone];
  return (
    <div className={`notice is-${tone}`} role={tone === 'bad' ? 'alert' : undefined}>
      <Icon className="notice-icon" aria-hidden />
      <div className="notice-body">
        <p className="notice-title">{title}</p>
        {children && <div className="notice-text">{children}</div>}
      </div>
      {action && <div className="notice-action">{action}</div>}
    </div>
  );
}

export function ErrorNotice({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const title = error instanceof Error && error.message ? error.message : 'Something unexpected happened.';
  const hint = error instanceof ApiError ? error.hint : null;
  const retry = onRetry && (
    <button type="button" className="button" onClick={onRetry}>
      Try again
    </button>
  );
  return (
    <Notice tone="bad" title={title} action={retry}>
      {hint}
    </Notice>
  );
}

/** What the address names is not there (any more): the ways on, instead of what a program would ask next. */
export function Missing({ what, why }: { what: string; why: string }) {
  return (
    <Empty
      icon={<Compass />}
      title={`There is no such ${what}`}
      action={
        <>
          <Link className="button button-primary" to="/">
            All sources
          </Link>
          <Link className="button" to="/add">
            Add source
          </Link>
        </>
      }
    >
      {why}
    </Empty>
  );
}

export function isMissing(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

interface EmptyProps {
  icon: ReactNode;
  title: string;
  children: ReactNode;
  action?: ReactNode;
}

export function Empty({ icon, title, children, action }: EmptyProps) {
  return (
    <div className="empty">
      <div className="empty-icon" aria-hidden>
        {icon}
      </div>
      <h2>{title}</h2>
      <p>{children}</p>
      {action && <div className="empty-action">{action}</div>}
    </div>
  );
}
