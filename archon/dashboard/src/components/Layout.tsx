import { Activity, Bot, FileCode2, LibraryBig, MessagesSquare, Moon, Plus, Search, Settings2, Sun } from 'lucide-react';
import { Suspense, useEffect, useRef } from 'react';
import { Link, NavLink, Outlet, useLocation } from 'react-router';
import { useTheme } from '../theme';
import { ErrorBoundary } from './ErrorBoundary';
import { Mark } from './Mark';

export function Layout() {
  const main = useRef<HTMLElement>(null);
  const { pathname, key } = useLocation();
  const firstPath = useRef(pathname);

  // A route change is a new page: start at the top, and let a screen reader start there too.
  useEffect(() => {
    if (firstPath.current === pathname) return;
    firstPath.current = '';
    window.scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [pathname]);

  return (
    <>
      <a className="skip-link" href="#main">
        Skip to content
      </a>
      <header className="header">
        <div className="header-row">
          <Link to="/" className="wordmark">
            <Mark />
            Archon
          </Link>
          <nav className="nav" aria-label="Main">
            <NavLink to="/" end>
              <LibraryBig aria-hidden />
              Knowledge
            </NavLink>
            <NavLink to="/add">
              <Plus aria-hidden />
              Add source
            </NavLink>
            <NavLink to="/search">
              <Search aria-hidden />
              Search
            </NavLink>
            <NavLink to="/chat">
              <MessagesSquare aria-hidden />
              Chat
            </NavLink>
            <NavLink to="/assistants">
              <Bot aria-hidden />
              Assistants
            </NavLink>
            <NavLink to="/system">
              <Activity aria-hidden />
              System
            </NavLink>
          </nav>
          <div className="header-end">
            <a className="header-link" href="/api/docs" title="API docs">
              <FileCode2 aria-hidden />
              <span>API docs</span>
            </a>
            <NavLink className="header-link" to="/settings" title="Settings">
              <Settings2 aria-hidden />
              <span>Settings</span>
            </NavLink>
            <ThemeToggle />
          </div>
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        <ErrorBoundary resetKey={key}>
          <Suspense fallback={<div className="page" aria-busy="true" />}>
            <Outlet />
          </Suspense>
        </ErrorBoundary>
      </main>
    </>
  );
}

function ThemeToggle() {
  const [theme, toggle] = useTheme();
  const name = theme === 'dark' ? 'Switch to light theme' : 'Switch to dark theme';
  return (
    <button type="button" className="icon-button" onClick={toggle} aria-label={name} title={name}>
      {theme === 'dark' ? <Sun aria-hidden /> : <Moon aria-hidden />}
    </button>
  );
}

