// Measures what a page downloads for `import { loadModel } from 'webgpu-rnn'`: gzip -9 bytes of what loads at once
// (core) and of each part that loads when needed. Fails when the core is over its budget. Reads dist/: build first.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

const CORE_BUDGET = 25_000; // bytes; tf.js with layers and WebGPU is ten times this

const entry = fileURLToPath(new URL('../dist/index.js', import.meta.url));
if (!existsSync(entry)) {
  console.error('size: no dist/index.js; run `npm run build` first');
  process.exit(1);
}

const PAGE = 'virtual:page';
const page = {
  name: 'page',
  resolveId: (id) => (id === PAGE ? id : id === 'webgpu-rnn' ? entry : null),
  load: (id) =>
    id === PAGE ? `import { loadModel } from 'webgpu-rnn'; globalThis.use = loadModel;` : null,
};

const { output } = await build({
  configFile: false,
  logLevel: 'error',
  publicDir: false,
  plugins: [page],
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

const chunks = new Map(output.filter(({ type }) => type === 'chunk').map((c) => [c.fileName, c]));
const core = new Set();
const visit = (name) => {
  if (core.has(name)) return;
  core.add(name);
  for (const next of chunks.get(name).imports) if (chunks.has(next)) visit(next);
};
visit('page.js');

const bytes = (name) => gzipSync(chunks.get(name).code, { level: 9 }).length;
const row = (label, size) => console.log(`${String(size).padStart(8)}  ${label}`);
const coreBytes = [...core].reduce((sum, name) => sum + bytes(name), 0);

console.log('gzip -9 bytes, minified');
row(`core (budget ${CORE_BUDGET})`, coreBytes);
const lazy = [...chunks.keys()].filter((file) => !core.has(file));
for (const file of lazy.toSorted()) row(file, bytes(file));
const assets = output.filter(({ type }) => type === 'asset');
for (const { fileName } of assets) console.log(`          asset: ${fileName}`);

if (coreBytes > CORE_BUDGET) {
  console.error(`size: the core is ${coreBytes - CORE_BUDGET} bytes over its budget`);
  process.exit(1);
}
