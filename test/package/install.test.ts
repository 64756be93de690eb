// The packed tarball, installed elsewhere: in a plain Node script and in an empty Vite project, both
// running a model. Reads dist/: build first.
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { chromium } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chromiumOptions } from '../setup/chromium.ts';
import { writeOnnx } from '../support/onnx-writer.ts';
import { randomOf } from '../support/random.ts';
import { tensor } from '../../src/tensor.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const random = randomOf(11);
const [I, H] = [3, 5];

/** A file with a recurrent layer and another operator, so that every chunk is needed. */
const file = writeOnnx({
  inputs: [{ name: 'X', type: 'float32', dims: ['T', 1, I] }],
  outputs: [{ name: 'P', type: 'float32', dims: ['T', 1, 1, H] }],
  initializers: {
    W: tensor(random.floats(4 * H * I, 0.6), [1, 4 * H, I]),
    R: tensor(random.floats(4 * H * H, 0.6), [1, 4 * H, H]),
  },
  nodes: [
    {
      op: 'LSTM',
      name: 'lstm',
      inputs: ['X', 'W', 'R'],
      outputs: ['Y'],
      attributes: { hidden_size: H },
    },
    { op: 'Softmax', name: 'softmax', inputs: ['Y'], outputs: ['P'], attributes: { axis: -1 } },
  ],
});

const script = (entry: string, device: string): string => `
import { loadModel, tensor } from '${entry}';
export async function judge(source, device = '${device}') {
  const model = await loadModel(source, { device });
  const X = tensor(new Float32Array(4 * ${I}).fill(0.5), [4, 1, ${I}]);
  const { P } = await model.run({ X });
  return { backend: model.backend, dims: P.dims, data: [...P.data] };
}
`;

let app: string;
let tarball: string;

beforeAll(async () => {
  app = await mkdtemp(join(tmpdir(), 'webgpu-rnn-install-'));
  await run('npm', ['pack', '--pack-destination', app], { cwd: root });
  tarball = (await readdir(app)).find((name) => name.endsWith('.tgz'))!;
  await writeFile(
    join(app, 'package.json'),
    '{ "name": "app", "type": "module", "private": true }',
  );
  await run(
    'npm',
    ['install', '--offline', '--no-audit', '--no-fund', '--legacy-peer-deps', `./${tarball}`],
    { cwd: app },
  );
  await writeFile(join(app, 'model.onnx'), file);
});

afterAll(() => rm(app, { recursive: true, force: true }));

interface Result {
  readonly backend: string;
  readonly dims: number[];
  readonly data: number[];
}

function expectResult({ backend, dims, data }: Result, device: string): void {
  expect(backend).toBe(device);
  expect(dims).toEqual([4, 1, 1, H]);
  for (let t = 0; t < 4; t++) {
    const sum = data.slice(t * H, (t + 1) * H).reduce((a, b) => a + b, 0);
    expect(sum).toBeCloseTo(1, 5);
  }
  expect(new Set(data.map((value) => value.toFixed(4))).size).toBeGreaterThan(H);
}

test('it brings nothing with it', async () => {
  const installed = await readdir(join(app, 'node_modules'));
  expect(installed.filter((name) => !name.startsWith('.'))).toEqual(['webgpu-rnn']);
});

test('its types hold in a strict project without @webgpu/types, Node, or the newest library', async () => {
  const compilerOptions = {
    target: 'ES2022',
    lib: ['ES2022', 'DOM'],
    module: 'ESNext',
    moduleResolution: 'Bundler',
    strict: true,
    noEmit: true,
    types: [],
  };
  const project = join(app, 'tsconfig.json');
  await writeFile(project, JSON.stringify({ compilerOptions, files: ['types.ts'] }));
  await writeFile(
    join(app, 'types.ts'),
    `import { createRnnNode, createWorkerModel, loadModel } from 'webgpu-rnn';
export { serveModels } from 'webgpu-rnn/worker';
export { registerRnnProcessor } from 'webgpu-rnn/worklet';
export { createRnnNode, createWorkerModel };
export const model = await loadModel('model.onnx');
// @ts-expect-error: a device is not any
export const device: number = model.device;
`,
  );
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const said = await run(process.execPath, [tsc, '-p', project]).then(
    () => '',
    ({ stdout }: { stdout: string }) => stdout,
  );
  expect(said).toBe('');
});

test('importing it touches nothing of the environment', async () => {
  const { stdout } = await run(
    process.execPath,
    ['-e', "import('webgpu-rnn').then((m) => console.log(Object.keys(m).join()))"],
    { cwd: app },
  );
  expect(stdout).toContain('loadModel');
});

