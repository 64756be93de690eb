// `npm run bench:streams`: many streams of a model, computed together (`model.streams`) and one by one (`model.stream`).
// Answers are compared before anything is timed. Then, where ../shared/data is there, how many streams of Silero VAD
// step within 32 ms, the length of their chunks, in 99 of 100 rounds: this process, on one thread, is what a server has
// on each core.
//
//   npm run bench:streams                        the GPU, or SwiftShader where there is none
//   WEBGPU_RNN_ADAPTER=lavapipe npm run bench:streams
//   npm run bench:streams -- --counts 100 --rounds 20
//   npm run bench:streams -- --json FILE         where the results go; bench/results/ by default
import { parseArgs } from 'node:util';
import { dense, gru, loadModel, lstm, sequential, tensor } from 'webgpu-rnn/node';
import type { LoadOptions, Model, StreamOptions, Tensor } from 'webgpu-rnn/node';
import { randomOf } from '../test/support/random.ts';
import { hasSharedData, sharedBytes } from '../test/support/shared-data.ts';
import { worstDifference } from './answers.ts';
import { adapterLine, openDevice } from './device.ts';
import { dateOf, loadOf, machineOf, resultFile, versionsOf, writeJson } from './record.ts';
import { median, quantile } from './statistics.ts';
import { ratioText, tableOf, three } from './table.ts';

const { values: args } = parseArgs({
  options: {
    counts: { type: 'string', default: '100,1000' },
    rounds: { type: 'string', default: '9' },
    json: { type: 'string' },
  },
});
const counts = args.counts.split(',').map(Number);
const rounds = Number(args.rounds);
const random = randomOf(1);

type Feeds = Readonly<Record<string, Tensor>>;

/** A model that has many streams. */
interface Workload {
  readonly name: string;
  readonly source: Parameters<typeof loadModel>[0];
  readonly options: StreamOptions;
  /** Feeds of one step of one stream. */
  readonly feeds: () => Feeds;
  readonly output: string;
}

const floats = (scale: number, ...dims: number[]): Tensor<'float32'> =>
  tensor(
    random.floats(
      dims.reduce((n, dim) => n * dim, 1),
      scale,
    ),
    dims,
  );

/** A stack as for a tagger of frames: an LSTM, a GRU and classes. */
const TAGGER: Workload = {
  name: 'lstm 64 + gru 64',
  source: sequential([
    lstm({ W: floats(0.1, 256, 40), R: floats(0.1, 256, 64), B: floats(0.1, 512) }),
    gru({ W: floats(0.1, 192, 64), R: floats(0.1, 192, 64), B: floats(0.1, 384) }),
    dense({ W: floats(0.1, 10, 64), b: floats(0.1, 10), activation: 'softmax' }),
  ]),
  options: {},
  feeds: () => ({ X: floats(1, 1, 1, 40) }),
  output: 'Y',
};

const silero = (): Workload => ({
  name: 'Silero VAD',
  source: sharedBytes('models/silero-vad/silero_vad_16k_op15.onnx'),
  options: { state: { stateN: 'state' } },
  feeds: () => ({ input: floats(0.1, 1, 576), sr: tensor(BigInt64Array.of(16000n), []) }),
  output: 'output',
});

/** Streams of one kind. */
interface Streams {
  /** Compiles the best kernels: on a CPU that stands in for a GPU the first steps would have others. */
  readonly warmUp: (feeds: Feeds) => Promise<void>;
  /** A step of each at once. */
  readonly step: (feeds: readonly Feeds[]) => Promise<readonly Float32Array[]>;
  readonly dispose: () => void;
}

interface Stepping {
  step(feeds: Feeds): Promise<Record<string, Tensor>>;
}

const stepping = (streams: readonly Stepping[], output: string): Streams['step'] => {
  return async (feeds) => {
    const results = await Promise.all(feeds.map((each, i) => streams[i]!.step(each)));
    return results.map((each) => each[output]!.data as Float32Array);
  };
};

function together(model: Model, { options, output }: Workload, count: number): Streams {
  const group = model.streams({ capacity: count, ...options });
  const streams = Array.from({ length: count }, () => group.join());
  return {
    warmUp: (feeds) => group.warmUp(feeds),
    step: stepping(streams, output),
    dispose: () => group.dispose(),
  };
}

function separate(model: Model, { options, output }: Workload, count: number): Streams {
  const streams = Array.from({ length: count }, () => model.stream(options));
  return {
    warmUp: (feeds) => streams[0]!.warmUp(feeds),
    step: stepping(streams, output),
    dispose: () => streams.forEach((stream) => stream.dispose()),
  };
}

const KINDS = { together, separate } as const;
type Kind = keyof typeof KINDS;

/** Milliseconds of a step of all. */
async function timeOf({ step }: Streams, feeds: readonly Feeds[]): Promise<number> {
  const start = performance.now();
  await step(feeds);
  return performance.now() - start;
}

/** Both kinds, after they have given the same answers over three steps. */
async function checked(model: Model, workload: Workload, count: number) {
  const kinds = {
    together: together(model, workload, count),
    separate: separate(model, workload, count),
  };
  for (const kind of Object.values(kinds)) await kind.warmUp(workload.feeds());
  for (let step = 0; step < 3; step++) {
    const feeds = Array.from({ length: count }, workload.feeds);
    const [got, want] = [await kinds.together.step(feeds), await kinds.separate.step(feeds)];
    const worst = Math.max(...got.map((each, i) => worstDifference(each, want[i]!)));
    if (!(worst < 1e-5)) throw new Error(`${workload.name}: streams differ by ${worst}`);
  }
  return kinds;
}

