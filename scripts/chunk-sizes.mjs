// Bundles a page that uses a built copy of this package, as an application would, and measures its chunks.
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

const PAGE = 'virtual:page';

/**
 * A chunk of the page.
 *
 * @typedef {object} Chunk
 * @property {string} name file name, the same from build to build
 * @property {string} code minified
 * @property {number} bytes of the code, gzip -9
 * @property {boolean} core whether the page loads it at once, and not when it is needed
 */

/**
 * Bundles a page.
 *
 * @param {string} entry path of the package's dist/index.js
 * @param {string} page source of the page; it imports 'webgpu-rnn'
 * @returns {Promise<{ chunks: Chunk[], assets: string[] }>} the core's chunks first, each part by name
 */
export async function bundlePage(entry, page) {
  const { output } = await build({
    configFile: false,
    logLevel: 'error',
    publicDir: false,
    plugins: [
      {
        name: 'page',
        enforce: 'pre', // before Vite finds the package of the current folder by its own name
        resolveId: (id) => (id === PAGE ? id : id === 'webgpu-rnn' ? entry : null),
        load: (id) => (id === PAGE ? page : null),
      },
    ],
    build: {
      write: false,
      target: 'es2022',
      modulePreload: false, // Vite's helper is no part of the package
      rolldownOptions: {
        input: { page: PAGE },
        output: { entryFileNames: '[name].js', chunkFileNames: '[name].js' },
      },
    },
  });
  const found = new Map(output.filter(({ type }) => type === 'chunk').map((c) => [c.fileName, c]));
  const core = new Set();
  const visit = (name) => {
    if (core.has(name) || !found.has(name)) return;
    core.add(name);
    for (const next of found.get(name).imports) visit(next);
  };
  visit('page.js');
  const chunks = [...found].map(([name, { code }]) => ({
    name,
    code,
    bytes: gzipSync(code, { level: 9 }).length,
    core: core.has(name),
  }));
  chunks.sort((a, b) => Number(b.core) - Number(a.core) || (a.name < b.name ? -1 : 1));
  const assets = output.filter(({ type }) => type === 'asset').map(({ fileName }) => fileName);
  return { chunks, assets };
}

/**
 * Bytes that a page downloads at once, gzip -9.
 *
 * @param {readonly Chunk[]} chunks
 * @returns {number}
 */
export const coreBytes = (chunks) =>
  chunks.filter(({ core }) => core).reduce((sum, { bytes }) => sum + bytes, 0);
