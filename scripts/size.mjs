// Prints what a page downloads for `import { loadModel } from 'webgpu-rnn'`: gzip -9 bytes of what loads at once
// (core) and of each part that loads when needed. Fails when the core is over its budget. Build first.
//
//   npm run size             of dist/
//   npm run size -- DIST     of another dist folder
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundlePage, coreBytes } from './chunk-sizes.mjs';

const CORE_BUDGET = 25_000; // bytes; tf.js with layers and WebGPU is ten times this

const dist = process.argv[2] ?? fileURLToPath(new URL('../dist', import.meta.url));
const entry = join(resolve(dist), 'index.js');
if (!existsSync(entry)) {
  console.error(`size: no ${entry}; run \`npm run build\` first`);
  process.exit(1);
}

const { chunks, assets } = await bundlePage(
  entry,
  `import { loadModel } from 'webgpu-rnn'; globalThis.use = loadModel;`,
);
const row = (label, size) => console.log(`${String(size).padStart(8)}  ${label}`);
const core = coreBytes(chunks);

console.log('gzip -9 bytes, minified');
row(`core (budget ${CORE_BUDGET})`, core);
for (const { name, bytes } of chunks.filter((chunk) => !chunk.core)) row(name, bytes);
for (const asset of assets) console.log(`          asset: ${asset}`);

if (core > CORE_BUDGET) {
  console.error(`size: the core is ${core - CORE_BUDGET} bytes over its budget`);
  process.exit(1);
}
