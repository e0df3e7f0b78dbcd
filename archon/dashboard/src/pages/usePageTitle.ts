import { useEffect } from 'react';

/** Names the tab after the page, the most particular word first. */
export function usePageTitle(...parts: string[]) {
  const title = [...parts, 'Archon'].filter(Boolean).join(' · ');
  useEffect(() => {
    document.title = title;
  }, [title]);
}
