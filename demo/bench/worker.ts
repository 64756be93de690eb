// Measures. In a worker, so that an engine that computes on the CPU never holds up the page.
import { finiteDifference, isRight } from '../../bench/answers.ts';
import { errorLine, measure } from '../../bench/measure.ts';
import { nameOf, workloadOf } from '../../bench/shapes.ts';
import type { Workload } from '../../bench/shapes.ts';
import { clockStep } from './clock.ts';
import type { Contender } from '../../bench/engines/engine.ts';
import { Incapable } from '../../bench/engines/engine.ts';
import { LOADERS } from '../../bench/engines/index.ts';
import type { Answer, EngineName, Request, Row, Settings } from './messages.ts';
import { TITLES } from './messages.ts';

const REFERENCE_FLOPS = 1e8; // beyond this the float64 reference takes longer than a visitor waits
const ROUNDS = [5, 200] as const;
const CLOCK_STEPS = 20; // that a time shall last at least, for an error of 5 % at most
const MAX_REPEATS = 100;
const REPORT_MS = 250;

const answer = (message: Answer): void => postMessage(message);

/** Contenders of one shape, and what is known of each. */
interface Field {
  readonly rows: Map<EngineName, Row>;
  readonly contenders: Map<EngineName, Contender>;
  readonly results: Map<EngineName, Float32Array>;
}

/** Makes every engine ready and runs it once, cold. */
async function line(
  names: readonly EngineName[],
  workload: Workload,
  doing: (what: string) => void,
  signal: AbortSignal,
): Promise<Field> {
  const rows = new Map<EngineName, Row>();
  const contenders = new Map<EngineName, Contender>();
  const results = new Map<EngineName, Float32Array>();
  const { shape, flops } = workload;
  for (const engine of names) {
    doing(`${TITLES[engine]} compiles`);
    await new Promise((resolve) => setTimeout(resolve)); // lets Stop in
    signal.throwIfAborted();
    const known = { shape: nameOf(shape), engine, hidden: shape.H, flops };
    try {
      const prepare = await LOADERS[engine]();
      const start = performance.now();
      const contender = await prepare(workload);
      contenders.set(engine, contender);
      const ready = performance.now();
      const result = await contender.run();
      const cold = performance.now() - ready;
      await contender.settle?.();
      results.set(engine, contender.arrange?.(result) ?? Float32Array.from(result));
      rows.set(engine, { ...known, status: 'unchecked', load: ready - start, cold });
    } catch (error) {
      const status = error instanceof Incapable ? 'cannot' : 'failed';
      rows.set(engine, { ...known, status, reason: errorLine(error) });
    }
  }
  return { rows, contenders, results };
}

/** Compares all results with the best there is, before anything is timed. */
async function check({ rows, results }: Field, workload: Workload): Promise<void> {
  let truth: Float32Array | undefined;
  let arbiter: Row['arbiter'];
  if (workload.flops <= REFERENCE_FLOPS) {
    const prepare = await LOADERS['webgpu-rnn']();
    const reference = await prepare(workload, 'reference');
    truth = await reference.run();
    await reference.dispose();
    arbiter = 'float64';
  } else {
    truth = results.get('ort-wasm');
    arbiter = 'ort-wasm';
  }
  if (!truth) return;
  for (const [engine, result] of results) {
    const error = finiteDifference(result, truth);
    const right = isRight(error);
    rows.set(engine, {
      ...rows.get(engine)!,
      status: right ? 'right' : 'wrong',
      arbiter,
      error,
      ...(!right && { reason: `wrong by ${error?.toExponential(1) ?? 'infinity'}` }),
    });
  }
}

