// The page that `npm run bench:chromium` drives: it runs the measurements of `window.enginePage`.
import { Incapable, type Contender, type EngineName, type Prepare } from '../engines/engine.ts';
import { LOADERS } from '../engines/index.ts';
import { loadPackage, PACKAGE_ENGINES, type PackageEngine } from '../engines/packages.ts';
import { describeAdapter } from '../adapter.ts';
import { finiteDifference, isRight } from '../answers.ts';
import { errorLine, measure, type Timing } from '../measure.ts';
import { nameOf, shapeOf, workloadOf, type Workload } from '../shapes.ts';

const REFERENCE_FLOPS = 1e8; // beyond this ONNX Runtime's CPU provider judges

/** An engine, or a copy of this package. */
export type PageEngine = EngineName | PackageEngine;

/** One engine on one shape. */
export interface BrowserRow {
  readonly shape: string;
  readonly engine: PageEngine;
  /** `cut`: it took longer than it was given. */
  readonly status: 'right' | 'wrong' | 'cannot' | 'failed' | 'cut';
  /** Why there are no times. */
  readonly reason?: string;
  /** Largest difference from the right answer; null where it is no number. */
  readonly error?: number | null;
  /** Largest difference from the answer of the first engine; null where it is no number. */
  readonly difference?: number | null;
  readonly flops?: number;
  /** Milliseconds to make a session, and of the first run. */
  readonly loadMs?: number;
  readonly firstMs?: number;
  readonly timing?: Timing;
}

/** What to measure. */
export interface Task {
  readonly shape: string;
  readonly engines: readonly PageEngine[];
  /** Whose answer counts as right; the float64 reference, or ONNX Runtime for large shapes, when left out. */
  readonly arbiter?: 'ort-wasm';
  readonly rounds: readonly [number, number];
  readonly seconds: number;
}

/** Milliseconds of an engine's first result in this page. */
export interface ColdStart {
  /** To fetch and start the engine's code. */
  readonly importMs: number;
  /** From the model's bytes to the first result: session, shaders, run, read-back. */
  readonly firstResultMs: number;
  /** Largest difference from the right answer, where there is an arbiter; null where it is no number. */
  readonly error?: number | null;
}

interface Entrant {
  readonly contender: Contender;
  readonly answer: Float32Array;
}

const load = (engine: PageEngine): Promise<Prepare> =>
  engine in PACKAGE_ENGINES
    ? loadPackage(engine as PackageEngine)
    : LOADERS[engine as EngineName]();

/** The right answer for a workload. */
async function judge(workload: Workload, arbiter: Task['arbiter']): Promise<Float32Array> {
  const small = arbiter === undefined && workload.flops <= REFERENCE_FLOPS;
  const prepare = await load(small ? 'webgpu-rnn' : 'ort-wasm');
  const judging = await prepare(workload, small ? 'reference' : undefined);
  const truth = (await judging.run()).slice();
  await judging.dispose();
  return truth;
}

async function measureShape(task: Task): Promise<BrowserRow[]> {
  const { shape, engines, rounds, seconds } = task;
  const workload = workloadOf(shapeOf(shape));
  const known = { shape: nameOf(workload.shape), flops: workload.flops };
  const rows = new Map<PageEngine, BrowserRow>();
  const entrants = new Map<PageEngine, Entrant>();
  for (const engine of engines) {
    try {
      const prepare = await load(engine);
      const start = performance.now();
      const contender = await prepare(workload);
      const ready = performance.now();
      const result = await contender.run();
      const times = { loadMs: ready - start, firstMs: performance.now() - ready };
      await contender.settle?.();
      const answer = contender.arrange?.(result) ?? result.slice();
      entrants.set(engine, { contender, answer });
      rows.set(engine, { ...known, engine, status: 'right', ...times });
    } catch (error) {
      const status = error instanceof Incapable ? 'cannot' : 'failed';
      rows.set(engine, { ...known, engine, status, reason: errorLine(error) });
    }
  }
  const truth = await judge(workload, task.arbiter);
  const [firstEntrant] = entrants.values();
  for (const [engine, { answer }] of entrants) {
    const error = finiteDifference(answer, truth);
    const difference = finiteDifference(answer, firstEntrant!.answer);
    rows.set(engine, {
      ...rows.get(engine)!,
      error,
      difference,
      ...(!isRight(error) && { status: 'wrong', reason: `wrong by ${error ?? 'infinity'}` }),
    });
  }
  const fit = [...entrants].filter(([engine]) => rows.get(engine)!.status === 'right');
  const contenders = fit.map(([name, { contender }]) => ({
    name,
    run: () => contender.run(),
    dispose: () => contender.dispose(),
  }));
  const { timings, failures } = await measure(contenders, { rounds, seconds });
  for (const [engine] of fit) {
    const timing = timings.get(engine);
    rows.set(engine, {
      ...rows.get(engine)!,
      ...(timing ? { timing } : { status: 'failed', reason: errorLine(failures.get(engine)) }),
    });
  }
  return [...rows.values()];
}

async function measureColdStart(
  engine: PageEngine,
  shape: string,
  arbiter?: Task['arbiter'],
): Promise<ColdStart> {
  const workload = workloadOf(shapeOf(shape));
  const start = performance.now();
  const prepare = await load(engine);
  const there = performance.now();
  const contender = await prepare(workload);
  const answer = await contender.run();
  const times = { importMs: there - start, firstResultMs: performance.now() - there };
  if (arbiter === undefined) return times;
  return { ...times, error: finiteDifference(answer, await judge(workload, arbiter)) };
}

async function adapterName(): Promise<string> {
  const info = (await navigator.gpu?.requestAdapter())?.info;
  return info ? describeAdapter(info).parts.join(' ') : 'none';
}

const page = { measureShape, measureColdStart, adapterName };
declare global {
  interface Window {
    enginePage?: typeof page;
  }
}
window.enginePage = page;
