/** The views that are loaded when one of them is first asked for: who only watches a crawl need not wait for them. */
export { ChatPage } from './ChatPage';
export { McpPage } from './McpPage';
export { SettingsPage } from './SettingsPage';
export { SourcePage } from './SourcePage';
export { SystemPage } from './SystemPage';
