// Takes one model from its bytes to its first result in a fresh process, with a built copy of this package, and
// prints the times as JSON. Node runs it as it is:
//
//   node bench/against/first-result-child.mjs DIST/node.js MODEL.onnx INPUT.json ANSWER.bin
//
// INPUT.json holds the dims of X; ANSWER.bin gets the bytes of Y.
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [entry, modelFile, inputFile, answerFile] = process.argv.slice(2);
const { dims, data } = JSON.parse(readFileSync(inputFile, 'utf8'));
const bytes = new Uint8Array(readFileSync(modelFile));

const start = performance.now();
const { loadModel, tensor } = await import(pathToFileURL(entry).href);
const imported = performance.now();
const model = await loadModel(bytes, { device: 'webgpu' });
const loaded = performance.now();
const { Y } = await model.run({ X: tensor(Float32Array.from(data), dims) });
const done = performance.now();

writeFileSync(answerFile, new Uint8Array(Y.data.buffer, Y.data.byteOffset, Y.data.byteLength));
console.log(
  JSON.stringify({
    importMs: imported - start,
    loadMs: loaded - imported,
    firstRunMs: done - loaded,
  }),
);
process.exit(0); // Dawn's threads would keep the process alive
