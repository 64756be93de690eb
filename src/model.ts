// What a user holds: a graph on a backend.
import { RnnError } from './errors.ts';
import type { Graph, ValueInfo } from './graph.ts';
import { isGraphSource, validateGraph } from './graph.ts';
import { refuseMissingOperators, usesOnlyRecurrence } from './ops/missing.ts';
import type { PlanOptions } from './plan/lowering.ts';
import { planOptionsOf } from './plan/options.ts';
import type { BackendName, GpuTensor, Session, Tensors, Usage } from './backends/backend.ts';
import type { CpuOptions } from './backends/wasm/session.ts';
import { abortable, checkSignal } from './backends/abort.ts';
import { checkOptions } from './backends/check-options.ts';
import { disposeWhenCollected, forgetCollected } from './backends/finalize.ts';
import { tracedCall } from './backends/traced-call.ts';
import type { TracedResults } from './backends/trace.ts';
import type { ModelSource } from './import/source.ts';
import { checkDevice, LOAD_OPTIONS, recoveryOf, STREAM_OPTIONS } from './load-options.ts';
import type { LoadOptions, StreamOptions } from './load-options.ts';
import {
  CALL_OPTIONS,
  NO_OPTIONS,
  notSynchronous,
  outputNames,
  Stream,
  SYNC_OPTIONS,
} from './stream.ts';
import type { CallOptions, SyncOptions, TraceOptions } from './stream.ts';
import { checkStreamsOptions, StreamGroup, type StreamsOptions } from './streams.ts';
import { streamGraph } from './backends/stateful-graph.ts';
import type { RecoveringSession } from './backends/webgpu/recovering-session.ts';
import type { Tensor } from './tensor.ts';
import type { Lease } from './gpu/device.ts';

const RUN_OPTIONS = { ...CALL_OPTIONS, output: true, trace: true } as const;

/**
 * A model on a backend. Made by {@link loadModel}. Calls may overlap: they queue in order.
 */
export class Model {
  /** Name, element type and shape of each input; a free dimension is a string. */
  readonly inputs: readonly ValueInfo[];
  /** Name, element type and shape of each output, where the file tells. */
  readonly outputs: readonly ValueInfo[];
  readonly #graph: Graph;
  readonly #session: Session;
  readonly #reason: string;
  readonly #limits: LoadOptions['limits'];
  #disposed = false;

  /** @internal */
  constructor(graph: Graph, session: Session, reason: string, limits?: LoadOptions['limits']) {
    this.#graph = graph;
    this.#limits = limits;
    this.#session = session;
    this.inputs = graph.inputs;
    this.outputs = graph.outputs;
    this.#reason = reason;
    disposeWhenCollected(this, session, 'Model');
  }

  /** What computed the latest call; before the first, what is expected to. Only with `device: 'auto'` it may change. */
  get backend(): BackendName {
    return this.#session.backend;
  }

  /** Why this backend, in a sentence. */
  get reason(): string {
    return this.#session.reason ?? this.#reason;
  }

  /** Vendor and name of the adapter, another one perhaps after a loss of the GPU; or the instruction set. */
  get adapter(): string {
    return this.#session.adapter;
  }

  /** What the model has on the device, and the kernels it chose; empty where there is no GPU. */
  get usage(): Usage {
    return this.#session.usage ?? { pipelines: 0, weightBytes: 0, kernels: {} };
  }

