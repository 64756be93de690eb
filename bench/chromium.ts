// `npm run bench:chromium`: engines in headless Chromium: this package, ONNX Runtime's WebGPU and WebAssembly,
// TensorFlow.js on WebGPU. Answers first, then times, interleaved within one page; and how long the first result
// takes in a fresh browser.
//
//   npm run bench:chromium
//   npm run bench:chromium -- --shape gru-h64-b16-t64 --seconds 2
//   npm run bench:chromium -- --limit 30    seconds for TensorFlow.js on one shape, its compiling included
//   npm run bench:chromium -- --no-tfjs --no-cold
//
//   npm run bench:chromium -- --against OLD.tgz    two versions of this package, see bench/node.ts
//   npm run bench:chromium -- --against OLD.tgz --new NEW.tgz --no-cold
//
// TensorFlow.js and this package have a second page of their own with few rounds: on a CPU the first run of
// TensorFlow.js takes minutes. Its GRU resets the state before the product, so both get such a model.
import { parseArgs } from 'node:util';
import { againstInChromium } from './against/run-chromium.ts';
import { ENGINES, type EngineName } from './engines/engine.ts';
import { errorLine } from './measure.ts';
import type { BrowserRow, ColdStart, Task } from './page/main.ts';
import { adapterPrefix, describeBrowser, inFreshPage, openSite, type Site } from './page/site.ts';
import { Progress } from './progress.ts';
import { dateOf, machineOf, resultFile, versionsOf, writeJson } from './record.ts';
import { nameOf, shapeOf } from './shapes.ts';
import { geometricMean, median } from './statistics.ts';
import { tableOf } from './table.ts';

const { values: args } = parseArgs({
  options: {
    shape: { type: 'string', multiple: true },
    seconds: { type: 'string' },
    limit: { type: 'string', default: '150' },
    samples: { type: 'string' },
    against: { type: 'string' },
    new: { type: 'string' },
    tfjs: { type: 'boolean', default: true },
    cold: { type: 'boolean', default: true },
    json: { type: 'string' },
  },
  allowNegative: true,
});

const SHAPES = ['lstm', 'gru'].flatMap((cell) =>
  [1, 16].flatMap((B) => [64, 128, 256].map((H) => `${cell}-h${H}-b${B}-t64`)),
);
const COLD_SHAPE = 'lstm-h128-b1-t64';
const TIMEOUT_S = 600; // for engines that are not known to be slow

const shapes = (args.shape ?? SHAPES).map((name) => nameOf(shapeOf(name)));
if (args.against !== undefined) {
  const met = await againstInChromium({
    against: args.against,
    fresh: args.new,
    shapes: shapes.map(shapeOf),
    seconds: Number(args.seconds ?? 3), // ratios near 1 need more rounds than those against other engines
    samples: args.cold ? Number(args.samples ?? 9) : 0,
    json: args.json,
  });
  process.exit(met ? 0 : 1);
}
const [seconds, limit, samples] = [args.seconds ?? 1, args.limit, args.samples ?? 5].map(
  Number,
) as [number, number, number];

/** A row for each engine of a task, also where the page fails. */
async function run(site: Site, task: Task, timeout: number): Promise<BrowserRow[]> {
  const all = (status: 'failed' | 'cut', reason: string): BrowserRow[] =>
    task.engines.map((engine) => ({ shape: task.shape, engine, status, reason }));
  try {
    const rows = await inFreshPage(site, timeout, (page) =>
      page.evaluate((given) => window.enginePage!.measureShape(given), task),
    );
    return rows === 'cut' ? all('cut', `not done after ${timeout} s`) : rows;
  } catch (error) {
    return all('failed', errorLine(error));
  }
}

const cellOf = ({ timing, status, reason }: BrowserRow): string =>
  timing
    ? timing.median.toPrecision(3)
    : status === 'failed'
      ? `failed: ${reason}`
      : (reason ?? '');

const TABLE = tableOf([
  ['shape', -24],
  ['engine', -11],
  ['ms', 9],
  ['ratio', 8],
  ['first ms', 9],
  ['error', 9],
]);

