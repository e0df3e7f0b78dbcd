import { lazy } from 'react';
import { Route, Routes } from 'react-router';
import { Layout } from './components/Layout';
import { AddSourcePage } from './pages/AddSourcePage';
import { CrawlPage } from './pages/CrawlPage';
import { KnowledgePage } from './pages/KnowledgePage';
import { NotFoundPage } from './pages/NotFoundPage';
import { SearchPage } from './pages/SearchPage';

const more = () => import('./pages/more');
const ChatPage = lazy(() => more().then((pages) => ({ default: pages.ChatPage })));
const McpPage = lazy(() => more().then((pages) => ({ default: pages.McpPage })));
const SettingsPage = lazy(() => more().then((pages) => ({ default: pages.SettingsPage })));
const SourcePage = lazy(() => more().then((pages) => ({ default: pages.SourcePage })));
const SystemPage = lazy(() => more().then((pages) => ({ default: pages.SystemPage })));

export function App() {
  return (
    <Routes>
      <Route element={<Layout />}>
        <Route index element={<KnowledgePage />} />
        <Route path="add" element={<AddSourcePage />} />
        <Route path="crawls/:progressId" element={<CrawlPage />} />
        <Route path="search" element={<SearchPage />} />
        <Route path="sources/:sourceId" element={<SourcePage />} />
        <Route path="sources/:sourceId/pages/:pageId" element={<SourcePage />} />
        <Route path="sources/:sourceId/changes/:pageId" element={<SourcePage view="changes" />} />
        <Route path="sources/:sourceId/:view" element={<SourcePage />} />
        <Route path="chat" element={<ChatPage />} />
        <Route path="chat/:sessionId" element={<ChatPage />} />
        <Route path="assistants" element={<McpPage />} />
        <Route path="settings" element={<SettingsPage />} />
        <Route path="settings/:view" element={<SettingsPage />} />
        <Route path="system" element={<SystemPage />} />
        <Route path="*" element={<NotFoundPage />} />
      </Route>
    </Routes>
  );
}
