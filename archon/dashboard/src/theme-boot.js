// Runs before the first paint: a stored choice wins over the system's preference.
try {
  const stored = localStorage.getItem('archon.theme');
  if (stored === 'light' || stored === 'dark') document.documentElement.dataset.theme = stored;
} catch {
  // Storage is blocked: follow the system.
}