/** A contender whose run is several, where one is too short for the clock. */
async function repeated(contender: Contender, step: number) {
  let once = Infinity;
  const start = performance.now();
  // A slow one is tried once; a fast one until it has warmed up.
  for (let i = 0; i < MAX_REPEATS && performance.now() - start < 2 * CLOCK_STEPS * step; i++) {
    const before = performance.now();
    await contender.run();
    once = Math.min(once, performance.now() - before);
  }
  once = Math.max(once, step / 2);
  const repeats = Math.min(MAX_REPEATS, Math.ceil((CLOCK_STEPS * step) / once));
  const run = async (): Promise<Float32Array> => {
    for (let i = 1; i < repeats; i++) await contender.run();
    return contender.run();
  };
  return { name: contender.name, repeats, run, dispose: () => {} };
}

async function time({ rows, contenders }: Field, settings: Settings, signal: AbortSignal) {
  const fit = [...contenders].filter(([engine]) =>
    ['right', 'unchecked'].includes(rows.get(engine)!.status),
  );
  const { batch, steps, seconds } = settings;
  const step = clockStep();
  const failed = (engine: EngineName, error: unknown): void => {
    rows.set(engine, { ...rows.get(engine)!, status: 'failed', reason: errorLine(error) });
  };
  const ready = new Map<EngineName, Awaited<ReturnType<typeof repeated>>>();
  for (const [engine, contender] of fit) {
    try {
      ready.set(engine, await repeated(contender, step));
    } catch (error) {
      failed(engine, error);
    }
  }
  const { timings, failures } = await measure(
    [...ready.values()],
    { rounds: ROUNDS, seconds },
    signal,
  );
  for (const [engine, { name, repeats }] of ready) {
    const timing = timings.get(name);
    if (!timing) {
      failed(engine, failures.get(name));
      continue;
    }
    const [median, p10, p95] = (['median', 'p10', 'p95'] as const).map(
      (key) => timing[key] / repeats,
    ) as [number, number, number];
    const row = rows.get(engine)!;
    rows.set(engine, {
      ...row,
      times: { median, p10, p95, rounds: timing.rounds, repeats },
      gflops: row.flops / median / 1e6,
      stepsPerSecond: (1000 * batch * steps) / median,
    });
  }
}

async function measureAll(settings: Settings, signal: AbortSignal): Promise<void> {
  const { cell, hidden, batch: B, steps: T, layers, bidirectional, opponents } = settings;
  const names: EngineName[] = ['webgpu-rnn', ...opponents];
  for (const [i, H] of hidden.entries()) {
    const workload = workloadOf({ cell, H, B, T, layers, bidirectional });
    // Getting ready is about as long as measuring; checking is short.
    const say = (within: number, doing: string): void => {
      const fraction = (i + within) / hidden.length;
      answer({ type: 'progress', fraction, doing: `${H} units: ${doing}` });
    };
    let lined = 0;
    const doing = (what: string): void => say((0.4 * lined++) / names.length, what);
    let timer: ReturnType<typeof setInterval> | undefined;
    const field = await line(names, workload, doing, signal);
    try {
      say(0.4, 'answers are checked');
      await check(field, workload);
      const start = performance.now();
      const measuring = (): void => {
        const passed = (performance.now() - start) / 1000 / settings.seconds;
        say(0.5 + 0.5 * Math.min(1, passed), 'engines run in turn');
      };
      measuring();
      timer = setInterval(measuring, REPORT_MS);
      await time(field, settings, signal);
    } finally {
      clearInterval(timer);
      for (const contender of field.contenders.values()) {
        try {
          await contender.dispose();
        } catch {
          // one that failed before may fail again
        }
      }
    }
    for (const row of field.rows.values()) answer({ type: 'row', row });
  }
}

let abort = new AbortController();

addEventListener('message', ({ data }: MessageEvent<Request>) => {
  abort.abort();
  if (data.type === 'stop') return;
  abort = new AbortController();
  const { signal } = abort;
  measureAll(data.settings, signal).then(
    () => answer({ type: 'done', stopped: false }),
    (error: unknown) => {
      const stopped = signal.aborted;
      answer({ type: 'done', stopped, ...(!stopped && { failure: errorLine(error) }) });
    },
  );
});
