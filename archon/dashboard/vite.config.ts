/// <reference types="vitest/config" />
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

const ROOT = fileURLToPath(new URL('.', import.meta.url));

/** What dist/ is built from. tests/test_dashboard_build.py holds the same list. */
function sourcePaths(): string[] {
  const trees = ['src', 'public', 'packages'].filter((tree) => existsSync(join(ROOT, tree)));
  const inTrees = trees.flatMap((tree) =>
    readdirSync(join(ROOT, tree), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length).replaceAll('\\', '/')),
  );
  const atTop = readdirSync(ROOT).filter(
    (name) =>
      ['index.html', 'package.json', 'package-lock.json', 'vite.config.ts'].includes(name) ||
      /^tsconfig.*\.json$/.test(name),
  );
  // A package carries its own build.
  const ours = (path: string) => !path.split('/').some((part) => part.startsWith('.') || part === 'dist');
  return [...inTrees, ...atTop].filter(ours).sort();
}

const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');

/** Writes dist/sources.sha256, so that a test without Node can tell whether dist/ is fresh. */
function sourceFingerprint(): Plugin {
  return {
    name: 'archon-source-fingerprint',
    apply: 'build',
    writeBundle(options) {
      const lines = sourcePaths().map((path) => `${sha256(readFileSync(join(ROOT, path)))}  ${path}\n`);
      writeFileSync(join(options.dir ?? join(ROOT, 'dist'), 'sources.sha256'), `${sha256(lines.join(''))}\n`);
    },
  };
}

/**
 * Puts src/theme-boot.js into the head as an ordinary blocking script.
 * It sets the stored theme before the first paint; an inline script would need a hole in the CSP.
 */
function themeBoot(): Plugin {
  const source = readFileSync(join(ROOT, 'src/theme-boot.js'), 'utf8');
  const fileName = `assets/theme-boot-${sha256(source).slice(0, 8)}.js`;
  return {
    name: 'archon-theme-boot',
    generateBundle() {
      this.emitFile({ type: 'asset', fileName, source });
    },
    transformIndexHtml(_html, context) {
      const src = context.server ? '/src/theme-boot.js' : `/${fileName}`;
      return [{ tag: 'script', attrs: { src }, injectTo: 'head' }];
    },
  };
}

/** Ships the licence of the bundled fonts beside them. */
function fontLicence(): Plugin {
  return {
    name: 'archon-font-licence',
    generateBundle() {
      const source = readFileSync(join(ROOT, 'node_modules/@fontsource-variable/geist/LICENSE'), 'utf8');
      this.emitFile({ type: 'asset', name: 'geist-fonts-licence.txt', source });
    },
  };
}

export default defineConfig({
  base: '/',
  plugins: [react(), themeBoot(), fontLicence(), sourceFingerprint()],
  build: {
    target: 'es2022',
    // light-dark() is used as it stands.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: 'licences.md' },
    reportCompressedSize: true,
  },
  server: {
    port: 5173,
    proxy: Object.fromEntries(
      ['/api', '/admin', '/static', '/health'].map((path) => [
        path,
        { target: process.env['ARCHON_BACKEND'] ?? 'http://localhost:8080', ws: true, changeOrigin: true },
      ]),
    ),
  },
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    environment: 'node',
    restoreMocks: true,
    testTimeout: 20_000,
  },
});
