// `npm run bench:growth`: how the cost of a layer grows with time steps, batch rows, hidden units and layers, one
// at a time, and what the steps of a stream allocate in JavaScript's heap.
//
//   npm run bench:growth                        LSTM on the adapter that is there
//   npm run bench:growth -- --cell gru --seconds 3
//   npm run bench:growth -- --axis T --axis B   some of T, B, H, layers, allocation
//
// Writes a plot of each axis and one JSON to bench/results/.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { loadModel } from 'webgpu-rnn/node';
import { measureAllocation, type Allocation } from './allocation.ts';
import { TOLERANCE, worstDifference } from './answers.ts';
import { adapterLine, openDevice } from './device.ts';
import { measure } from './measure.ts';
import { Meter } from './meter.ts';
import { ours } from './node-engines.ts';
import { slopeOf, svgOf } from './plot.ts';
import { Progress } from './progress.ts';
import { dateOf, machineOf, resultFile, versionsOf, writeJson } from './record.ts';
import { nameOf, shapeOf, workloadOf, type Shape } from './shapes.ts';
import { median } from './statistics.ts';

const { values: args } = parseArgs({
  options: {
    cell: { type: 'string', default: 'lstm' },
    axis: { type: 'string', multiple: true },
    seconds: { type: 'string', default: '1' },
    steps: { type: 'string', default: '2000' },
    json: { type: 'string' },
  },
});
if (args.cell !== 'lstm' && args.cell !== 'gru') {
  throw new Error(`--cell ${args.cell}: expected lstm or gru`);
}
const { cell } = args;

/** The size that grows; the others are fixed. */
interface Axis {
  readonly name: 'T' | 'B' | 'H' | 'layers';
  readonly title: string;
  readonly fixed: string;
  readonly values: readonly number[];
}

const powers = (from: number, to: number): number[] =>
  Array.from({ length: Math.log2(to / from) + 1 }, (_, i) => from * 2 ** i);
const AXES: readonly Axis[] = [
  { name: 'T', title: 'time steps', fixed: `${cell}-h128-b1-t1`, values: powers(1, 4096) },
  { name: 'B', title: 'batch rows', fixed: `${cell}-h128-b1-t16`, values: powers(1, 256) },
  { name: 'H', title: 'hidden units', fixed: `${cell}-h16-b1-t16`, values: powers(16, 1024) },
  { name: 'layers', title: 'layers', fixed: `${cell}-h128-b1-t64`, values: [1, 2, 3, 4] },
];
const TAIL = 3; // points that give the slope at the far end
const ROUNDS = [5, 100] as const;
const OBSERVED_RUNS = 3;
const REFERENCE_FLOPS = 1e8;

const { device, adapter } = await openDevice({ robust: true }); // as users have it
const meter = new Meter(device);
const seconds = Number(args.seconds);

async function measurePoint(shape: Shape) {
  const workload = workloadOf(shape);
  const engine = await ours('webgpu-rnn', workload, { device });
  try {
    const Y = await engine.run();
    if (workload.flops <= REFERENCE_FLOPS) {
      const reference = await ours('reference', workload, { device: 'reference' });
      const error = worstDifference(Y, await reference.run());
      if (!(error <= TOLERANCE)) throw new Error(`${nameOf(shape)}: wrong by ${error}`);
    }
    const { timings, failures } = await measure([engine], { rounds: ROUNDS, seconds });
    const timing = timings.get('webgpu-rnn');
    if (!timing) throw failures.get('webgpu-rnn');
    const gpu: number[] = [];
    let usage;
    for (let i = 0; i < OBSERVED_RUNS; i++) {
      usage = await meter.observe(() => engine.run());
      if (usage.gpuMs !== undefined) gpu.push(usage.gpuMs);
    }
    const { dispatches, submits } = usage!;
    return {
      shape: nameOf(shape),
      ms: timing.median,
      p10: timing.p10,
      p95: timing.p95,
      rounds: timing.rounds,
      ...(gpu.length > 0 && { gpuMs: median(gpu) }),
      dispatches,
      submits,
      flops: workload.flops,
    };
  } finally {
    await engine.dispose();
  }
}

