// Runs one model on WebGPU in a page bundled for a browser, here in Node, and prints the chunks that it loaded:
//
//   node bench/against/downloads-child.mjs PAGE.js FOLDER
//
// Every chunk of the page adds its name to `globalThis.loadedChunks`. FOLDER holds the files of the model; without
// it the page makes its own. The page leaves its imports in `globalThis.use`.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { create, globals } from 'webgpu';

const [page, folder] = process.argv.slice(2);
Object.assign(globalThis, globals);
globalThis.dawn = create([]); // Dawn crashes when this object is collected
Object.defineProperty(globalThis, 'navigator', { value: { gpu: globalThis.dawn } });

await import(pathToFileURL(page).href);
const { loadModel, tensor, makeGraph } = globalThis.use;
const files =
  folder &&
  Object.fromEntries(
    readdirSync(folder).map((name) => [name, new Uint8Array(readFileSync(join(folder, name)))]),
  );
const model = await loadModel(files ?? makeGraph(), { device: 'webgpu' });
const feeds = model.inputs.map(({ name, dims }) => {
  const sizes = dims.map((dim) => (typeof dim === 'number' ? dim : 2));
  return [name, tensor(new Float32Array(sizes.reduce((size, dim) => size * dim, 1)), sizes)];
});
await model.run(Object.fromEntries(feeds));
console.log(JSON.stringify([...new Set(globalThis.loadedChunks)]));
process.exit(0); // Dawn's threads would keep the process alive
