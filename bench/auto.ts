// `npm run bench:auto`: whether `device: 'auto'` takes the sooner side, at 62 points of model, shape and use. Each point is
// measured on both sides, in rounds that alternate; what counts are the medians. A point is right where the side that
// was taken is at most 10 % later than the other, and where every load of the model takes the same side.
//
//   npm run bench:auto                     the adapter that WEBGPU_RNN_ADAPTER says, see CONTRIBUTING.md
//   npm run bench:auto -- --match gru      points that have this in their name
//   npm run bench:auto -- --seconds 2      for each point, both sides together; 1.5 by default
//   npm run bench:auto -- --json FILE      where the results go; bench/results/ by default
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { loadModel, type Model } from 'webgpu-rnn/node';
import { adapterLine, openDevice } from './device.ts';
import { dateOf, machineOf, resultFile, versionsOf, writeJson } from './record.ts';
import { median } from './statistics.ts';
import { ratioText, tableOf, three } from './table.ts';
import {
  CELLS,
  convolutionOf,
  dense,
  elementwise,
  layer,
  models,
  type CellName,
  type Task,
} from './tasks.ts';

const { values: args } = parseArgs({
  options: {
    match: { type: 'string', default: '' },
    seconds: { type: 'string', default: '1.5' },
    json: { type: 'string' },
  },
});

/** Rounds of each side: no fewer for a median, no more than help. */
const [MIN_ROUNDS, MAX_ROUNDS] = [3, 40];
/** Fresh loads that must take the same side, and calls of each. */
const [LOADS, CALLS] = [3, 4];
/** How much later than the other the side that is taken may be. */
const ALLOWED = 1.1;

const SIDES = ['webgpu', 'wasm'] as const;
type Side = (typeof SIDES)[number];

/** What was measured at a point; times in milliseconds. */
interface Point {
  readonly name: string;
  readonly taken: readonly string[];
  readonly reason: string;
  readonly ms: Readonly<Record<Side, number>>;
  readonly rounds: number;
  /** Median of the side that was taken, over that of the sooner one. */
  readonly ratio: number;
  readonly isRight: boolean;
}

const cells = Object.keys(CELLS) as CellName[];
const tasks: readonly Task[] = [
  ...cells.flatMap((cell) => [32, 128, 256, 512].map((H) => layer(cell, H, 1))),
  ...[16, 64].flatMap((B) => [64, 128, 512].map((H) => layer('lstm', H, 1, B))),
  ...cells.flatMap((cell) => [64, 128, 256].map((H) => layer(cell, H, 64))),
  ...[64, 256, 512].map((H) => layer('lstm', H, 8)),
  ...[64, 256].map((H) => layer('lstm', H, 256)),
  ...(['lstm', 'gru'] as const).flatMap((cell) =>
    [64, 128, 256].flatMap((H) => [16, 64].map((B) => layer(cell, H, 16, B))),
  ),
  ...[256, 1024].flatMap((width) => [1, 64, 512].map((rows) => dense(width, rows))),
  ...[100, 1000, 10000].map((places) => convolutionOf(64, places)),
  ...[16, 256, 1024].flatMap((rows) => [elementwise(rows, 64), elementwise(rows, 1024)]),
  ...models(),
];

/** Calls of a task on a model. */
function callerOf({ state, feeds, output }: Task, model: Model): () => Promise<unknown> {
  const options = { outputs: [output] };
  if (!state) return () => model.run(feeds, options);
  const stream = model.stream({ state });
  return () => stream.step(feeds, options);
}

/** Milliseconds of a call, the mean of some. */
async function time(call: () => Promise<unknown>, count: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < count; i++) await call();
  return (performance.now() - start) / count;
}

/** Medians of both sides, in rounds that alternate. */
async function measure(task: Task) {
  const loaded = await Promise.all(SIDES.map((device) => loadModel(task.file, { device })));
  try {
    const calls = loaded.map((model) => callerOf(task, model));
    const counts: number[] = [];
    for (const call of calls) {
      // Long enough for the best kernels and every tier of the compilers.
      await call();
      await call();
      counts.push(Math.max(1, Math.ceil(4 / (await time(call, 2)))));
      await time(call, counts.at(-1)!);
    }
    const times: number[][] = [[], []];
    const end = performance.now() + Number(args.seconds) * 1000;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      if (round >= MIN_ROUNDS && performance.now() > end) break;
      for (const [k, call] of calls.entries()) times[k]!.push(await time(call, counts[k]!));
    }
    return { webgpu: median(times[0]!), wasm: median(times[1]!), rounds: times[0]!.length };
  } finally {
    for (const model of loaded) model.dispose();
  }
}

/** The sides that fresh loads take, each call of them, and what the last one says. */
async function choices(task: Task): Promise<{ taken: string[]; reason: string }> {
  const taken = new Set<string>();
  let reason = '';
  for (let load = 0; load < LOADS; load++) {
    const model = await loadModel(task.file);
    const call = callerOf(task, model);
    for (let k = 0; k < CALLS; k++) {
      await call();
      taken.add(model.backend);
    }
    reason = model.reason;
    model.dispose();
  }
  return { taken: [...taken], reason };
}

// For its name; models have a device of their own, as those that choose have.
const { device, adapter } = await openDevice();
device.destroy();
const load = loadavg()[0]!;
console.log(adapterLine(adapter));
console.log(`load average ${load.toFixed(1)} of ${machineOf().cores} cores before the first point`);
const table = tableOf([
  ['ms a call', -24],
  ['webgpu', 9],
  ['wasm', 9],
  ['rounds', 6],
  ['taken', -12],
  ['later', 7],
  ['', -60],
]);
console.log(table.head);
const points: Point[] = [];
const file = args.json ?? resultFile(['auto', adapter.vendor, adapter.architecture]);
const about = { date: dateOf(), versions: versionsOf(['webgpu']), machine: machineOf() };
const write = (): void =>
  writeJson(file, { ...about, loadAverage: load, adapter, allowed: ALLOWED, points });
for (const task of tasks.filter(({ name }) => name.includes(args.match))) {
  const { rounds, ...ms } = await measure(task);
  const { taken, reason } = await choices(task);
  const best = Math.min(ms.webgpu, ms.wasm);
  const ratio = Math.max(...taken.map((side) => ms[side as Side])) / best;
  const isRight = taken.length === 1 && ratio <= ALLOWED;
  points.push({ name: task.name, taken, reason, ms, rounds, ratio, isRight });
  write(); // a sweep that is cut off leaves what it has
  console.log(
    table.line(
      task.name,
      three(ms.webgpu),
      three(ms.wasm),
      String(rounds),
      taken.join(', '),
      ratioText(ratio),
      isRight ? '' : taken.length > 1 ? 'FLAPS' : `WRONG: ${reason}`,
    ),
  );
}
const wrong = points.filter(({ isRight }) => !isRight);
const percent = ((ALLOWED - 1) * 100).toFixed(0);
console.log(
  `${points.length - wrong.length} of ${points.length} points are within ${percent} % of the sooner side and take the same one at every load`,
);
console.log(file);