async function measureAxis({ name, title, fixed, values }: Axis, progress: Progress) {
  const points: ({ value: number } & Awaited<ReturnType<typeof measurePoint>>)[] = [];
  for (const value of values) {
    const shape = { ...shapeOf(fixed), [name]: value };
    progress.show(nameOf(shape));
    points.push({ value, ...(await measurePoint(shape)) });
    progress.step();
  }
  const wall = points.map(({ value, ms }) => [value, ms] as const);
  const gpu = points.flatMap(({ value, gpuMs }) => (gpuMs ? [[value, gpuMs] as const] : []));
  const slope = { all: slopeOf(wall), tail: slopeOf(wall.slice(-TAIL)) };
  const gpuSlope = gpu.length > 1 && { all: slopeOf(gpu), tail: slopeOf(gpu.slice(-TAIL)) };
  const plot = resultFile(['growth', cell, name, adapter.vendor, adapter.architecture], 'svg');
  const lines = [
    { name: 'end to end', points: wall },
    ...(gpu.length > 1 ? [{ name: 'GPU', points: gpu }] : []),
  ];
  const heading = `${cell} against ${title} on ${adapter.vendor} ${adapter.architecture}`;
  writeFileSync(
    plot,
    svgOf({ title: heading, x: `${title} (${fixed} otherwise)`, y: 'ms', lines }),
  );
  const [smallest, largest] = [points[0]!, points.at(-1)!];
  console.log(
    `${title.padEnd(12)} ${`${smallest.value} to ${largest.value}`.padEnd(11)} ` +
      `${smallest.ms.toPrecision(3)} to ${largest.ms.toPrecision(3)} ms, ` +
      `slope ${slope.all.toFixed(2)}, at the far end ${slope.tail.toFixed(2)}` +
      `${gpuSlope ? ` (GPU ${gpuSlope.all.toFixed(2)}, ${gpuSlope.tail.toFixed(2)})` : ''}; ` +
      `dispatches ${smallest.dispatches} to ${largest.dispatches}, submits ${smallest.submits} to ${largest.submits}`,
  );
  return { axis: name, fixed, slope, ...(gpuSlope && { gpuSlope }), plot, points };
}

async function measureSteps(steps: number, progress: Progress): Promise<Allocation[]> {
  const { file } = workloadOf(shapeOf(`${cell}-h128-b1-t1`));
  const model = await loadModel(file, { device });
  const found: Allocation[] = [];
  for (const T of [1, 16, 64]) {
    progress.show(`a stream, ${T} time steps each`);
    found.push(await measureAllocation(model, 128, T, steps));
    progress.step();
    const { perStep, perStepEarly, perStepLate, keptPerStep } = found.at(-1)!;
    const spread = `early ${perStepEarly.toFixed(0)}, late ${perStepLate.toFixed(0)}`;
    console.log(
      `stream.step of ${String(T).padStart(2)} time steps allocates ${perStep.toFixed(0)} bytes ` +
        `of JavaScript's heap (${spread}), ${keptPerStep.toFixed(0)} stay`,
    );
  }
  model.dispose();
  return found;
}

console.log(adapterLine(adapter));
const wanted = (name: string): boolean => args.axis?.includes(name) ?? true;
const chosen = AXES.filter(({ name }) => wanted(name));
const progress = new Progress(
  chosen.flatMap(({ values }) => values).length + (wanted('allocation') ? 3 : 0),
);
const file = args.json ?? resultFile(['growth', cell, adapter.vendor, adapter.architecture]);
const results = {
  date: dateOf(),
  adapter,
  machine: machineOf(),
  versions: versionsOf(['webgpu']),
  axes: [] as Awaited<ReturnType<typeof measureAxis>>[],
  allocation: [] as Allocation[],
};
for (const axis of chosen) {
  results.axes.push(await measureAxis(axis, progress));
  writeJson(file, results);
}
if (wanted('allocation')) results.allocation = await measureSteps(Number(args.steps), progress);
writeJson(file, results);
console.log(`written to ${file}`);
process.exit(0); // Dawn keeps threads of its own