test.each(['reference', 'wasm', 'js', 'webgpu'])(
  'a plain Node script runs a model on %s',
  async (device) => {
    if (device === 'webgpu') {
      await symlink(join(root, 'node_modules/webgpu'), join(app, 'node_modules/webgpu'));
    }
    await writeFile(
      join(app, `${device}.js`),
      `${script('webgpu-rnn/node', device)}
console.log(JSON.stringify(await judge('model.onnx')));
process.exit(0);`,
    );
    const { stdout } = await run(process.execPath, [`${device}.js`], { cwd: app });
    expectResult(JSON.parse(stdout) as Result, device);
  },
);

/** Builds an empty Vite project around a script, and opens its page. */
async function pageResult(folder: string, policy: string, main: string): Promise<unknown> {
  const { build, preview } = await import('vite');
  const page = join(app, folder);
  await mkdir(join(page, 'public'), { recursive: true });
  await cp(join(app, 'node_modules/webgpu-rnn'), join(page, 'node_modules/webgpu-rnn'), {
    recursive: true,
  });
  await writeFile(join(page, 'package.json'), '{ "type": "module" }');
  await writeFile(join(page, 'public/model.onnx'), file);
  const meta = `<meta http-equiv="Content-Security-Policy" content="${policy}">`;
  await writeFile(
    join(page, 'index.html'),
    `<!doctype html><head>${meta}<script type="module" src="/main.js"></script></head>`,
  );
  await writeFile(join(page, 'main.js'), main);
  await build({ root: page, configFile: false, logLevel: 'error', worker: { format: 'es' } });
  const server = await preview({
    root: page,
    configFile: false,
    logLevel: 'error',
    preview: { host: '127.0.0.1', port: 0 },
  });
  const browser = await chromium.launch(chromiumOptions);
  try {
    const tab = await browser.newPage();
    await tab.goto(server.resolvedUrls!.local[0]!);
    await tab.waitForFunction('globalThis.result !== undefined');
    return await tab.evaluate('globalThis.result');
  } finally {
    await browser.close();
    await server.close();
  }
}

test('an empty Vite project builds with it, and the page runs a model', async () => {
  // No 'wasm-unsafe-eval' and no 'unsafe-eval': the strictest page can run it, on the GPU and on the CPU.
  const policy = "default-src 'none'; script-src 'self'; connect-src 'self'";
  const main = `${script('webgpu-rnn', 'webgpu')}
const refused = judge('/model.onnx', 'wasm').catch(({ code }) => code);
globalThis.result = Promise.all([judge('/model.onnx'), judge('/model.onnx', 'js'), refused]);`;
  const results = (await pageResult('page', policy, main)) as [Result, Result, string];
  expectResult(results[0], 'webgpu');
  expectResult(results[1], 'js');
  expect(results[2]).toBe('UNSUPPORTED_FEATURE');
});

const inWorker = (entry: string, before: string, options: string, source: string): string => `
import { createWorkerModel, tensor } from '${entry}';
${before}
export async function judge() {
  const model = await createWorkerModel('${source}', { device: 'wasm', ${options} });
  const X = tensor(new Float32Array(4 * ${I}).fill(0.5), [4, 1, ${I}]);
  const { P } = await model.run({ X });
  const { backend } = model;
  model.dispose();
  return { backend, dims: P.dims, data: [...P.data] };
}
`;

test('an empty Vite project finds the worker of the package, which runs a model', async () => {
  const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'";
  const main = `${inWorker('webgpu-rnn', '', '', 'model.onnx')}
globalThis.result = judge();`;
  expectResult((await pageResult('page-worker', policy, main)) as Result, 'wasm');
});

test('a worker thread of Node runs a model', async () => {
  await writeFile(
    join(app, 'thread.js'),
    `import 'webgpu-rnn/node';
import { parentPort } from 'node:worker_threads';
import { serveModels } from 'webgpu-rnn/worker';
serveModels(parentPort);`,
  );
  const before = `import { Worker } from 'node:worker_threads';
const worker = new Worker(new URL('./thread.js', import.meta.url));`;
  await writeFile(
    join(app, 'threads.js'),
    `${inWorker('webgpu-rnn/node', before, 'worker', 'model.onnx')}
console.log(JSON.stringify(await judge()));
await worker.terminate();`,
  );
  const { stdout } = await run(process.execPath, ['threads.js'], { cwd: app });
  expectResult(JSON.parse(stdout) as Result, 'wasm');
});