/** Seconds after which three rounds are enough. */
const SPEED_SECONDS = 15;

/** A row of the first table. */
interface SpeedRow {
  readonly model: string;
  readonly backend: string;
  readonly streams: number;
  /** Milliseconds of a step of all streams. */
  readonly ms: Readonly<Record<Kind, number>>;
}

async function speedOf(model: Model, workload: Workload, count: number): Promise<SpeedRow> {
  const kinds = await checked(model, workload, count);
  const feeds = Array.from({ length: count }, workload.feeds);
  const times = { together: [] as number[], separate: [] as number[] };
  const end = performance.now() + SPEED_SECONDS * 1000;
  for (let round = 0; round < rounds && (round < 3 || performance.now() < end); round++) {
    for (const kind of ['together', 'separate'] as const) {
      times[kind].push(await timeOf(kinds[kind], feeds));
    }
  }
  kinds.together.dispose();
  kinds.separate.dispose();
  const ms = { together: median(times.together), separate: median(times.separate) };
  return { model: workload.name, backend: model.backend, streams: count, ms };
}

/** Milliseconds of a chunk of Silero VAD, 512 samples at 16 kHz. */
const CHUNK_MS = 32;
const MAX_STREAMS = 2048;
/** Rounds of a count of streams, and those of one that is too slow beyond doubt. */
const [ROUNDS, FEW] = [120, 5];
/** Seconds that one kind on one backend may take. */
const SECONDS = 35;

/** The 99th percentile of a round of some streams, in milliseconds. */
async function p99Of(streams: Streams, feeds: readonly Feeds[]): Promise<number> {
  await streams.warmUp(feeds[0]!);
  for (let i = 0; i < FEW; i++) await streams.step(feeds);
  const times: number[] = [];
  while (times.length < ROUNDS) {
    times.push(await timeOf(streams, feeds));
    if (times.length >= FEW && median(times) > CHUNK_MS) break;
  }
  return quantile(times, 0.99);
}

/** A row of the second table. */
interface RealTimeRow {
  readonly backend: string;
  readonly kind: Kind;
  /** The largest number of streams that step in time; 0 where one does not. */
  readonly streams: number;
  /** Their 99th percentile in milliseconds. */
  readonly p99: number | undefined;
}

/** Doubles the streams until they are late, then halves the distance. */
async function realTimeOf(model: Model, workload: Workload, kind: Kind): Promise<RealTimeRow> {
  const end = performance.now() + SECONDS * 1000;
  const all = Array.from({ length: MAX_STREAMS }, workload.feeds);
  let [inTime, late, p99] = [0, MAX_STREAMS + 1, undefined as number | undefined];
  for (let count = 1; late - inTime > Math.max(1, inTime / 16) && performance.now() < end;) {
    const streams = KINDS[kind](model, workload, count);
    const measured = await p99Of(streams, all.slice(0, count));
    streams.dispose();
    if (measured < CHUNK_MS) [inTime, p99] = [count, measured];
    else late = count;
    count = late > MAX_STREAMS ? Math.min(2 * count, MAX_STREAMS) : Math.floor((inTime + late) / 2);
    if (count === inTime) break;
  }
  return { backend: model.backend, kind, streams: inTime, p99 };
}

const SPEEDS = tableOf([
  ['model', -18],
  ['backend', -8],
  ['streams', 7],
  ['together', 12],
  ['separate', 12],
  ['ratio', 8],
]);
const REAL_TIME = tableOf([
  ['Silero VAD in 32 ms', -20],
  ['streams', 8],
  ['p99', 10],
]);

const { device, adapter } = await openDevice({ robust: true }); // as users have it
console.log(adapterLine(adapter));
const BACKENDS: readonly LoadOptions[] = [{ device }, { device: 'wasm' }];
const file = args.json ?? resultFile(['streams', adapter.vendor, adapter.architecture]);
const speeds: SpeedRow[] = [];
const realTime: RealTimeRow[] = [];
const write = (): void =>
  writeJson(file, {
    date: dateOf(),
    adapter,
    machine: machineOf(),
    load: loadOf(),
    versions: versionsOf(['webgpu']),
    rounds,
    speeds,
    realTime,
  });
const workloads = [TAGGER, ...(hasSharedData ? [silero()] : [])];
console.log(SPEEDS.head);
for (const options of BACKENDS) {
  for (const workload of workloads) {
    const model = await loadModel(workload.source, options);
    for (const count of counts) {
      const row = await speedOf(model, workload, count);
      speeds.push(row);
      const { ms, backend } = row;
      const cells = [ms.together, ms.separate].map((time) => `${three(time)} ms`);
      const ratio = ratioText(ms.separate / ms.together);
      console.log(SPEEDS.line(workload.name, backend, `${count}`, ...cells, ratio));
      write();
    }
    model.dispose();
  }
}
if (hasSharedData) {
  console.log(`\n${REAL_TIME.head}`);
  for (const options of BACKENDS) {
    for (const kind of ['together', 'separate'] as const) {
      const workload = silero();
      const model = await loadModel(workload.source, options);
      const row = await realTimeOf(model, workload, kind);
      realTime.push(row);
      const name = `${row.backend} ${kind}`;
      console.log(REAL_TIME.line(name, `${row.streams}`, `${three(row.p99)} ms`));
      model.dispose();
      write();
    }
  }
}
console.log(`written to ${file}`);
process.exit(0); // Dawn keeps threads of its own
