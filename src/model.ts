// What a user holds: a graph on a backend.
import { RnnError } from './errors.ts';
import type { Graph, ValueInfo } from './graph.ts';
import type {
  BackendName,
  Feeds,
  GpuTensor,
  GpuTensors,
  Session,
  Tensors,
  Usage,
} from './backends/backend.ts';
import { checkIsFeeds } from './feeds.ts';
import { checkCount, checkOptions } from './backends/check-options.ts';
import { disposeWhenCollected, forgetCollected } from './backends/finalize.ts';
import { streamGraph } from './backends/stateful-graph.ts';
import type { TracedResults } from './backends/trace.ts';
import { tracedCall } from './backends/traced-call.ts';
import { STREAM_OPTIONS, type LoadOptions, type StreamOptions } from './load-options.ts';
import {
  CALL_OPTIONS,
  needsGpu,
  NO_OPTIONS,
  notSynchronous,
  outputNames,
  RUN_OPTIONS,
  staysOnGpu,
  Stream,
  SYNC_OPTIONS,
} from './stream.ts';
import type { CallOptions, OutputOption, SyncOptions, TraceOptions } from './stream.ts';
import type { WarmUpRange } from './backends/warm-up-range.ts';
import { checkStreamsOptions, StreamGroup, type StreamsOptions } from './streams.ts';
import type { Tensor } from './tensor.ts';

