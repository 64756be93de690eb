// What a backend offers to a Model: run a graph, and keep the state of streams.
import { RnnError } from '../errors.ts';
import { checkFeeds } from '../feeds.ts';
import type { Graph, ValueInfo } from '../graph.ts';
import type { HostValue } from '../ops/operator.ts';
import { toHost } from '../ops/value.ts';
import { hostInputsOf, refuseFloatShapeInputs } from '../plan/specialize/shape-inputs.ts';
import { inferGraph } from '../plan/specialize/infer.ts';
import type { Inference } from '../plan/specialize/infer.ts';
import type { StateSlot, StreamedGraph } from './stateful-graph.ts';
import { allocate, sizeOf, tensor } from '../tensor.ts';
import type { Tensor } from '../tensor.ts';

/** Tensors by name. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** A tensor that stays on the GPU. The buffer is the caller's: destroy it when done. */
export interface GpuTensor {
  /** Element type in the graph. */
  readonly type: Tensor['type'];
  /** Sizes, outermost first. */
  readonly dims: readonly number[];
  /** Row-major; f32 for floating point types, i32 for integers and bool. */
  readonly buffer: GPUBuffer;
}

/** The state of a stream as a backend keeps it. Calls take effect in the order they are made. */
export interface StreamSession {
  step(
    feeds: Tensors,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>>;
  /** Makes ready what such a step needs, and leaves the state as it is. */
  warmUp(feeds: Tensors, outputs: readonly string[], signal?: AbortSignal): Promise<void>;
  reset(): void;
  snapshot(): Promise<Record<string, Tensor>>;
  restore(state: Tensors): void;
  fork(): StreamSession;
  dispose(): void;
}

/** What a model has on a device, and what it chose. */
export interface Usage {
  /** Compiled shaders. */
  readonly pipelines: number;
  /** Bytes of weights on the device. */
  readonly weightBytes: number;
  /** Which kernel each recurrent layer had in the latest run or step, by the path of its node. */
  readonly kernels: Readonly<Record<string, 'step' | 'persistent'>>;
}

/** A graph on a backend. */
export interface Session {
  readonly backend: 'webgpu' | 'reference';
  /** What computes, for people: the adapter. */
  readonly adapter: string;
  run(
    feeds: Tensors,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>>;
  /** Makes ready what such a run needs, where that takes time. */
  warmUp(feeds: Tensors, outputs: readonly string[], signal?: AbortSignal): Promise<void>;
  /** Like `run`, but the outputs stay on the GPU; where there is one. */
  runOnGpu?(
    feeds: Tensors,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, GpuTensor>>;
  stream(streamed: StreamedGraph, batch: number): StreamSession;
  /** What is on the device; where there is one. */
  readonly usage?: Usage;
  dispose(): void;
}

/** A call that has been checked, with all that a plan depends on. */
export interface Prepared {
  /** The same for calls that can use the same plan. */
  readonly key: string;
  readonly dims: ReadonlyMap<string, readonly number[]>;
  readonly host: ReadonlyMap<string, HostValue>;
}

// An input whose numbers decide shapes is part of the key of a plan, so it should be small.
const MAX_HOST_INPUT = 1024;

/** Checks calls of one graph. Makes no plan and touches no device. */
export class Preparer {
  readonly #graph: Graph;
  readonly #host: ReadonlySet<string>;
  readonly #maxUnrolled: number | undefined;
  readonly #inferred = new Map<string, Inference>();

  /** @throws RnnError `UNSUPPORTED_OPERATOR` where numbers that are no integers decide what runs */
  constructor(graph: Graph, maxUnrolled: number | undefined) {
    this.#graph = graph;
    this.#maxUnrolled = maxUnrolled;
    this.#host = hostInputsOf(graph);
    refuseFloatShapeInputs(graph);
  }

  /** Whether the numbers of an input are part of the plan. */
  isHost(name: string): boolean {
    return this.#host.has(name);
  }

  /** @throws RnnError for feeds that do not fit the graph, before any work is done */
  prepare(feeds: Tensors): Prepared {
    checkFeeds(this.#graph.inputs, feeds);
    const dims = new Map<string, readonly number[]>();
    const host = new Map<string, HostValue>();
    let key = '';
    for (const { name } of this.#graph.inputs) {
      const feed = feeds[name]!;
      dims.set(name, feed.dims);
      key += `${feed.dims.join('x')};`;
      if (!this.#host.has(name)) continue;
      if (feed.data.length > MAX_HOST_INPUT) {
        throw new RnnError(
          'LIMIT_EXCEEDED',
          `feeds.${name}`,
          `has ${feed.data.length} elements; an input that decides shapes may have ${MAX_HOST_INPUT}`,
        );
      }
      host.set(name, toHost(feed, `feeds.${name}`));
      key += `=${feed.data.join(',')};`;
    }
    const prepared = { key, dims, host };
    for (const { input, steps } of this.infer(prepared).lengths) {
      const { data } = feeds[input]!;
      const wrong = Array.from(data as Int32Array).findIndex(
        (length) => length < 0 || length > steps,
      );
      if (wrong >= 0) {
        throw new RnnError(
          'SHAPE_MISMATCH',
          `feeds.${input}[${wrong}]`,
          `length, got ${data[wrong]}, expected 0 to ${steps}, the time steps of its sequence`,
        );
      }
    }
    return prepared;
  }

  /** Types and shapes at these inputs; a shape that does not fit is found here. */
  infer(prepared: Prepared): Inference {
    let inference = this.#inferred.get(prepared.key);
    if (!inference) {
      inference = inferGraph(this.#graph, prepared, this.#maxUnrolled);
      if (this.#inferred.size > 64) this.#inferred.clear();
      this.#inferred.set(prepared.key, inference);
    }
    return inference;
  }
}

/**
 * Complete feeds for a step: shapes of the state inputs follow from the other inputs.
 *
 * @param feeds what the caller gave
 * @param batch size of free dimensions that nothing else names
 */
export class StreamFeeds {
  readonly #streamed: StreamedGraph;
  readonly #batch: number;
  readonly #explicit: readonly { slot: StateSlot; info: ValueInfo }[];
  readonly #rest: readonly ValueInfo[];
  readonly #probe: Preparer;

  constructor(streamed: StreamedGraph, batch: number, maxUnrolled: number | undefined) {
    this.#streamed = streamed;
    this.#batch = batch;
    const { slots, probe } = streamed;
    this.#explicit = slots
      .filter(({ like }) => like === undefined)
      .map((slot) => ({ slot, info: probe.inputs.find(({ name }) => name === slot.input)! }));
    const states = new Set(this.#explicit.map(({ slot }) => slot.input));
    this.#rest = probe.inputs.filter(({ name }) => !states.has(name));
    this.#probe = new Preparer(probe, maxUnrolled);
  }

  /** The state that a stream begins with for these feeds, by name of the input. */
  initial(feeds: Tensors): Record<string, Tensor> {
    const given = Object.fromEntries(
      Object.entries(feeds).filter(([name]) => this.#rest.some((info) => info.name === name)),
    );
    const sizes = checkFeeds(this.#rest, given);
    const state: Record<string, Tensor> = {};
    for (const { slot, info } of this.#explicit) {
      const dims = info.dims.map((dim) =>
        typeof dim === 'number' ? dim : (sizes.get(dim) ?? this.#batch),
      );
      state[slot.input] = { type: info.type, dims, data: allocate(info.type, sizeOf(dims)) };
    }
    const prepared = this.#probe.prepare({ ...given, ...state });
    const inference = this.#probe.infer(prepared);
    for (const { input, like, initial } of this.#streamed.slots) {
      if (like === undefined) continue;
      const { dims } = inference.value(like)!;
      const host = initial === undefined ? undefined : inference.value(initial)!.host;
      const data = host ? Float32Array.from(host.data) : new Float32Array(sizeOf(dims));
      state[input] = tensor(data, dims);
    }
    return state;
  }
}

/** Waits for nothing: throws where a signal has been aborted. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw signal.reason;
}

/** `work`, or the reason of the signal as soon as it is aborted. The work goes on unobserved. */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  work.catch(() => undefined);
  checkSignal(signal);
  const over = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { signal: over.signal });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    over.abort();
  }
}

/** Tensors with arrays of their own, for calls that wait while the caller goes on. */
export function copyOf(tensors: Tensors): Record<string, Tensor> {
  const copies = Object.entries(tensors).map(([name, value]) => [
    name,
    { ...value, data: value.data.slice() },
  ]);
  return Object.fromEntries(copies) as Record<string, Tensor>;
}

/** @throws RnnError `SHAPE_MISMATCH` for a state of other shapes */
export function checkShapes(state: Tensors, expected: Tensors): void {
  for (const [name, { dims }] of Object.entries(state)) {
    const want = expected[name]?.dims ?? [];
    if (want.join() !== dims.join()) {
      const what = `got [${dims.join(', ')}], expected [${want.join(', ')}]`;
      throw new RnnError('SHAPE_MISMATCH', `state.${name}`, what);
    }
  }
}

/** @throws RnnError `INVALID_ARGUMENT` for a snapshot of a stream of another model */
export function checkState(state: Tensors, slots: readonly StateSlot[]): void {
  const names = slots.map(({ input }) => input);
  for (const name of Object.keys(state)) {
    if (!names.includes(name)) {
      const what = `unknown state, expected ${names.join(', ') || 'none'}`;
      throw new RnnError('INVALID_ARGUMENT', `state.${name}`, what);
    }
  }
  const missing = names.find(
    (name) => Object.keys(state).length > 0 && !Object.hasOwn(state, name),
  );
  if (missing !== undefined) {
    throw new RnnError('INVALID_ARGUMENT', `state.${missing}`, 'is missing');
  }
}
