// `npm run bench:cpu`: a backend of the CPU against ONNX Runtime Web's WebAssembly provider, or against another
// backend, all with one thread, in one process. Rounds alternate between the engines, so that whatever else the machine does meets both; what counts
// is the ratio of the medians. An engine whose answer is wrong is not timed.
//
//   npm run bench:cpu                     steps and runs of recurrent layers, and the models of ../shared/data
//   npm run bench:cpu -- --match gru      what has this in its name
//   npm run bench:cpu -- --rounds 30      15 by default
//   npm run bench:cpu -- --clock cpu      processor time of this process, for a machine that is not idle
//   npm run bench:cpu -- --device js --against reference
//   npm run bench:cpu -- --weights int8   ours with weights of 8 bits, the other with those of the file
import { parseArgs } from 'node:util';
import * as ort from 'onnxruntime-web/wasm';
import { loadModel, tensor, type LoadOptions, type Tensor } from 'webgpu-rnn';
import { writeOnnx } from '../test/support/onnx-writer.ts';
import { randomOf } from '../test/support/random.ts';
import { hasSharedData, sharedBytes } from '../test/support/shared-data.ts';
import { geometricMean, median } from './statistics.ts';

const { values: args } = parseArgs({
  options: {
    match: { type: 'string', default: '' },
    rounds: { type: 'string', default: '15' },
    clock: { type: 'string', default: 'wall' },
    device: { type: 'string', default: 'wasm' },
    against: { type: 'string', default: 'ort-wasm' },
    weights: { type: 'string', default: 'f32' },
  },
});

const CELLS = { lstm: ['LSTM', 4], gru: ['GRU', 3], rnn: ['RNN', 1] } as const;
type CellName = keyof typeof CELLS;

/** One thing that both engines do. */
interface Task {
  readonly name: string;
  readonly file: Uint8Array;
  /** What each call is fed, but for the state. */
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** Output → input that the next call is fed it by; absent for runs, which keep no state. */
  readonly state?: Readonly<Record<string, string>>;
  /** What a call begins with, by input. */
  readonly initial?: Readonly<Record<string, Tensor>>;
  /** The output that is compared. */
  readonly output: string;
}

/** A layer whose states are inputs and outputs. */
function layer(cell: CellName, H: number, T: number, B = 1): Task {
  const [op, G] = CELLS[cell];
  const random = randomOf(H + T);
  const numbers = (dims: readonly number[], scale: number): Tensor =>
    tensor(
      random.floats(
        dims.reduce((a, b) => a * b, 1),
        scale,
      ),
      dims,
    );
  const states = cell === 'lstm' ? ['h', 'c'] : ['h'];
  const scale = 1 / Math.sqrt(H);
  const shape = (name: string, dims: readonly number[]) =>
    ({ name, type: 'float32', dims }) as const;
  const isStep = T === 1;
  const file = writeOnnx({
    inputs: [shape('X', [T, B, H]), ...(isStep ? states.map((s) => shape(s, [1, B, H])) : [])],
    outputs: ['Y', ...(isStep ? states.map((s) => `${s}N`) : [])].map((name) => ({
      name,
      type: 'float32',
    })),
    initializers: {
      W: numbers([1, G * H, H], scale),
      R: numbers([1, G * H, H], scale),
      B: numbers([1, 2 * G * H], scale),
    },
    nodes: [
      {
        op,
        inputs: ['X', 'W', 'R', 'B', '', ...(isStep ? states : [])],
        outputs: ['Y', ...(isStep ? states.map((s) => `${s}N`) : [])],
        attributes: { hidden_size: H, ...(cell === 'gru' && { linear_before_reset: 1 }) },
      },
    ],
  });
  return {
    name: `${cell} H=${H} T=${T}${B === 1 ? '' : ` B=${B}`}`,
    file,
    feeds: { X: numbers([T, B, H], 1) },
    ...(isStep && {
      state: Object.fromEntries(states.map((s) => [`${s}N`, s])),
      initial: Object.fromEntries(
        states.map((s) => [s, tensor(new Float32Array(B * H), [1, B, H])]),
      ),
    }),
    output: 'Y',
  };
}

/** Frames of trained models, where their files are. */
function models(): Task[] {
  if (!hasSharedData) return [];
  const zeros = (...dims: number[]): Tensor =>
    tensor(new Float32Array(dims.reduce((a, b) => a * b, 1)), dims);
  const random = randomOf(3);
  const frame = (...dims: number[]): Tensor =>
    tensor(
      random.floats(
        dims.reduce((a, b) => a * b, 1),
        0.1,
      ),
      dims,
    );
  return [
    {
      name: 'Silero VAD frame',
      file: sharedBytes('models/silero-vad/silero_vad_16k_op15.onnx'),
      feeds: { input: frame(1, 576), sr: tensor(BigInt64Array.of(16000n), []) },
      state: { stateN: 'state' },
      initial: { state: zeros(2, 1, 128) },
      output: 'output',
    },
    {
      name: 'DTLN stage 1 block',
      file: sharedBytes('models/dtln/model_1.onnx'),
      feeds: { input_2: frame(1, 1, 257) },
      state: { tf_op_layer_stack_2: 'input_3' },
      initial: { input_3: zeros(1, 2, 128, 2) },
      output: 'activation_2',
    },
    {
      name: 'DTLN stage 2 block',
      file: sharedBytes('models/dtln/model_2.onnx'),
      feeds: { input_4: frame(1, 1, 512) },
      state: { tf_op_layer_stack_5: 'input_5' },
      initial: { input_5: zeros(1, 2, 128, 2) },
      output: 'conv1d_3',
    },
  ];
}

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

const weights = args.weights as 'f32' | 'int8';

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
