import { Compass } from 'lucide-react';
import { Link } from 'react-router';
import { Empty } from '../components/Notice';
import { usePageTitle } from './usePageTitle';

export function NotFoundPage() {
  usePageTitle('Not found');
  return (
    <div className="page">
      <h1 className="visually-hidden">Not found</h1>
      <Empty
        icon={<Compass />}
        title="There is no page at this address"
        action={
          <Link className="button button-primary" to="/">
            Go to Knowledge
          </Link>
        }
      >
        The address may be mistyped, or the page has moved.
      </Empty>
    </div>
  );
}