  /**
   * Runs the whole model once. It keeps no state between calls: see {@link Model.stream}.
   *
   * @param feeds tensors by input name, with the declared types and ranks
   * @returns tensors by output name
   * @throws RnnError `INVALID_ARGUMENT` or `SHAPE_MISMATCH` with the path of the feed,
   *   `DISPOSED`, `DEVICE_LOST`, `OUT_OF_MEMORY`; the reason of the signal when it is aborted
   * @example
   * ```ts
   * const { Y } = await model.run({ X: tensor(new Float32Array(16 * 40), [16, 1, 40]) });
   * ```
   */
  run(
    feeds: Tensors,
    options?: CallOptions & { readonly output?: 'cpu' },
  ): Promise<Record<string, Tensor>>;
  /** The same with outputs that stay on the GPU, each in a buffer that is the caller's to destroy, and lost with its device. */
  run(
    feeds: Tensors,
    options: CallOptions & { readonly output: 'gpu' },
  ): Promise<Record<string, GpuTensor>>;
  /**
   * The same with a look inside: each gate, candidate and state of each step of some recurrent layers. Without
   * `trace` nothing of it is computed or allocated.
   *
   * @throws RnnError as without it; `INVALID_ARGUMENT` for a name that is no recurrent layer, with those that are
   * @example
   * ```ts
   * const { Y, trace } = await model.run({ X }, { trace: ['lstm_0'] });
   * const { gates, states } = trace.lstm_0; // gates.f and states.c are tensors [T, D, B, H]
   * ```
   */
  run(
    feeds: Tensors,
    options: CallOptions & TraceOptions & { readonly output?: 'cpu' },
  ): Promise<TracedResults>;
  async run(
    feeds: Tensors,
    options: CallOptions & Partial<TraceOptions> & { readonly output?: 'cpu' | 'gpu' } = {},
  ): Promise<Record<string, Tensor> | Record<string, GpuTensor>> {
    this.#check();
    checkOptions(options, RUN_OPTIONS);
    const { signal, outputs, output, trace } = options;
    if (output !== undefined && output !== 'cpu' && output !== 'gpu') {
      const what = `got '${String(output)}', expected 'cpu' or 'gpu'`;
      throw new RnnError('INVALID_ARGUMENT', 'options.output', what);
    }
    const names = outputNames(this.outputs, outputs);
    if (trace !== undefined) {
      if (output !== 'gpu') {
        const run = (all: readonly string[]): Promise<Record<string, Tensor>> =>
          this.#session.run(feeds, all, signal);
        return await tracedCall(this.#graph, trace, names, run);
      }
      const what = 'got a trace of outputs that stay on the GPU, expected one of the two';
      throw new RnnError('INVALID_ARGUMENT', 'options.trace', what);
    }
    // Waiting here, the call keeps the model from being collected.
    if (output !== 'gpu') return await this.#session.run(feeds, names, signal);
    if (this.#session.runOnGpu) return await this.#session.runOnGpu(feeds, names, signal);
    const what = `'gpu' needs the webgpu backend, this model runs on ${this.backend}`;
    throw new RnnError('INVALID_ARGUMENT', 'options.output', what);
  }

  /**
   * {@link Model.run} without a promise, for callers that cannot wait. It computes in the calling thread.
   *
   * @throws RnnError as `run` does; `INVALID_ARGUMENT` on webgpu, whose results only come later
   * @example
   * ```ts
   * const model = await loadModel(file, { device: 'wasm' });
   * const { Y } = model.runSync({ X: tensor(new Float32Array(16 * 40), [16, 1, 40]) });
   * ```
   */
  runSync(feeds: Tensors, options: SyncOptions = NO_OPTIONS): Record<string, Tensor> {
    this.#check();
    if (options !== NO_OPTIONS) checkOptions(options, SYNC_OPTIONS);
    const names = outputNames(this.outputs, options.outputs);
    if (this.#session.runSync) return this.#session.runSync(feeds, names);
    throw notSynchronous('model.runSync', 'run');
  }

  /**
   * Makes ready what runs of such feeds need, and computes nothing: compiles their best kernels and
   * uploads the weights. Without it the first run does so; where a CPU stands in for the GPU, it
   * takes kernels that compile fast, and later runs the best ones once they have been compiled in
   * the background. A run that is called meanwhile waits.
   *
   * @param feeds tensors as for {@link Model.run}, of which only the shapes count, and the numbers of
   *   inputs that decide shapes
   * @throws RnnError as {@link Model.run} does
   * @example
   * ```ts
   * await model.warmUp({ X: tensor(new Float32Array(64 * 40), [64, 1, 40]) }); // while the page loads
   * ```
   */
  async warmUp(feeds: Tensors, options: CallOptions = {}): Promise<void> {
    this.#check();
    checkOptions(options, CALL_OPTIONS);
    const names = outputNames(this.outputs, options.outputs);
    await this.#session.warmUp(feeds, names, options.signal);
  }

  /**
   * A stream: this model with recurrent state of its own, for sequences that arrive step by step.
   * It carries the state of recurrent layers that run forward along time, the last frames of causal
   * convolutions and pooling, sums over time, and the state inputs named in `state`. Layers along another
   * axis, such as frequency inside a frame, begin anew in each frame and may run in any direction. Layers of
   * Keras and TF.js that are `stateful` go on as they do in `predict`, and nothing else is carried then.
   *
   * @throws RnnError `UNSUPPORTED_OPERATOR` naming the node that needs the whole sequence and what to do
   *   instead, `INVALID_ARGUMENT` for options that name what does not exist, and where nothing tells which
   *   axis is time, so that a stream would carry nothing
   */
  stream(options: StreamOptions = {}): Stream {
    this.#check();
    checkOptions(options, STREAM_OPTIONS);
    const { batch = 1, checkpoint } = options;
    for (const [name, value] of Object.entries({ batch, checkpoint })) {
      if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) continue;
      const what = `got ${String(value)}, expected a whole number from 1 up`;
      throw new RnnError('INVALID_ARGUMENT', `options.${name}`, what);
    }
    const streamed = streamGraph(this.#graph, options);
    const session = this.#session.stream(streamed, batch, checkpoint ?? 0);
    return new Stream(session, this.outputs, streamed, this);
  }

  /** @internal What runs other graphs with the weights of this one. */
  parts(): { readonly graph: Graph; readonly session: Session } {
    this.#check();
    return { graph: this.#graph, session: this.#session };
  }

  /**
   * Streams that join and leave, computed together: see {@link StreamGroup}. The model must have a free batch
   * dimension, and compute its rows independently; the first step or `warmUp` refuses it by name where it has not.
   *
   * @throws RnnError as {@link Model.stream} does
   * @example
   * ```ts
   * const group = model.streams({ capacity: 100 });
   * const caller = group.join();
   * const { Y } = await caller.step({ X: tensor(frame, [1, 1, 40]) });
   * caller.leave();
   * ```
   */
  streams(options: StreamsOptions): StreamGroup {
    this.#check();
    checkStreamsOptions(options);
    const { capacity, maxWait = 0, ...request } = options;
    const streamed = streamGraph(this.#graph, request);
    const [session, limits] = [this.#session, this.#limits ?? {}];
    return new StreamGroup({ session, streamed, capacity, maxWait, limits }, this.outputs, this);
  }

  #check(): void {
    if (this.#disposed) throw new RnnError('DISPOSED', 'model', 'the model has been disposed of');
  }

  /** Frees weights and buffers. Further calls reject with `DISPOSED`; a second dispose does nothing. */
  dispose(): void {
    this.#disposed = true;
    forgetCollected(this);
    this.#session.dispose();
  }

  /** Same as {@link Model.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

// Each backend is a chunk of its own, so that a page loads only the one it computes on.

/** Begins to look for a device, which takes as long as reading a file. Where it fails, makeSession says so. */
function beginWebGpu(own: GPUDevice | undefined, timeout: number | undefined): Promise<Lease> {
  const lease = import('./backends/webgpu/recovering-session.ts').then(
    ({ DEFAULT_TIMEOUT, leaseDevice }) => leaseDevice(own, timeout ?? DEFAULT_TIMEOUT),
  );
  lease.catch(() => undefined);
  return lease;
}

async function webgpuSession(
  graph: Graph,
  plan: PlanOptions,
  lease: Promise<Lease>,
  options: LoadOptions,
): Promise<RecoveringSession> {
  const { limits, timeout, signal, onDeviceLost } = options;
  const { RecoveringSession } = await import('./backends/webgpu/recovering-session.ts');
  // Weakly: the callback may refer to the model, which must be collectable while its session is not.
  const listener = onDeviceLost && new WeakRef(onDeviceLost);
  return RecoveringSession.create(graph, plan, await abortable(lease, signal), {
    limits,
    timeout,
    ...recoveryOf(options),
    tell: (loss) => listener?.deref()?.(loss),
  });
}

/** The listeners of models, for as long as these live. */
const listeners = new WeakMap<Model, LoadOptions['onDeviceLost']>();

async function referenceSession(graph: Graph, { limits }: CpuOptions): Promise<Session> {
  const { ReferenceSession } = await import('./backends/reference/session.ts');
  return new ReferenceSession(graph, limits);
}

async function wasmSession(graph: Graph, options: CpuOptions): Promise<Session> {
  const backend = await import('./backends/wasm/wasm-session.ts');
  return backend.wasmSession(graph, options);
}

async function jsSession(graph: Graph, options: CpuOptions): Promise<Session> {
  const backend = await import('./backends/wasm/js-session.ts');
  return backend.jsSession(graph, options);
}

/** The best of the CPU's backends, for `'auto'` without an adapter. */
async function cpuSession(
  graph: Graph,
  reason: string,
  options: CpuOptions,
): Promise<{ session: Session; reason: string }> {
  try {
    return { session: await wasmSession(graph, options), reason };
  } catch (error) {
    if (!(error instanceof RnnError) || error.code !== 'UNSUPPORTED_FEATURE') throw error;
    return { session: await jsSession(graph, options), reason: `${reason}; ${error.message}` };
  }
}

/** Options that say how a GPU computes; with one of them `'auto'` takes a GPU where there is one. */
const GPU_OPTIONS = [
  'weights',
  'arithmetic',
  'tune',
  'recurrentKernel',
  'wavefront',
  'subgroups',
  'selfCheck',
] as const satisfies readonly (keyof LoadOptions)[];

/** The backends that need no adapter, by the name that asks for them. */
const WITHOUT_ADAPTER = new Map<LoadOptions['device'], typeof wasmSession>([
  ['wasm', wasmSession],
  ['js', jsSession],
  ['reference', referenceSession],
]);

async function makeSession(
  graph: Graph,
  options: LoadOptions,
  lease: Promise<Lease> | undefined,
): Promise<{ session: Session; reason: string }> {
  const { device = 'auto', limits } = options;
  const plan = planOptionsOf(options);
  const onCpu = { limits, weights: plan.weights };
  if (lease === undefined) {
    const make = WITHOUT_ADAPTER.get(device)!;
    return { session: await make(graph, onCpu), reason: 'asked for' };
  }
  if (typeof device !== 'string') {
    const session = await webgpuSession(graph, plan, lease, options);
    return { session, reason: 'the app brought its device' };
  }
  try {
    const session = await webgpuSession(graph, plan, lease, options);
    if (device === 'webgpu') return { session, reason: 'asked for' };
    const forGpu = GPU_OPTIONS.find((name) => options[name] !== undefined);
    if (forGpu) return { session, reason: `WebGPU is available, and '${forGpu}' is for GPUs` };
    const { makeAutoSession } = await import('./auto/index.ts');
    return await makeAutoSession(graph, session, (await lease).gpu, plan, limits);
  } catch (error) {
    const missing =
      error instanceof RnnError && (error.code === 'NO_WEBGPU' || error.code === 'NO_ADAPTER');
    if (device === 'webgpu' || !missing) throw error;
    return cpuSession(graph, error.message, onCpu);
  }
}

/** The graph of a source, checked and simplified. */
async function loadGraph(source: ModelSource, options: LoadOptions): Promise<Graph> {
  const { signal, limits, format, architecture, onProgress, integrity, device } = options;
  let graph: Graph;
  if (isGraphSource(source)) {
    if (integrity !== undefined) {
      const what = 'got hashes for a graph made in code, expected none';
      throw new RnnError('INVALID_ARGUMENT', 'options.integrity', what);
    }
    graph = source;
  } else {
    const { importSource } = await import('./import/index.ts');
    const how = { signal, onProgress, limits, format, architecture, integrity };
    graph = await importSource(source, how);
    checkSignal(signal);
  }
  validateGraph(graph);
  if (usesOnlyRecurrence(graph)) return graph;
  // The session will ask for them next.
  if (!WITHOUT_ADAPTER.has(device)) import('./kernels.ts').catch(() => undefined);
  const { registerOperators, simplify } = await import('./operators.ts');
  registerOperators();
  refuseMissingOperators(graph);
  graph = simplify(graph);
  checkSignal(signal);
  return graph;
}

/**
 * Loads a model and makes it ready to run.
 *
 * @param source URL or path, bytes, a Blob, `{ name: bytes }` for models of several files, or a
 *   {@link Graph} made in code. Bytes may be changed or transferred when the model is there; the arrays
 *   of a Graph are the model's from then on.
 * @throws RnnError `FETCH_FAILED` with the URL and its status, `INVALID_MODEL` with the path of the
 *   fault, `UNSUPPORTED_OPERATOR` naming the operator, its node and what there is, `LIMIT_EXCEEDED`,
 *   `UNSUPPORTED_FEATURE`, `NO_WEBGPU`, `NO_ADAPTER`, `TIMEOUT`, `DEVICE_LOST` for a device of the app
 *   that is lost; the reason of the signal when it is aborted
 * @example
 * ```ts
 * const model = await loadModel('/models/silero_vad.onnx');
 * ```
 */
export async function loadModel(source: ModelSource, options: LoadOptions = {}): Promise<Model> {
  checkOptions(options, LOAD_OPTIONS);
  const { signal, device, timeout } = options;
  checkDevice(device);
  if (source === undefined || source === null) {
    const what = `got ${String(source)}, expected a URL, a path, bytes, files by name, or a Graph`;
    throw new RnnError('INVALID_ARGUMENT', 'source', what);
  }
  checkSignal(signal);
  if (timeout !== undefined && !(timeout > 0)) {
    const what = `got ${String(timeout)}, expected milliseconds above 0`;
    throw new RnnError('INVALID_ARGUMENT', 'options.timeout', what);
  }
  recoveryOf(options); // refuses what is wrong
  const own = typeof device === 'object' ? device : undefined;
  const lease = WITHOUT_ADAPTER.has(device) ? undefined : beginWebGpu(own, timeout);
  try {
    const graph = await loadGraph(source, options);
    const { session, reason } = await makeSession(graph, options, lease);
    const model = new Model(graph, session, reason, options.limits);
    listeners.set(model, options.onDeviceLost);
    return model;
  } catch (error) {
    lease?.then(
      ({ release }) => release(),
      () => undefined, // there is nothing to give back
    );
    throw error;
  }
}
