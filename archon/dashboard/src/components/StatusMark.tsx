import { Ban, CircleAlert, CircleCheck, CirclePause, Clock, LoaderCircle, TriangleAlert } from 'lucide-react';
import { tone } from '../status';

/** The status as a picture; the word always stands beside it. */
export function StatusMark({ status, failedPages = 0 }: { status: string; failedPages?: number }) {
  const mood = tone(status, failedPages);
  const Icon =
    status === 'cancelled'
      ? Ban
      : status === 'paused'
        ? CirclePause
        : { good: CircleCheck, warn: TriangleAlert, bad: CircleAlert, idle: Clock, running: LoaderCircle }[mood];
  return <Icon className={`status-mark is-${mood}`} aria-hidden />;
}
