// `npm run test:soak`: three streams for as long as asked, with forks, snapshots, new lengths and a lost GPU every
// minute; every answer compared with the float64 reference, and buffers and JavaScript memory counted.
//
//   npm run test:soak                               30 minutes in Node, then 30 in headless Chromium
//   npm run test:soak -- --minutes 2 --in node      one of them
//   npm run test:soak -- --lose 10 --seed 7         a loss every 10 seconds
//   npm run test:soak -- --json FILE                the whole report
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { chromium } from 'playwright';
import { createServer } from 'vite';
import { wasmKernels } from '../../scripts/vite-plugin-wasm.mjs';
import { environment } from '../../src/environment.ts';
import { setSleepWhileWaiting } from '../../src/node.ts';
import { chromiumOptions } from '../setup/chromium.ts';
import { soak, type SoakReport, type SoakTask } from './soak.ts';
import { watchAdapters } from './watch-adapters.ts';

const { values } = parseArgs({
  args: process.argv.slice(2).filter((arg) => arg !== '--'),
  options: {
    minutes: { type: 'string', default: '30' },
    lose: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    in: { type: 'string', multiple: true, default: ['node', 'chromium'] },
    json: { type: 'string' },
  },
});
const task: SoakTask = {
  seconds: Number(values.minutes) * 60,
  loseEvery: Number(values.lose),
  seed: Number(values.seed),
};
setSleepWhileWaiting(true); // leaves the second core to what SwiftShader computes
const root = fileURLToPath(new URL('../..', import.meta.url));

async function inNode(): Promise<SoakReport> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heap = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const gpu = await environment.gpu();
  if (!gpu) throw new Error('no WebGPU: run this by npm run test:soak');
  return soak(task, { heap, watch: (seen) => watchAdapters(gpu, seen) });
}

async function inChromium(): Promise<SoakReport> {
  const server = await createServer({
    root: fileURLToPath(new URL('./page', import.meta.url)),
    configFile: false,
    logLevel: 'error',
    plugins: [wasmKernels()],
    resolve: { alias: [{ find: /^webgpu-rnn$/, replacement: `${root}src/index.ts` }] },
    server: { host: '127.0.0.1', port: 0, hmr: false, watch: null, fs: { allow: [root] } },
  });
  await server.listen();
  const options = { ...chromiumOptions };
  const more = ['--js-flags=--expose-gc', '--enable-precise-memory-info'];
  const browser = await chromium.launch({ ...options, args: [...(options.args ?? []), ...more] });
  try {
    const page = await browser.newPage();
    await page.goto(server.resolvedUrls!.local[0]!);
    await page.waitForFunction(() => window.soak !== undefined);
    return await page.evaluate((given) => window.soak!(given), task);
  } finally {
    await browser.close();
    await server.close();
  }
}

/** Bytes a thousand steps, by least squares over the samples of the second half. */
function heapSlope({ samples }: SoakReport): number {
  const late = samples.slice(samples.length / 2);
  const mean = (pick: (sample: (typeof late)[number]) => number): number =>
    late.reduce((sum, sample) => sum + pick(sample), 0) / late.length;
  const [x, y] = [mean(({ steps }) => steps), mean(({ heap }) => heap)];
  const up = late.reduce((sum, { steps, heap }) => sum + (steps - x) * (heap - y), 0);
  const down = late.reduce((sum, { steps }) => sum + (steps - x) ** 2, 0);
  return (up / down) * 1000;
}

const range = (numbers: readonly number[]): string =>
  `${Math.min(...numbers)} to ${Math.max(...numbers)}`;

function print(where: string, report: SoakReport): void {
  const { adapter, steps, forks, restores, resets, losses, repeated, samples } = report;
  const late = samples.slice(1);
  console.log(
    [
      `${where}, ${adapter}: ${steps} steps in ${samples.at(-1)!.second} s`,
      `  ${losses} losses, ${repeated} calls made again; ${forks} forks, ${restores} restores, ${resets} resets`,
      `  worst error ${report.worstError.toExponential(1)}`,
      `  live buffers ${range(late.map(({ buffers }) => buffers))}, bytes ${range(late.map(({ bufferBytes }) => bufferBytes))}`,
      `  heap ${range(late.map(({ heap }) => heap))} bytes, slope ${heapSlope(report).toFixed(0)} bytes a thousand steps`,
      ...report.failures.map((failure) => `  FAILED: ${failure}`),
    ].join('\n'),
  );
}

const reports: Record<string, SoakReport> = {};
const unhandled: unknown[] = [];
process.on('unhandledRejection', (reason) => void unhandled.push(reason));
for (const where of values.in) {
  const run = { node: inNode, chromium: inChromium }[where];
  if (!run) throw new Error(`--in ${where}: expected node or chromium`);
  const report = await run();
  reports[where] = report;
  print(where, report);
}
for (const reason of unhandled) console.log('FAILED: unhandled', reason);
if (values.json) await writeFile(values.json, `${JSON.stringify(reports, null, 1)}\n`);
const failed =
  unhandled.length > 0 || Object.values(reports).some((each) => each.failures.length > 0);
process.exit(failed ? 1 : 0); // Dawn keeps threads of its own
