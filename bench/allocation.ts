// What a step of a stream allocates in JavaScript's heap, garbage included, and what of it stays.
import { Session, type HeapProfiler } from 'node:inspector/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { tensor, type Model } from 'webgpu-rnn/node';
import { median } from './statistics.ts';

/** Bytes of JavaScript's heap; the numbers of typed arrays lie outside of it. */
export interface Allocation {
  /** Time steps of the input of each step. */
  readonly T: number;
  readonly steps: number;
  /** Allocated by one step: the median, and early and late in the stream. */
  readonly perStep: number;
  readonly perStepEarly: number;
  readonly perStepLate: number;
  /** What Dawn for Node allocates while it waits for the GPU: browsers do not wait in JavaScript. */
  readonly pollingPerStep: number;
  /** Still held after collecting the garbage, divided by the steps. */
  readonly keptPerStep: number;
}

const WINDOWS = 8;
const WARMUP = 200;
const SAMPLE_BYTES = 1024; // on average from one sample to the next
// Turns of the event loop in which Dawn asks for news, or the package rests: of timers, or from Dawn's own
// code without any caller. From the first of these what is ours goes on when the news has come.
const TURN = 'processImmediate';
const POLLING = /^(?:setImmediate|\(V8 API\)|rest|watch)$/;

// Flags are read when a context is made, so this needs no other way to start Node.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Heap in use. Dawn gives back what finalizers hold in later turns of the event loop. */
async function heapKept(): Promise<number> {
  for (let i = 0; i < 5; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return process.memoryUsage().heapUsed;
}

/** Bytes that are allocated during some work, by V8's sampling profiler. */
async function allocatedBy(work: () => Promise<void>): Promise<{ own: number; polling: number }> {
  const session = new Session();
  session.connect();
  // The typings know none but the first.
  const options = {
    samplingInterval: SAMPLE_BYTES,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  };
  await session.post('HeapProfiler.startSampling', options);
  await work();
  const { profile } = await session.post('HeapProfiler.stopSampling');
  session.disconnect();
  const sum = { own: 0, polling: 0 };
  const visit = (node: HeapProfiler.SamplingHeapProfileNode, under: 'own' | 'polling'): void => {
    const { functionName } = node.callFrame;
    const kind = POLLING.test(functionName) ? 'polling' : under;
    sum[functionName === TURN ? 'polling' : kind] += node.selfSize;
    for (const child of node.children) visit(child, kind);
  };
  visit(profile.head, 'own');
  return sum;
}

/** Takes steps of a stream. The model takes X [T, 1, width]. */
export async function measureAllocation(
  model: Model,
  width: number,
  T: number,
  steps: number,
): Promise<Allocation> {
  const stream = model.stream();
  const X = tensor(new Float32Array(T * width).fill(0.1), [T, 1, width]);
  const walk = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await stream.step({ X });
  };
  await stream.warmUp({ X });
  await walk(WARMUP);
  const each = Math.ceil(steps / WINDOWS);
  const own: number[] = [];
  const polling: number[] = [];
  for (let i = 0; i < WINDOWS; i++) {
    const bytes = await allocatedBy(() => walk(each));
    own.push(bytes.own / each);
    polling.push(bytes.polling / each);
  }
  const before = await heapKept(); // apart from the profiler, which has a heap of its own in ours
  await walk(steps);
  const kept = (await heapKept()) - before;
  stream.dispose();
  return {
    T,
    steps,
    perStep: median(own),
    perStepEarly: median(own.slice(0, WINDOWS / 2)),
    perStepLate: median(own.slice(-WINDOWS / 2)),
    pollingPerStep: median(polling),
    keptPerStep: kept / steps,
  };
}
