// One load of one model in a Chromium of its own, with the memory of all its processes.
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';
import { chromium, type CDPSession } from 'playwright';
import { chromiumOptions } from '../test/setup/chromium.ts';
import type { LoadCase, LoadCost } from './load-types.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.html': 'text/html',
};

const PAGE = `<!doctype html><title>load</title><script type="module">
const TYPES = { float32: Float32Array, int64: BigInt64Array };
const dataOf = ({ type, data, size }) =>
  data ? TYPES[type].from(data, type === 'int64' ? BigInt : Number) : new TYPES[type](size).fill(0.1);
const made = (feeds, make) =>
  Object.fromEntries(Object.entries(feeds).map(([name, f]) => [name, make(f, dataOf(f))]));

async function ours(feeds) {
  const { loadModel, tensor } = await import('/dist/index.js');
  const given = made(feeds, (f, data) => tensor(data, f.dims));
  return { load: (url) => loadModel(url, { device: 'webgpu' }), run: (model) => model.run(given) };
}

async function onnxRuntime(provider, feeds) {
  const { InferenceSession, Tensor, env } = await import('/ort/ort.all.min.mjs');
  env.wasm.wasmPaths = '/ort/';
  const given = made(feeds, (f, data) => new Tensor(f.type, data, f.dims));
  return {
    load: (url) => InferenceSession.create(url, { executionProviders: [provider] }),
    run: (session) => session.run(given),
  };
}

window.prepare = async (engine, feeds) => {
  window.engine = await (engine === 'webgpu-rnn' ? ours(feeds) : onnxRuntime(engine.slice(4), feeds));
};
window.measure = async (url) => {
  const start = performance.now();
  window.model = await window.engine.load(url);
  const loaded = performance.now();
  const result = await window.engine.run(window.model);
  const sums = Object.values(result).map(({ data }) => Array.from(data, Number).reduce((a, b) => a + b, 0));
  return {
    loadMs: loaded - start,
    firstRunMs: performance.now() - loaded,
    sum: sums.reduce((a, b) => a + b, 0),
  };
};
</script>`;

/** Serves the page, the built package, ONNX Runtime and the model, on loopback. */
function serve(model: string) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    // Without these two there are no threads for WebAssembly.
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
    response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
    if (pathname === '/') {
      response.setHeader('content-type', 'text/html');
      response.end(PAGE);
      return;
    }
    const file =
      pathname === '/model.onnx'
        ? model
        : `.${pathname.replace(/^\/ort\//, '/node_modules/onnxruntime-web/dist/')}`;
    const info = file.includes('..') ? undefined : statSync(file, { throwIfNoEntry: false });
    if (!info?.isFile()) {
      response.statusCode = 404;
      response.end();
      return;
    }
    response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream');
    response.setHeader('content-length', info.size);
    createReadStream(file).pipe(response);
  });
  return new Promise<{ url: string; close: () => void }>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      resolve({ url: `http://127.0.0.1:${port}/`, close: () => void server.close() });
    });
  });
}

/** Resident bytes of the processes that run a page and its GPU work: now, and at their largest. */
async function residentOf(browser: CDPSession): Promise<{ now: number; peak: number }> {
  const { processInfo } = await browser.send('SystemInfo.getProcessInfo');
  const statuses = processInfo
    .filter(({ type }) => type === 'renderer' || type === 'GPU')
    .map(({ id }) => readFileSync(`/proc/${id}/status`, 'utf8')); // Linux only
  const sum = (key: string): number =>
    statuses
      .map((status) => Number(new RegExp(`${key}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) * 1024)
      .reduce((a, b) => a + b, 0);
  return { now: sum('VmRSS'), peak: sum('VmHWM') };
}

/** Bytes that JavaScript holds once the garbage is gone: heap and array buffers, no WebAssembly. */
async function jsBytesOf(page: CDPSession): Promise<number> {
  await page.send('HeapProfiler.collectGarbage');
  // The typings know the sizes of the heap only.
  const usage: { usedSize: number; backingStorageSize?: number } =
    await page.send('Runtime.getHeapUsage');
  return usage.usedSize + (usage.backingStorageSize ?? 0);
}

/** What the page of {@link PAGE} puts into its window. */
interface PageWindow {
  prepare(engine: string, feeds: LoadCase['feeds']): Promise<void>;
  measure(url: string): Promise<Pick<LoadCost, 'loadMs' | 'firstRunMs' | 'sum'>>;
}

/** Loads a model in a page and runs it once. */
export async function measureInBrowser(
  engine: string,
  { file, feeds }: LoadCase,
): Promise<LoadCost> {
  const server = await serve(file);
  const browser = await chromium.launch(chromiumOptions);
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(120_000);
    await page.goto(server.url);
    const session = await browser.newBrowserCDPSession();
    await page.evaluate(([name, given]) => (window as unknown as PageWindow).prepare(name, given), [
      engine,
      feeds,
    ] as const);
    const pageSession = await page.context().newCDPSession(page);
    const [js, before] = [await jsBytesOf(pageSession), await residentOf(session)];
    const times = await page.evaluate(
      (url) => (window as unknown as PageWindow).measure(url),
      `${server.url}model.onnx`,
    );
    const { peak } = await residentOf(session);
    const jsKept = (await jsBytesOf(pageSession)) - js;
    const { now } = await residentOf(session);
    return {
      ...times,
      peakBytes: peak - before.now,
      keptBytes: now - before.now,
      jsKeptBytes: jsKept,
    };
  } finally {
    await browser.close();
    server.close();
  }
}
