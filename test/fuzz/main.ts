// `npm run test:fuzz -- --count N --seed S --only FORMAT`: damaged models of every format, each read and run in a
// process of its own that is ended when one takes too long. A case that fails is run again with
// `--seed S --first I --count 1`.
import { spawn } from 'node:child_process';
import { writeSync } from 'node:fs';
import { argv, execPath, exit, memoryUsage, resourceUsage } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { registerOperators } from '../../src/operators.ts';
import { runCase } from './one-case.ts';
import { makeSeeds } from './seeds.ts';

const { values } = parseArgs({
  args: argv.slice(2).filter((arg) => arg !== '--'),
  options: {
    count: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    first: { type: 'string', default: '0' },
    /** The format of test/fuzz/seeds.ts to damage; all of them when left out. */
    only: { type: 'string' },
    /** Seconds that one case may take. */
    seconds: { type: 'string', default: '20' },
    /** MiB that the process may come to, of which some 200 are Node and the compiler. */
    memory: { type: 'string', default: '1500' },
    child: { type: 'boolean', default: false },
  },
});
const [count, seed, first, seconds, memory] = (
  ['count', 'seed', 'first', 'seconds', 'memory'] as const
).map((key) => {
  const number = Number(values[key]);
  if (Number.isFinite(number) && number >= 0) return number;
  console.error(`--${key} ${values[key]}: expected a number from 0 up`);
  return exit(2);
}) as [number, number, number, number, number];

const seeds = (await makeSeeds()).filter(({ format }) => format === (values.only ?? format));
if (seeds.length === 0) {
  console.error(`--only ${values.only}: no such format in test/fuzz/seeds.ts`);
  exit(2);
}
/** What makes a run the same again, but for the cases. */
const again = ['--seed', `${seed}`, ...(values.only === undefined ? [] : ['--only', values.only])];

/** What a child process says of its cases. */
interface Report {
  readonly counts: Record<string, number>;
  readonly slowest: { readonly index: number; readonly ms: number };
  /** Largest resident size of the process, in MiB. */
  readonly peak: number;
  readonly done: number;
}

/** Writes to a pipe, which is full for a moment where the parent process gets no time. */
function write(text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

/** Runs cases and writes the index of each before it begins, a report every 1000 and at the end. */
async function runCases(): Promise<void> {
  registerOperators();
  let counts: Record<string, number> = {};
  let slowest = { index: first, ms: 0 };
  let done = 0;
  const report = (): void => {
    const peak = Math.round(resourceUsage().maxRSS / 1024);
    write(`${JSON.stringify({ counts, slowest, peak, done } satisfies Report)}\n`);
    counts = {};
    done = 0;
  };
  for (let index = first; index < first + count; index++) {
    write(`${index}\n`);
    const start = performance.now();
    try {
      const { format, what } = await runCase(seeds, seed, index);
      counts[`${format} ${what}`] = (counts[`${format} ${what}`] ?? 0) + 1;
    } catch (error) {
      report();
      console.error(error);
      exit(3);
    }
    done++;
    const ms = performance.now() - start;
    if (ms > slowest.ms) slowest = { index, ms: Math.round(ms) };
    if (memoryUsage.rss() > memory * 2 ** 20) {
      report();
      console.error(`the process has more than ${memory} MiB`);
      exit(4);
    }
    if (done === 1000) report();
  }
  report();
}

interface Total {
  readonly counts: Map<string, number>;
  slowest: { index: number; ms: number };
  peak: number;
  done: number;
}

/** Runs a child from a case on; gives the case at which it failed, and undefined at the end. */
function runChild(from: number, total: Total): Promise<number | undefined> {
  const script = fileURLToPath(new URL('../../scripts/run-ts.mjs', import.meta.url));
  const rest = [...again, '--memory', `${memory}`, '--first', `${from}`];
  const left = ['--count', `${first + count - from}`, '--child'];
  const child = spawn(execPath, [script, 'test/fuzz/main.ts', ...rest, ...left], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let index = from;
  let buffered = '';
  let isLate = false;
  const late = (): void => {
    isLate = true;
    child.kill('SIGKILL');
  };
  let timer = setTimeout(late, 120_000); // until the first case: the time to compile
  child.stdout.on('data', (data: Buffer) => {
    clearTimeout(timer);
    timer = setTimeout(late, seconds * 1000);
    const lines = (buffered + data.toString()).split('\n');
    buffered = lines.pop()!;
    for (const line of lines) {
      if (line.startsWith('{')) add(total, JSON.parse(line) as Report);
      else index = Number(line);
    }
  });
  return new Promise((resolve) => {
    child.on('close', (code) => {
      clearTimeout(timer);
      if (isLate) console.error(`case ${index} took longer than ${seconds} s`);
      resolve(code === 0 ? undefined : index);
    });
  });
}

function add(total: Total, { counts, slowest, peak, done }: Report): void {
  for (const [what, n] of Object.entries(counts)) {
    total.counts.set(what, (total.counts.get(what) ?? 0) + n);
  }
  if (slowest.ms > total.slowest.ms) total.slowest = slowest;
  total.peak = Math.max(total.peak, peak);
  total.done += done;
}

async function supervise(): Promise<void> {
  const total: Total = { counts: new Map(), slowest: { index: first, ms: 0 }, peak: 0, done: 0 };
  const failed: number[] = [];
  for (let from: number | undefined = first; from !== undefined && from < first + count;) {
    const at: number | undefined = await runChild(from, total);
    if (at !== undefined) {
      failed.push(at);
      console.error(`FAILED: npm run test:fuzz -- ${again.join(' ')} --first ${at} --count 1`);
    }
    from = at === undefined || failed.length >= 50 ? undefined : at + 1;
  }
  const sorted = [...total.counts].toSorted(([a], [b]) => (a < b ? -1 : 1));
  for (const [what, n] of sorted) console.log(`${String(n).padStart(9)}  ${what}`);
  const { index, ms } = total.slowest;
  console.log(`seed ${seed}: ${total.done} cases, ${failed.length} failed`);
  console.log(`slowest: case ${index}, ${ms} ms; largest process: ${total.peak} MiB`);
  exit(failed.length > 0 ? 1 : 0);
}

await (values.child ? runCases() : supervise());
