import { Route, Routes } from 'react-router';
import { Layout } from './components/Layout';
import { AddSourcePage } from './pages/AddSourcePage';
import { CrawlPage } from './pages/CrawlPage';
import { KnowledgePage } from './pages/KnowledgePage';
import { NotFoundPage } from './pages/NotFoundPage';
import { SearchPage } from './pages/SearchPage';

export function App() {
  return (
    <Routes>
      <Route element={<Layout />}>
        <Route index element={<KnowledgePage />} />
        <Route path="add" element={<AddSourcePage />} />
        <Route path="crawls/:progressId" element={<CrawlPage />} />
        <Route path="search" element={<SearchPage />} />
        <Route path="*" element={<NotFoundPage />} />
      </Route>
    </Routes>
  );
}
