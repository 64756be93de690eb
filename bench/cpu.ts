// `npm run bench:cpu`: a backend of the CPU against ONNX Runtime Web's WebAssembly provider, or against another
// backend, all with one thread, in one process. Rounds alternate between the engines, so that whatever else the machine does meets both; what counts
// is the ratio of the medians. An engine whose answer is wrong is not timed.
//
//   npm run bench:cpu                     steps and runs of recurrent layers, and the models of ../shared/data
//   npm run bench:cpu -- --match gru      what has this in its name
//   npm run bench:cpu -- --rounds 30      15 by default
//   npm run bench:cpu -- --clock cpu      processor time of this process, for a machine that is not idle
//   npm run bench:cpu -- --device js --against reference
//   npm run bench:cpu -- --roofline       GFLOP/s of the kernels, and of this core; --relaxed for relaxed SIMD in Node 20
//   npm run bench:cpu -- --weights int8   ours with weights of 8 bits or `f16`, the other with those of the file
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import * as ort from 'onnxruntime-web/wasm';
import { loadModel, type LoadOptions } from 'webgpu-rnn';
import { roofline } from './roofline.ts';
import { CELLS, layer, models, type CellName, type Task } from './tasks.ts';
import { geometricMean, median } from './statistics.ts';

const { values: args } = parseArgs({
  options: {
    match: { type: 'string', default: '' },
    rounds: { type: 'string', default: '15' },
    clock: { type: 'string', default: 'wall' },
    device: { type: 'string', default: 'wasm' },
    against: { type: 'string', default: 'ort-wasm' },
    weights: { type: 'string', default: 'f32' },
    roofline: { type: 'boolean', default: false },
    relaxed: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});

/** An engine that holds one task: a call gives the numbers of the output. */
interface Runner {
  readonly call: () => Promise<Float32Array> | Float32Array;
  readonly dispose: () => void;
}

async function ours({ file, feeds, state, output }: Task, options: LoadOptions): Promise<Runner> {
  const model = await loadModel(file, options);
  const dispose = (): void => model.dispose();
  if (!state) return { call: () => model.runSync(feeds)[output]!.data as Float32Array, dispose };
  const stream = model.stream({ state });
  const outputs = { outputs: [output] };
  return { call: () => stream.stepSync(feeds, outputs)[output]!.data as Float32Array, dispose };
}

async function onnxRuntime({ file, feeds, state, initial, output }: Task): Promise<Runner> {
  const session = await ort.InferenceSession.create(file, {
    executionProviders: ['wasm'],
    logSeverityLevel: 3,
  });
  const fed: Record<string, ort.Tensor> = {};
  for (const [name, { type, dims, data }] of Object.entries({ ...feeds, ...initial })) {
    if (session.inputNames.includes(name))
      fed[name] = new ort.Tensor(type as 'float32', data as Float32Array, [...dims]);
  }
  const pairs = Object.entries(state ?? {});
  const call = async (): Promise<Float32Array> => {
    const results = await session.run(fed);
    for (const [from, to] of pairs) fed[to] = results[from]!;
    return results[output]!.data as Float32Array;
  };
  return { call, dispose: () => void session.release() };
}

const deviceOf = (name: string): LoadOptions => ({ device: name as 'wasm' | 'js' | 'reference' });

const weights = args.weights as 'f32' | 'f16' | 'int8';

const theirs = (task: Task): Promise<Runner> =>
  args.against === 'ort-wasm' ? onnxRuntime(task) : ours(task, deviceOf(args.against));

/** Microseconds so far. */
function now(): number {
  if (args.clock === 'wall') return performance.now() * 1000;
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Microseconds of a call, the mean of some. */
async function time(call: Runner['call'], count: number): Promise<number> {
  const start = now();
  for (let i = 0; i < count; i++) await call();
  return (now() - start) / count;
}

/** The same without waiting for what is there already, as a caller of stepSync does not wait either. */
function timeSync(call: Runner['call'], count: number): number {
  const start = now();
  for (let i = 0; i < count; i++) void call();
  return (now() - start) / count;
}

async function compare(task: Task): Promise<number | undefined> {
  const [us, other] = [await ours(task, { ...deviceOf(args.device), weights }), await theirs(task)];
  try {
    let worst = 0;
    for (let k = 0; k < 3; k++) {
      const [got, want] = [await us.call(), await other.call()];
      got.forEach((x, i) => (worst = Math.max(worst, Math.abs(x - want[i]!))));
    }
    if (!(worst < (weights === 'f32' ? 1e-4 : 5e-2))) {
      console.log(`${task.name.padEnd(24)} differs by ${worst}`);
      return undefined;
    }
    // Long enough for every tier of the compilers.
    for (const call of [other.call, us.call])
      for (const end = now() + 4e4; now() < end;) await call();
    const guess = await time(other.call, 3);
    const count = Math.max(1, Math.ceil(8000 / guess));
    const oursCount = Math.max(1, Math.ceil(8000 / timeSync(us.call, 3)));
    const oursTimes: number[] = [];
    const theirTimes: number[] = [];
    for (let round = 0; round < Number(args.rounds); round++) {
      oursTimes.push(timeSync(us.call, oursCount));
      theirTimes.push(await time(other.call, count));
    }
    const ratio = median(theirTimes) / median(oursTimes);
    const cells = [median(oursTimes), median(theirTimes)].map((us1) => us1.toFixed(1).padStart(9));
    console.log(
      `${task.name.padEnd(24)}${cells.join('')} ${ratio.toFixed(2).padStart(7)}x  error ${worst.toExponential(1)}`,
    );
    return ratio;
  } finally {
    us.dispose();
    other.dispose();
  }
}

// Before anything is compiled: V8 has it without a flag from 11.4 on, Node from 22 on.
if (args.relaxed) setFlagsFromString('--experimental-wasm-relaxed-simd');
if (args.roofline) {
  await roofline(args.json);
  process.exit(0);
}

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';
const cells = Object.keys(CELLS) as CellName[];
const sizes = [32, 64, 128, 256, 512];
const groups: readonly (readonly [string, readonly Task[]])[] = [
  ['one step', cells.flatMap((cell) => [...sizes, 1024].map((H) => layer(cell, H, 1)))],
  ['runs', cells.flatMap((cell) => sizes.map((H) => layer(cell, H, 64)))],
  [
    'runs of a batch',
    [layer('lstm', 64, 64, 16), layer('lstm', 128, 64, 16), layer('gru', 128, 64, 16)],
  ],
  ['models', models()],
];
console.log(
  `${'µs a call'.padEnd(24)}${args.device.padStart(9)}${args.against.padStart(10)}   ratio`,
);
for (const [title, tasks] of groups) {
  const ratios: number[] = [];
  for (const task of tasks.filter(({ name }) => name.includes(args.match))) {
    const ratio = await compare(task);
    if (ratio !== undefined) ratios.push(ratio);
  }
  if (ratios.length > 0)
    console.log(`${title}: geometric mean ${geometricMean(ratios).toFixed(2)}x\n`);
}