/** Whether it is a range and no feeds: an input may be called so too, but a list is no tensor. */
function isRange(given: Feeds | WarmUpRange): given is WarmUpRange {
  const entries = Object.entries(given ?? {});
  const names = ['lengths', 'batch'];
  return (
    entries.length > 0 && entries.every(([name, of]) => names.includes(name) && Array.isArray(of))
  );
}

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

  /**
   * The device that computes, for buffers of the app: undefined where there is no GPU, and between a loss and the next
   * device, which is another one.
   */
  get device(): GPUDevice | undefined {
    return this.#session.device;
  }

  /** What the model has on the device, and the kernels it chose; empty where there is no GPU. */
  get usage(): Usage {
    return this.#session.usage ?? { pipelines: 0, weightBytes: 0, kernels: {} };
  }

  /**
   * Runs the whole model once. It keeps no state between calls: see {@link Model.stream}.
   *
   * @param feeds tensors by input name, with the declared types and ranks. On webgpu they may be on the GPU: in a
   *   buffer of `model.device` with `GPUBufferUsage.COPY_SRC`, which must stay as it is until the call has resolved.
   *   Indices and lengths in it are not checked
   * @returns tensors by output name
   * @throws RnnError `INVALID_ARGUMENT` or `SHAPE_MISMATCH` with the path of the feed, of its buffer where the
   *   device refuses that (too small, destroyed, of another device, without the usage),
   *   `DISPOSED`, `DEVICE_LOST`, `OUT_OF_MEMORY`; the reason of the signal when it is aborted
   * @example
   * ```ts
   * const { Y } = await model.run({ X: tensor(new Float32Array(16 * 40), [16, 1, 40]) });
   * ```
   */
  run(
    feeds: Feeds,
    options?: CallOptions & { readonly output?: 'cpu' },
  ): Promise<Record<string, Tensor>>;
  /** The same with outputs that stay on the GPU, each in a buffer that is the caller's to destroy, and lost with its device. */
  run(
    feeds: Feeds,
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
    feeds: Feeds,
    options: CallOptions & TraceOptions & { readonly output?: 'cpu' },
  ): Promise<TracedResults>;
  async run(
    feeds: Feeds,
    options: CallOptions & OutputOption & Partial<TraceOptions> = {},
  ): Promise<Record<string, Tensor> | Record<string, GpuTensor>> {
    this.#check();
    checkOptions(options, RUN_OPTIONS);
    const { signal, outputs, trace } = options;
    const names = outputNames(this.outputs, outputs);
    // Waiting here, the call keeps the model from being collected.
    if (staysOnGpu(options)) {
      if (!this.#session.runOnGpu) throw needsGpu('options.output');
      return await this.#session.runOnGpu(feeds, names, signal);
    }
    if (trace === undefined) return await this.#session.run(feeds, names, signal);
    const run = (all: readonly string[]): Promise<Record<string, Tensor>> =>
      this.#session.run(feeds, all, signal);
    return await tracedCall(this.#graph, trace, names, run);
  }

  /**
   * Records a run into commands of the app, between others of its frame: copies from the feeds, the model, and
   * copies to the results. It submits nothing and reads nothing back; the work is done where the app submits the
   * encoder. A buffer may be feed and result at once, so that a state is updated in place.
   *
   * What it records is compiled before, by `await model.warmUp(feeds)` or a run with such shapes. The plans of the 16
   * latest shapes are ready.
   *
   * @param encoder of `model.device`, with no pass open
   * @param feeds tensors on the GPU by input name, with `GPUBufferUsage.COPY_SRC`; only inputs whose numbers decide
   *   shapes are given as numbers
   * @param results where outputs go, by name: tensors on the GPU with `GPUBufferUsage.COPY_DST`, such as those of
   *   an earlier run with `output: 'gpu'`. Outputs that are left out are not copied
   * @throws RnnError `INVALID_ARGUMENT` or `SHAPE_MISMATCH` with the path of a feed or a result, and with the path
   *   `model.encode` where these shapes are not ready; `DEVICE_LOST`, `DISPOSED`. A buffer that has been destroyed,
   *   or one of the app's on another device, is WebGPU's own error when the app submits
   * @example
   * ```ts
   * const encoder = model.device.createCommandEncoder();
   * model.encode(encoder, { X }, { Y });
   * model.device.queue.submit([encoder.finish()]);
   * ```
   */
  encode(encoder: GPUCommandEncoder, feeds: Feeds, results: GpuTensors): void {
    this.#check();
    if (!this.#session.encode) throw needsGpu('model.encode');
    const given = encoder as Partial<GPUCommandEncoder> | undefined;
    if (typeof given?.beginComputePass !== 'function') {
      const what = `got ${Object.prototype.toString.call(encoder).slice(8, -1)}, expected a GPUCommandEncoder`;
      throw new RnnError('INVALID_ARGUMENT', 'encoder', what);
    }
    checkIsFeeds(results, 'results');
    const known = this.outputs.map(({ name }) => name);
    for (const name of Object.keys(results)) {
      if (known.includes(name)) continue;
      const what = `unknown output, expected ${known.join(', ')}`;
      throw new RnnError('INVALID_ARGUMENT', `results.${name}`, what);
    }
    this.#session.encode(encoder, feeds, results);
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
  warmUp(feeds: Feeds, options?: CallOptions): Promise<void>;
  /**
   * The same for all runs of some lengths and batches: none of them compiles anything then.
   *
   * @param range the smallest and the largest number of time steps and of batch rows
   * @throws RnnError `INVALID_ARGUMENT` with the path `range` where the inputs do not tell what time and batch are, or
   *   have numbers that decide shapes, and with `tune`; `LIMIT_EXCEEDED` for a model that has a kernel for each length
   * @example
   * ```ts
   * await model.warmUp({ lengths: [1, 512], batch: [1, 8] });
   * ```
   */
  warmUp(range: WarmUpRange, options?: CallOptions): Promise<void>;
  async warmUp(what: Feeds | WarmUpRange, options: CallOptions = {}): Promise<void> {
    this.#check();
    checkOptions(options, CALL_OPTIONS);
    const names = outputNames(this.outputs, options.outputs);
    if (!isRange(what)) return await this.#session.warmUp(what, names, options.signal);
    const { shapesOf } = await import('./backends/warm-up-range.ts');
    const range = shapesOf(this.#graph, what); // a CPU, which compiles nothing, refuses the same
    await this.#session.warmUpRange?.(range, names, options.signal);
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
    checkCount('batch', batch);
    if (checkpoint !== undefined) checkCount('checkpoint', checkpoint);
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
    const { capacity, maxWait = 0, checkpoint = 0, ...request } = options;
    const streamed = streamGraph(this.#graph, request);
    const [session, limits] = [this.#session, this.#limits ?? {}];
    const parts = { session, streamed, capacity, maxWait, checkpoint, limits };
    return new StreamGroup(parts, this.outputs, this);
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
