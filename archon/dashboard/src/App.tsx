import { lazy } from 'react';
import { Route, Routes } from 'react-router';
import { Layout } from './components/Layout';
import { AddSourcePage } from './pages/AddSourcePage';
import { CrawlPage } from './pages/CrawlPage';
import { KnowledgePage } from './pages/KnowledgePage';
import { NotFoundPage } from './pages/NotFoundPage';
import { SearchPage } from './pages/SearchPage';

// Loaded when first asked for: who only watches a crawl need not wait for them.
const SourcePage = lazy(() => import('./pages/SourcePage').then((module) => ({ default: module.SourcePage })));
const McpPage = lazy(() => import('./pages/McpPage').then((module) => ({ default: module.McpPage })));
const ChatPage = lazy(() => import('./pages/ChatPage').then((module) => ({ default: module.ChatPage })));
const SystemPage = lazy(() => import('./pages/SystemPage').then((module) => ({ default: module.SystemPage })));

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
        <Route path="sources/:sourceId/:view" element={<SourcePage />} />
        <Route path="chat" element={<ChatPage />} />
        <Route path="chat/:sessionId" element={<ChatPage />} />
        <Route path="assistants" element={<McpPage />} />
        <Route path="system" element={<SystemPage />} />
        <Route path="*" element={<NotFoundPage />} />
      </Route>
    </Routes>
  );
}
