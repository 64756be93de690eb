// Loads one model with one engine in a process of its own, runs it once, and prints what that took as
// JSON. `node --expose-gc bench/load-child.mjs ENGINE FILE FEEDS`, see load.ts. It measures the built
// package, because that is what users load, and because a development server takes memory itself.
import { readFileSync, writeFileSync } from 'node:fs';

const [engine, file, feedsFile] = process.argv.slice(2);
const feeds = JSON.parse(readFileSync(feedsFile, 'utf8'));
const TYPES = { float32: Float32Array, int64: BigInt64Array };
const dataOf = ({ type, data, size }) =>
  data
    ? TYPES[type].from(data, type === 'int64' ? BigInt : Number)
    : new TYPES[type](size).fill(0.1);

/** Peak resident bytes since `resetPeak`. Linux only: Node's own peak includes that of its parent. */
const peakBytes = () =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
const resetPeak = () => writeFileSync('/proc/self/clear_refs', '5');

/** Bytes that JavaScript holds. */
const jsBytes = () => {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

async function ours() {
  const { loadModel, tensor } = await import('webgpu-rnn/node');
  const given = Object.entries(feeds).map(([name, f]) => [name, tensor(dataOf(f), f.dims)]);
  return {
    load: (path) => loadModel(path, { device: 'webgpu' }),
    run: (model) => model.run(Object.fromEntries(given)),
  };
}

async function onnxRuntime(provider) {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const given = Object.entries(feeds).map(([name, f]) => [
    name,
    new Tensor(f.type, dataOf(f), f.dims),
  ]);
  const options = { executionProviders: [provider], logSeverityLevel: 3 };
  return {
    load: (path) => InferenceSession.create(path, options),
    run: (session) => session.run(Object.fromEntries(given)),
  };
}

const { load, run } =
  engine === 'webgpu-rnn' ? await ours() : await onnxRuntime(engine.slice('ort-'.length));
globalThis.gc();
resetPeak();
const before = { rss: process.memoryUsage().rss, js: jsBytes() };
const start = performance.now();
const model = await load(file);
const loaded = performance.now();
const result = await run(model);
const ran = performance.now();
const peak = peakBytes();
globalThis.gc();
await new Promise((resolve) => setTimeout(resolve, 50));
globalThis.gc();
const sum = Object.values(result).reduce(
  (all, { data }) => all + Array.from(data, Number).reduce((a, b) => a + b, 0),
  0,
);
console.log(
  JSON.stringify({
    loadMs: loaded - start,
    firstRunMs: ran - loaded,
    peakBytes: peak - before.rss,
    keptBytes: process.memoryUsage().rss - before.rss,
    jsKeptBytes: jsBytes() - before.js,
    sum,
  }),
);
process.exit(0); // Dawn and ONNX Runtime keep threads of their own
