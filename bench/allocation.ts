// Measures what a step of a stream allocates in JavaScript's heap, garbage included, and what it leaves there.
import { Session, type HeapProfiler } from 'node:inspector/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { tensor, type Model } from 'webgpu-rnn/node';
import { median } from './statistics.ts';

/** Bytes of JavaScript's heap, without the contents of typed arrays, which lie outside of it. */
export interface Allocation {
  /** Time steps of the input of each step. */
  readonly T: number;
  readonly steps: number;
  /** Allocated by one step: the median of all windows, of the early ones and of the late ones. */
  readonly perStep: number;
  readonly perStepEarly: number;
  readonly perStepLate: number;
  /** Allocated while Dawn for Node polls the GPU: browsers do not wait in JavaScript. */
  readonly pollingPerStep: number;
  /** Bytes still in use after a garbage collection, divided by the steps. */
  readonly keptPerStep: number;
}

const WINDOWS = 8;
const WARMUP = 200;
const SAMPLE_BYTES = 1024; // on average from one sample to the next
// Functions in which Dawn polls the GPU or the package sleeps meanwhile (src/rest.ts). They run from timers, or
// from Dawn's native code without a caller. The callbacks below IMMEDIATE that are none of them are the package's,
// resumed when the work is done.
const IMMEDIATE = 'processImmediate';
const POLLING = /^(?:setImmediate|\(V8 API\)|rest|watch)$/;

// Flags are read when a context is made, so this needs no other way to start Node.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Heap in use. Dawn frees in later ticks of the event loop what finalizers hold. */
async function heapKept(): Promise<number> {
  for (let i = 0; i < 5; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return process.memoryUsage().heapUsed;
}

/** Bytes that are allocated during some work, by V8's sampling profiler. */
async function allocatedBy(
  work: () => Promise<void>,
): Promise<{ engine: number; polling: number }> {
  const session = new Session();
  session.connect();
  // The typings declare only the first.
  const options = {
    samplingInterval: SAMPLE_BYTES,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  };
  await session.post('HeapProfiler.startSampling', options);
  await work();
  const { profile } = await session.post('HeapProfiler.stopSampling');
  session.disconnect();
  const sum = { engine: 0, polling: 0 };
  const visit = (node: HeapProfiler.SamplingHeapProfileNode, under: 'engine' | 'polling'): void => {
    const { functionName } = node.callFrame;
    const kind = POLLING.test(functionName) ? 'polling' : under;
    sum[functionName === IMMEDIATE ? 'polling' : kind] += node.selfSize;
    for (const child of node.children) visit(child, kind);
  };
  visit(profile.head, 'engine');
  return sum;
}

/** Measures steps of a stream of a model with the input X [T, 1, width]. */
export async function measureAllocation(
  model: Model,
  width: number,
  T: number,
  steps: number,
): Promise<Allocation> {
  const stream = model.stream();
  const X = tensor(new Float32Array(T * width).fill(0.1), [T, 1, width]);
  const runSteps = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await stream.step({ X });
  };
  await stream.warmUp({ X });
  await runSteps(WARMUP);
  const each = Math.ceil(steps / WINDOWS);
  const engine: number[] = [];
  const polling: number[] = [];
  for (let i = 0; i < WINDOWS; i++) {
    const bytes = await allocatedBy(() => runSteps(each));
    engine.push(bytes.engine / each);
    polling.push(bytes.polling / each);
  }
  const before = await heapKept(); // without the profiler, whose objects would count
  await runSteps(steps);
  const kept = (await heapKept()) - before;
  stream.dispose();
  return {
    T,
    steps,
    perStep: median(engine),
    perStepEarly: median(engine.slice(0, WINDOWS / 2)),
    perStepLate: median(engine.slice(-WINDOWS / 2)),
    pollingPerStep: median(polling),
    keptPerStep: kept / steps,
  };
}