function print(rows: readonly BrowserRow[]): void {
  for (const row of rows) {
    const ours = rows.find(({ engine }) => engine === 'webgpu-rnn')?.timing;
    const ratio =
      ours && row.timing && row.engine !== 'webgpu-rnn'
        ? `${(row.timing.median / ours.median).toPrecision(3)}x`
        : '';
    const first = row.firstMs === undefined ? '' : ((row.loadMs ?? 0) + row.firstMs).toFixed(0);
    const error = row.error?.toExponential(1);
    console.log(TABLE.line(row.shape, row.engine, cellOf(row), ratio, first, error));
  }
}

async function coldStarts(site: Site, engine: EngineName) {
  const times: ColdStart[] = [];
  for (let i = 0; i < samples; i++) {
    try {
      const time = await inFreshPage(site, limit, (page) =>
        page.evaluate(([name, shape]) => window.enginePage!.measureColdStart(name, shape), [
          engine,
          COLD_SHAPE,
        ] as const),
      );
      if (time === 'cut') return { engine, reason: `not done after ${limit} s` };
      times.push(time);
    } catch (error) {
      return { engine, reason: errorLine(error) };
    }
  }
  const of = (key: 'importMs' | 'firstResultMs'): number => median(times.map((time) => time[key]));
  return { engine, importMs: of('importMs'), firstResultMs: of('firstResultMs'), times };
}

const site = await openSite();
const browser = await describeBrowser(site);
const file = args.json ?? resultFile(['chromium', adapterPrefix(browser)]);
const results = {
  date: dateOf(),
  ...browser,
  machine: machineOf(),
  versions: versionsOf(['onnxruntime-web', '@tensorflow/tfjs', '@tensorflow/tfjs-backend-webgpu']),
  limit,
  rows: [] as BrowserRow[],
  ratios: {} as Record<string, { mean: number; worst: number; shapes: number }>,
  coldShape: COLD_SHAPE,
  cold: [] as Awaited<ReturnType<typeof coldStarts>>[],
};
console.log(`Chromium ${browser.browser} on ${browser.adapter}`);
console.log(TABLE.head);
const engines = ENGINES.filter((engine) => args.tfjs || engine !== 'tfjs');
const progress = new Progress(
  shapes.length * (args.tfjs ? 2 : 1) + (args.cold ? engines.length : 0),
);
const ratios: Record<string, number[]> = {};

/** Prints and writes what one page measured, and collects the ratios. */
function take(rows: readonly BrowserRow[]): void {
  const ours = rows.find(({ engine }) => engine === 'webgpu-rnn')?.timing;
  for (const { engine, timing } of rows) {
    if (ours && timing && engine !== 'webgpu-rnn') {
      (ratios[engine] ??= []).push(timing.median / ours.median);
    }
  }
  progress.step();
  print(rows);
  results.rows.push(...rows);
  writeJson(file, results);
}

for (const shape of shapes) {
  progress.show(shape);
  const fast = ENGINES.filter((engine) => engine !== 'tfjs');
  take(await run(site, { shape, engines: fast, rounds: [5, 200], seconds }, TIMEOUT_S));
  if (!args.tfjs) continue;
  const theirs = nameOf({
    ...shapeOf(shape),
    ...(shape.startsWith('gru') && { resetBefore: true }),
  });
  progress.show(`${theirs} with TensorFlow.js`);
  const pair: EngineName[] = ['webgpu-rnn', 'tfjs'];
  take(await run(site, { shape: theirs, engines: pair, rounds: [3, 20], seconds }, limit));
}
for (const [engine, values] of Object.entries(ratios)) {
  const [mean, worst] = [geometricMean(values), Math.min(...values)];
  results.ratios[engine] = { mean, worst, shapes: values.length };
  console.log(
    `${mean.toPrecision(3)}x ${engine}, geometric mean of ${values.length}, worst ${worst.toPrecision(3)}x`,
  );
}
for (const engine of args.cold ? engines : []) {
  progress.show(`${engine} cold`);
  const start = await coldStarts(site, engine);
  progress.step();
  results.cold.push(start);
  console.log(
    `${COLD_SHAPE}, from bytes to the first result, ${engine}: ` +
      ('reason' in start
        ? start.reason
        : `${start.firstResultMs.toFixed(0)} ms, and ${start.importMs.toFixed(0)} ms to fetch its code`),
  );
}
writeJson(file, results);
console.log(`written to ${file}`);
await site.close();
