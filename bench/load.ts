// `npm run bench:load`: what loading a model costs in time and memory, for this package and ONNX Runtime, in Node
// and in Chromium, each engine in processes of its own. Memory is counted from after the engine has been
// imported. It measures the built package: run `npm run build` first.
//
//   npm run bench:load                 a 100 MB LSTM and Silero's voice detector
//   npm run bench:load -- --rounds 5   the median of so many loads
//   npm run bench:load -- --no-browser
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureInBrowser } from './load-browser.ts';
import type { LoadCase, LoadCost } from './load-types.ts';
import { dateOf, machineOf, resultFile, versionsOf, writeJson } from './record.ts';
import { shapeOf, workloadOf } from './shapes.ts';
import { median } from './statistics.ts';
import { tableOf } from './table.ts';

const NODE_ENGINES = ['webgpu-rnn', 'ort-webgpu', 'ort-cpu'];
const BROWSER_ENGINES = ['webgpu-rnn', 'ort-webgpu', 'ort-wasm'];

const { values: args } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    browser: { type: 'boolean', default: true },
    json: { type: 'string' },
  },
  allowNegative: true,
});

function measureInNode(engine: string, { file }: LoadCase, feeds: string): LoadCost {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--expose-gc', 'bench/load-child.mjs', engine, file, feeds],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`${engine} ${file}: ${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as LoadCost;
}

/** The cost with the median of each number. */
function medianCost(costs: readonly LoadCost[]): LoadCost {
  const of = (key: keyof LoadCost): number => median(costs.map((cost) => cost[key]));
  return {
    loadMs: of('loadMs'),
    firstRunMs: of('firstRunMs'),
    peakBytes: of('peakBytes'),
    keptBytes: of('keptBytes'),
    jsKeptBytes: of('jsKeptBytes'),
    sum: of('sum'),
  };
}

async function makeCases(folder: string): Promise<LoadCase[]> {
  const cases: LoadCase[] = [];
  const big = workloadOf(shapeOf('lstm-h1024-b1-t1-l3'));
  const bigFile = join(folder, 'lstm.onnx');
  await writeFile(bigFile, big.file);
  const X = { type: 'float32' as const, dims: big.X.dims, size: big.X.data.length };
  cases.push({ name: 'lstm-100mb', file: bigFile, bytes: big.file.length, feeds: { X } });
  const silero = join(folder, 'silero.onnx');
  await copyFile('node_modules/@ricky0123/vad-web/dist/silero_vad_v5.onnx', silero);
  cases.push({
    name: 'silero-v5',
    file: silero,
    bytes: (await stat(silero)).size,
    feeds: {
      input: { type: 'float32', dims: [1, 512], size: 512 },
      state: { type: 'float32', dims: [2, 1, 128], size: 256 },
      sr: { type: 'int64', dims: [], data: [16000] },
    },
  });
  return cases;
}

const TABLE = tableOf([
  ['model', -12],
  ['where', -8],
  ['engine', -11],
  ['load ms', 8],
  ['run 1 ms', 9],
  ['peak MB', 9],
  ['kept MB', 9],
  ['of it JS MB', 12],
  ['', -5],
]);
const mb = (bytes: number): string => (bytes / 1e6).toFixed(1);

if (!existsSync('dist/node.js')) throw new Error('no dist/: run `npm run build` first');
const folder = await mkdtemp(join(tmpdir(), 'bench-load-'));
const rows: ({
  model: string;
  bytes: number;
  where: string;
  engine: string;
  right: boolean;
} & LoadCost)[] = [];
console.log(TABLE.head);
try {
  for (const one of await makeCases(folder)) {
    const feeds = join(folder, `${one.name}.json`);
    await writeFile(feeds, JSON.stringify(one.feeds));
    const truth = measureInNode('ort-cpu', one, feeds).sum;
    const places = [
      { where: 'node', engines: NODE_ENGINES },
      ...(args.browser ? [{ where: 'chromium', engines: BROWSER_ENGINES }] : []),
    ];
    for (const { where, engines } of places) {
      for (const engine of engines) {
        const costs: LoadCost[] = [];
        for (let round = 0; round < Number(args.rounds); round++) {
          const cost =
            where === 'node' ? measureInNode(engine, one, feeds) : measureInBrowser(engine, one);
          costs.push(await cost);
        }
        const cost = medianCost(costs);
        const right = Math.abs(cost.sum - truth) <= 1e-3 * Math.max(1, Math.abs(truth));
        rows.push({ model: one.name, bytes: one.bytes, where, engine, right, ...cost });
        console.log(
          TABLE.line(
            one.name,
            where,
            engine,
            cost.loadMs.toFixed(0),
            cost.firstRunMs.toFixed(0),
            mb(cost.peakBytes),
            mb(cost.keptBytes),
            mb(cost.jsKeptBytes),
            right ? '' : 'wrong',
          ),
        );
      }
    }
  }
} finally {
  await rm(folder, { recursive: true });
}
const file = args.json ?? resultFile(['load']);
writeJson(file, {
  date: dateOf(),
  machine: machineOf(),
  versions: versionsOf(['onnxruntime-node', 'onnxruntime-web', 'webgpu']),
  adapter: process.env['WEBGPU_RNN_ADAPTER'] ?? 'swiftshader unless there is a GPU',
  rounds: Number(args.rounds),
  rows,
});
console.log(`written to ${file}`);
