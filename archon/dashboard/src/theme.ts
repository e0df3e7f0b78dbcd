import { useCallback, useEffect, useState } from 'react';

type Theme = 'light' | 'dark';

const KEY = 'archon.theme';
const systemPrefersDark = () => window.matchMedia('(prefers-color-scheme: dark)');

function currentTheme(): Theme {
  const chosen = document.documentElement.dataset['theme'];
  if (chosen === 'light' || chosen === 'dark') return chosen;
  return systemPrefersDark().matches ? 'dark' : 'light';
}

/** The theme in effect, and its switch. The first choice is the system's. */
export function useTheme(): [Theme, () => void] {
  const [theme, setTheme] = useState(currentTheme);

  useEffect(() => {
    const preference = systemPrefersDark();
    const follow = () => setTheme(currentTheme());
    preference.addEventListener('change', follow);
    return () => preference.removeEventListener('change', follow);
  }, []);

  const toggle = useCallback(() => {
    const next: Theme = currentTheme() === 'dark' ? 'light' : 'dark';
    document.documentElement.dataset['theme'] = next;
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // Storage is blocked: the choice lasts until the reload.
    }
    setTheme(next);
  }, []);

  return [theme, toggle];
}
