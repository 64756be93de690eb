// `npm run bench:weights`: what the option `weights` saves and costs: memory on the GPU, time, and the
// worst error against the float64 reference, for each cell with 256 units over 1000 time steps. Where the
// adapter has shader-f16, `arithmetic: 'f16'` too.
//
//   npm run bench:weights                       one batch row
//   npm run bench:weights -- --batch 16
//   npm run bench:weights -- --cell gru --hidden 512 --steps 64 --seconds 3 --kernel step
//   npm run bench:weights -- --json FILE        where the results go; bench/results/ by default
import { parseArgs } from 'node:util';
import { gru, loadModel, lstm, rnn, sequential, tensor, type LoadOptions } from 'webgpu-rnn/node';
import { randomOf } from '../test/support/random.ts';
import { worstDifference } from './answers.ts';
import { adapterLine, openDevice } from './device.ts';
import { measure, type Runnable } from './measure.ts';
import { Progress } from './progress.ts';
import { dateOf, machineOf, resultFile, versionsOf, writeJson } from './record.ts';
import { ratioText, tableOf } from './table.ts';

const CELLS = {
  lstm: { make: lstm, gates: 4 },
  gru: { make: gru, gates: 3 },
  rnn: { make: rnn, gates: 1 },
};
type Cell = keyof typeof CELLS;
/** Storages of weights, with their options of `loadModel`. */
const STORAGES: Readonly<Record<string, LoadOptions>> = {
  f32: { weights: 'f32' },
  f16: { weights: 'f16' },
  'f16 in f16': { weights: 'f16', arithmetic: 'f16' }, // where the adapter has it
  int8: { weights: 'int8' },
};

const { values: args } = parseArgs({
  options: {
    cell: { type: 'string', multiple: true, default: Object.keys(CELLS) },
    hidden: { type: 'string', default: '256' },
    batch: { type: 'string', default: '1' },
    steps: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '3' },
    kernel: { type: 'string' },
    json: { type: 'string' },
  },
});
const { kernel } = args;
if (kernel !== undefined && kernel !== 'step' && kernel !== 'persistent') {
  throw new Error(`--kernel ${kernel}: expected step or persistent`);
}
const [H, B, T] = [args.hidden, args.batch, args.steps].map(Number) as [number, number, number];
const ROUNDS = [3, 30] as const;
const requested: LoadOptions = kernel === undefined ? {} : { recurrentKernel: kernel };

/** One storage of one cell. */
interface Row {
  readonly cell: Cell;
  /** One of {@link STORAGES}. */
  readonly weights: string;
  /** Bytes of all constants on the GPU, biases among them. */
  readonly bytes: number;
  /** Milliseconds of a run, end to end. */
  readonly ms: { readonly median: number; readonly p10: number; readonly p95: number };
  /** Largest difference from the float64 reference over all outputs, which are within ±1. */
  readonly error: number;
}

/** A layer as PyTorch initialises it, uniform in ±1/√H, on input uniform in ±1. */
function workload(cell: Cell) {
  const random = randomOf(1);
  const { make, gates } = CELLS[cell];
  const weights = (...dims: number[]) =>
    tensor(
      random.floats(
        dims.reduce((n, dim) => n * dim, 1),
        1 / Math.sqrt(H),
      ),
      dims,
    );
  const W = weights(gates * H, H);
  const layer = make({ W, R: weights(gates * H, H), B: weights(2 * gates * H) });
  const graph = sequential([layer]);
  const X = tensor(random.floats(B * T * H), [B, T, H]);
  return { graph, feeds: { [graph.inputs[0]!.name]: X }, output: graph.outputs[0]!.name };
}

/** Measures the storages of one cell, interleaved. */
async function measureCell(cell: Cell, device: GPUDevice): Promise<Row[]> {
  const { graph, feeds, output } = workload(cell);
  const load = async (options: LoadOptions) => {
    const model = await loadModel(graph, options);
    const run = async (): Promise<Float32Array> =>
      (await model.run(feeds))[output]!.data as Float32Array;
    return { model, run };
  };
  const reference = await load({ device: 'reference' });
  const truth = await reference.run();
  reference.model.dispose();
  const storages = Object.entries(STORAGES).filter(
    ([, { arithmetic }]) => arithmetic !== 'f16' || device.features.has('shader-f16'),
  );
  const loaded = await Promise.all(
    storages.map(async ([weights, options]) => {
      const { model, run } = await load({ device, ...options, ...requested });
      await model.warmUp(feeds);
      const { weightBytes } = model.usage;
      const error = worstDifference(await run(), truth);
      const dispose = (): void => model.dispose();
      return {
        weights,
        bytes: weightBytes,
        error,
        engine: { name: weights, run, dispose } satisfies Runnable,
      };
    }),
  );
  const engines = loaded.map(({ engine }) => engine);
  const { timings, failures } = await measure(engines, {
    rounds: ROUNDS,
    seconds: Number(args.seconds),
  });
  for (const engine of engines) engine.dispose();
  for (const failure of failures.values()) throw failure;
  return loaded.map(({ weights, bytes, error }) => {
    const { median, p10, p95 } = timings.get(weights)!;
    return { cell, weights, bytes, ms: { median, p10, p95 }, error };
  });
}

const TABLE = tableOf([
  ['cell', -5],
  ['weights', -10],
  ['memory', 10],
  ['of f32', 7],
  ['time', 12],
  ['of f32', 7],
  ['worst error', 11],
]);

const lineOf = ({ cell, weights, bytes, ms, error }: Row, f32: Row): string =>
  TABLE.line(
    cell,
    weights,
    `${(bytes / 1024).toFixed(0)} KiB`,
    ratioText(bytes / f32.bytes),
    `${ms.median.toFixed(2)} ms`,
    ratioText(ms.median / f32.ms.median),
    error.toExponential(1),
  );

const { device, adapter } = await openDevice({ robust: true }); // as users have it
console.log(adapterLine(adapter));
console.log(
  `${H} units and inputs, batch ${B}, ${T} time steps${kernel ? `, ${kernel} kernel` : ''}`,
);
console.log(TABLE.head);
const cells = args.cell.map((name): Cell => {
  if (!Object.hasOwn(CELLS, name)) throw new Error(`--cell ${name}: expected lstm, gru or rnn`);
  return name as Cell;
});
const progress = new Progress(cells.length);
const file =
  args.json ?? resultFile(['weights', adapter.vendor, adapter.architecture, B > 1 ? `b${B}` : '']);
const rows: Row[] = [];
for (const cell of cells) {
  progress.show(cell);
  const measured = await measureCell(cell, device);
  progress.step();
  for (const row of measured) console.log(lineOf(row, measured[0]!));
  rows.push(...measured);
  writeJson(file, {
    date: dateOf(),
    adapter,
    machine: machineOf(),
    versions: versionsOf(['webgpu']),
    shape: { hidden: H, inputs: H, batch: B, steps: T },
    kernel,
    rows,
  });
}
console.log(`written to ${file}`);
process.exit(0); // Dawn keeps threads of its own
