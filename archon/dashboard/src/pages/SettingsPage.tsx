import { useQuery } from '@tanstack/react-query';
import { useParams } from 'react-router';
import { ApiTokens } from '../components/ApiTokens';
import { Models } from '../components/Models';
import { ErrorNotice } from '../components/Notice';
import { Tabs } from '../components/Tabs';
import { Variables } from '../components/Variables';
import { Webhooks } from '../components/Webhooks';
import { fetchSettings, fetchWhoAmI, type Settings } from '../services/api';
import { usePageTitle } from './usePageTitle';

const POLL_MS = 10_000;

const VIEWS = [
  ['models', 'Models'],
  ['variables', 'Variables'],
  ['tokens', 'API tokens'],
  ['webhooks', 'Webhooks'],
] as const;

/** How this Archon is set up. Nothing here changes a variable: they are read once, at the start. */
export function SettingsPage() {
  const { view = 'models' } = useParams();
  const name = VIEWS.find(([path]) => path === view)?.[1];
  usePageTitle(name && view !== 'models' ? name : '', 'Settings');
  return (
    <div className="page">
      <div className="page-head">
        <div>
          <h1>Settings</h1>
          <p className="page-sub">How this Archon is set up, and who may call it or is told.</p>
        </div>
      </div>
      <Tabs
        label="Settings"
        tabs={VIEWS.map(([path, title]) => ({
          name: title,
          to: path === 'models' ? '/settings' : `/settings/${path}`,
          current: view === path,
        }))}
      />
      <div className="tab-body">
        {view === 'variables' ? <AsSet shown={(settings) => <Variables groups={settings.groups} />} /> : null}
        {view === 'tokens' ? <Tokens /> : null}
        {view === 'webhooks' ? <Webhooks /> : null}
        {view === 'models' || !name ? <AsSet shown={(settings) => <Models settings={settings} />} /> : null}
      </div>
    </div>
  );
}

function AsSet({ shown }: { shown: (settings: Settings) => React.ReactNode }) {
  const settings = useQuery({ queryKey: ['settings'], queryFn: ({ signal }) => fetchSettings(signal), refetchInterval: POLL_MS });
  if (settings.isError) return <ErrorNotice error={settings.error} onRetry={() => void settings.refetch()} />;
  return settings.data ? shown(settings.data) : <div className="panel skeleton settings-waiting" role="status" aria-label="Reading the settings" />;
}

function Tokens() {
  const who = useQuery({ queryKey: ['whoami'], queryFn: ({ signal }) => fetchWhoAmI(signal), staleTime: 60_000 });
  return (
    <section aria-labelledby="tokens-title">
      <div className="section-head">
        <h2 id="tokens-title">API tokens</h2>
        {who.data && <span className="muted">{who.data.mode === 'server' ? `Signed in as ${who.data.user}` : 'Local mode: no account is needed here'}</span>}
      </div>
      {who.isError ? <ErrorNotice error={who.error} onRetry={() => void who.refetch()} /> : <ApiTokens mine={who.data?.scopes ?? []} />}
      <p className="section-note">
        Scripts and assistants send a token as <code>Authorization: Bearer …</code> to the REST API, the streams and <code>/mcp</code>.
      </p>
    </section>
  );
}
