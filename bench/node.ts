// `npm run bench`: recurrent layers on whatever adapter is there, ours against ONNX Runtime's WebGPU
// and CPU providers in the same process. A wrong answer shows no time.
//
//   npm run bench                      the default shapes
//   npm run bench -- --full            all shapes (hours on a software adapter)
//   npm run bench -- --shape lstm-h128-b16-t64 --seconds 3
//   npm run bench -- --kernel step     one of our kernels instead of the chosen one
//   npm run bench -- --robust           Dawn's bounds checks on, as the package and browsers have them
//   npm run bench -- --json FILE       where the results go; bench/results/ADAPTER-DATE.json by default
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { create, globals } from 'webgpu';
import { loadModel, type LoadOptions } from 'webgpu-rnn/node';
import { geometricMean, measure, worstDifference, type Runnable, type Timing } from './measure.ts';
import { allShapes, DEFAULT_SHAPES, nameOf, shapeOf, workloadOf, type Workload } from './shapes.ts';

// Beyond this the float64 reference takes minutes, and ONNX Runtime's CPU provider decides.
const REFERENCE_FLOPS = 4e8;
const TOLERANCE = 1e-4; // f32 over long sums and many steps, values of order one

const { values: args } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    shape: { type: 'string', multiple: true },
    seconds: { type: 'string', default: '1' },
    kernel: { type: 'string' },
    robust: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});

// ONNX Runtime's library knows Dawn's toggle that leaves bounds checks out; whether its provider sets it
// is not known here. So ours is measured without them by default, and with them by --robust, which is
// what users of the package get: quote both.
Object.assign(globalThis, globals);
const dawn = create(args.robust ? [] : ['enable-dawn-features=disable_robustness']);
Object.assign(globalThis, { benchDawn: dawn }); // Dawn crashes when it is collected
const gpu = await dawn.requestAdapter();
if (!gpu) throw new Error('no WebGPU adapter');
const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize } = gpu.limits;
const device = await gpu.requestDevice({
  requiredLimits: { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize },
});

async function ours(
  name: string,
  { file, X }: Workload,
  options: LoadOptions,
): Promise<Runnable & { adapter: string }> {
  const model = await loadModel(file, options);
  return {
    name,
    adapter: model.adapter,
    run: async () => (await model.run({ X }))['Y']!.data as Float32Array,
    dispose: () => model.dispose(),
  };
}

async function ort(provider: 'webgpu' | 'cpu', { file, X }: Workload): Promise<Runnable> {
  const session = await InferenceSession.create(file, {
    executionProviders: [provider],
    logSeverityLevel: 3,
    // Its threads would otherwise spin after each run and take the cores from whoever is next.
    extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
  });
  const feeds = { X: new OrtTensor('float32', X.data, [...X.dims]) };
  return {
    name: `ort-${provider}`,
    run: async () => (await session.run(feeds))['Y']!.data as Float32Array,
    dispose: () => session.release(),
  };
}

interface Row {
  readonly shape: string;
  readonly flops: number;
  readonly arbiter: string;
  readonly errors: Readonly<Record<string, number>>;
  readonly times: Readonly<Record<string, Timing>>;
}

let adapter = '';

async function measureShape(workload: Workload, seconds: number): Promise<Row> {
  const { kernel } = args;
  if (kernel !== undefined && kernel !== 'step' && kernel !== 'persistent') {
    throw new Error(`--kernel ${kernel}: expected step or persistent`);
  }
  const own = await ours('webgpu-rnn', workload, {
    device,
    ...(kernel !== undefined && { recurrentKernel: kernel }),
  });
  adapter = own.adapter;
  const engines: Runnable[] = [own, await ort('webgpu', workload), await ort('cpu', workload)];
  try {
    const small = workload.flops <= REFERENCE_FLOPS;
    const judge = small ? await ours('reference', workload, { device: 'reference' }) : engines[2]!;
    const truth = await judge.run();
    const errors: Record<string, number> = {};
    for (const engine of engines) errors[engine.name] = worstDifference(await engine.run(), truth);
    if (small) await judge.dispose();
    const right = engines.filter(({ name }) => errors[name]! <= TOLERANCE);
    const times = Object.fromEntries(await measure(right, { rounds: [5, 200], seconds }));
    const { shape, flops } = workload;
    return { shape: nameOf(shape), flops, arbiter: small ? 'float64' : 'ort-cpu', errors, times };
  } finally {
    for (const engine of engines) await engine.dispose();
  }
}

const ms = (timing: Timing | undefined): string =>
  timing === undefined ? 'wrong' : timing.median.toFixed(timing.median < 10 ? 2 : 1);

function print(row: Row): void {
  const { 'webgpu-rnn': own, 'ort-webgpu': peer, 'ort-cpu': cpu } = row.times;
  const cells = [
    row.shape.padEnd(24),
    ms(own).padStart(9),
    ms(peer).padStart(9),
    (own && peer ? `${(peer.median / own.median).toFixed(2)}x` : '').padStart(8),
    ms(cpu).padStart(9),
    (own ? (row.flops / own.median / 1e6).toFixed(2) : '').padStart(9),
    row.errors['webgpu-rnn']!.toExponential(1).padStart(9),
  ];
  console.log(cells.join(' '));
}

const shapes = args.shape ? args.shape.map(shapeOf) : args.full ? allShapes() : DEFAULT_SHAPES;
const rows: Row[] = [];
console.log(
  'shape                         ours  ort-wgpu    ratio   ort-cpu   GFLOP/s     error   (ms, medians)',
);
for (const [i, shape] of shapes.entries()) {
  if (process.stderr.isTTY) process.stderr.write(`\r${i + 1}/${shapes.length} ${nameOf(shape)} `);
  const row = await measureShape(workloadOf(shape), Number(args.seconds));
  if (process.stderr.isTTY) process.stderr.write('\r\u001B[K');
  rows.push(row);
  print(row);
}
const ratios = rows.flatMap(({ times: { 'webgpu-rnn': own, 'ort-webgpu': peer } }) =>
  own && peer ? [peer.median / own.median] : [],
);
if (ratios.length > 0) {
  console.log(
    `${adapter}: ${geometricMean(ratios).toFixed(2)}x ONNX Runtime WebGPU, geometric mean of ${ratios.length}, worst ${Math.min(...ratios).toFixed(2)}x`,
  );
}
const date = new Date().toISOString().slice(0, 10);
const file =
  args.json ??
  `bench/results/${adapter.replaceAll(/[^a-z0-9]+/gi, '-').toLowerCase()}-${date}.json`;
await mkdir('bench/results', { recursive: true });
const machine = { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version };
const versions = { 'onnxruntime-node': '1.30.0' };
await writeFile(
  file,
  `${JSON.stringify({ date, adapter, machine, versions, kernel: args.kernel, robust: args.robust, rows }, null, 1)}\n`,
);
console.log(`written to ${file}`);
process.exit(0); // Dawn and ONNX Runtime keep threads of their own
