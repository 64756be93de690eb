// The webgpu backend of a Model.
import { RnnError } from '../../errors.ts';
import type { Graph } from '../../graph.ts';
import { usesOnlyRecurrence } from '../../ops/missing.ts';
import type { PlanOptions } from '../../plan/lowering.ts';
import type { EvaluatorOptions } from '../../plan/specialize/infer.ts';
import type { Tensor } from '../../tensor.ts';
import type { Gpu, Lease } from '../../gpu/device.ts';
import { selectedOf } from '../../plan/types.ts';
import type { Bindings, Program } from '../../gpu/program.ts';
import { Executor } from './executor.ts';
import type { CachedPlan, CallWork } from './executor.ts';
import { resultsOf } from './gpu-results.ts';
import { checkResults, gpuFeedsOf } from './gpu-tensors.ts';
import { PlanCache } from './plan-cache.ts';
import { abortable, checkSignal } from '../abort.ts';
import type { Feeds, GpuTensor, GpuTensors, Usage } from '../backend.ts';
import { CallChecker, type CheckedCall, type Uploads } from '../prepare-call.ts';
import type { ShapeRange } from '../warm-up-range.ts';
import type { StreamedGraph } from '../stateful-graph.ts';
import type { StreamFeeds } from '../stream-feeds.ts';
import type { StreamParts, WebGpuStream } from './stream.ts';

export { leaseDevice } from '../../gpu/device.ts';

/** The bindings of a plan without state, with the inputs uploaded. */
function boundTo({ program, bindings }: CachedPlan, uploads: Uploads): Bindings {
  for (const [name, data] of uploads) program.upload(name, data);
  return bindings!;
}

/** Milliseconds for each wait on the device, where nothing else is said. */
export const DEFAULT_TIMEOUT = 120_000;

/** What a session is told besides how to plan. */
export interface SessionOptions {
  readonly limits?: EvaluatorOptions | undefined;
  /** Milliseconds for each wait on the device. */
  readonly timeout?: number | undefined;
}

/** A graph on one GPU device, for as long as that lives. See {@link RecoveringSession}. */
export class WebGpuSession {
  readonly adapter: string;
  readonly #executor: Executor;
  readonly #checker: CallChecker;
  readonly #plans: PlanCache;
  /** Streams that have not been disposed of. */
  readonly #streams = new Set<WebGpuStream>();

  /**
   * The session takes over the lease.
   *
   * @throws RnnError `UNSUPPORTED_FEATURE` for arithmetic that the device does not have
   */
  static async create(
    graph: Graph,
    options: PlanOptions,
    lease: Lease,
    { limits = {}, timeout = DEFAULT_TIMEOUT }: SessionOptions = {},
  ): Promise<WebGpuSession> {
    if (options.arithmetic === 'f16' && !lease.gpu.device.features.has('shader-f16')) {
      const what = `'f16' needs the feature shader-f16, which this device was made without`;
      throw new RnnError('UNSUPPORTED_FEATURE', 'options.arithmetic', what);
    }
    if (!usesOnlyRecurrence(graph)) (await import('../../kernels.ts')).registerKernels();
    return new WebGpuSession(graph, new Executor(lease, options, timeout), limits);
  }

  private constructor(graph: Graph, executor: Executor, limits: EvaluatorOptions) {
    this.#executor = executor;
    this.#checker = new CallChecker(graph, limits, true);
    this.#plans = new PlanCache(this.#executor, new Map());
    this.adapter = executor.adapter;
  }

  async run(
    feeds: Feeds,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>> {
    const call = this.#call(feeds, outputs, signal, (program, bindings, work) =>
      this.#executor.execute(program, bindings, work),
    );
    const pending = await abortable(call, signal);
    return abortable(pending.read(), signal);
  }

  /** Like `run`, but the outputs stay on the GPU, each in a buffer of its own. */
  async runOnGpu(
    feeds: Feeds,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, GpuTensor>> {
    const call = this.#call(feeds, outputs, signal, (program, bindings, work) =>
      this.#executor.executeOnGpu(program, bindings, work),
    );
    return resultsOf(this.#executor, call, signal);
  }

  /** Checks a call and submits it in its turn. */
  async #call<T>(
    feeds: Feeds,
    outputs: readonly string[],
    signal: AbortSignal | undefined,
    submit: (program: Program, bindings: Bindings, work: CallWork) => T,
  ): Promise<T> {
    const { call, uploads, onGpu } = this.#begin(feeds, signal);
    const plan = this.#plans.get(call, outputs, uploads);
    return this.#executor.call(plan, uploads, signal, (ready, arrays) =>
      submit(ready.program, boundTo(ready, arrays), { feeds: onGpu }),
    );
  }

  /** Checks a call. */
  #begin(feeds: Feeds, signal: AbortSignal | undefined) {
    this.#executor.check();
    checkSignal(signal);
    const call = this.#checker.check(feeds);
    const onGpu = gpuFeedsOf(feeds, this.device);
    return { call, uploads: this.#checker.uploadsOf(feeds), onGpu };
  }

  async warmUp(feeds: Feeds, outputs: readonly string[], signal?: AbortSignal): Promise<void> {
    const { call, uploads } = this.#begin(feeds, signal);
    const warm = this.#plans.warmUp(call, outputs, uploads);
    await abortable(this.#executor.during(warm), signal);
    this.#executor.check();
  }

  /** Makes ready what runs of such shapes need. */
  async warmUpRange(
    range: ShapeRange,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<void> {
    this.#executor.check();
    checkSignal(signal);
    const callAt = (length: number, batch: number): CheckedCall =>
      this.#checker.callAt(range.dimsAt(length, batch));
    const warm = this.#plans.warmUpRange({ range, outputs, signal, callAt });
    await abortable(this.#executor.during(warm), signal);
    this.#executor.check();
  }

  /**
   * Records a run into commands of the app.
   *
   * @param outputs all that the model has, in its order
   * @throws RnnError for feeds on the CPU, and where the plan for these shapes is not ready
   */
  encode(
    encoder: GPUCommandEncoder,
    feeds: Feeds,
    results: GpuTensors,
    outputs: readonly string[],
  ): void {
    const { call, uploads, onGpu } = this.#begin(feeds, undefined);
    for (const [name] of uploads) {
      const what =
        'got numbers, expected a tensor on the GPU: nothing is uploaded inside of a frame';
      throw new RnnError('INVALID_ARGUMENT', `feeds.${name}`, what);
    }
    const wanted = outputs.filter((name) => results[name] !== undefined);
    const plan = this.#plans.ready(call, wanted) ?? this.#plans.ready(call, outputs);
    if (!plan) {
      const what = `nothing is compiled for these shapes yet: \`await model.warmUp(feeds)\` before the first frame`;
      throw new RnnError('INVALID_ARGUMENT', 'model.encode', what);
    }
    checkResults(results, plan.program, this.device);
    const bufferOf = (name: string): GPUBuffer | undefined => results[name]?.buffer;
    this.#executor.encode(encoder, plan.program, plan.bindings!, onGpu, bufferOf);
  }

  get device(): GPUDevice {
    return this.#executor.device;
  }

  /** What streams of a graph have in common on this device. */
  streamParts({ slots }: StreamedGraph, feeds: StreamFeeds): StreamParts {
    const feedback = new Map(slots.map(({ input, output }) => [input, output]));
    const plans = new PlanCache(this.#executor, feedback);
    return { executor: this.#executor, plans, feeds, streams: this.#streams };
  }

  /** The device, which others may share. */
  get gpu(): Gpu {
    return this.#executor.gpu;
  }

  /** For reports and tests. */
  get usage(): Usage {
    const { resources, latest } = this.#executor;
    const { pipelines, weightBytes } = resources;
    const kernels = latest ? selectedOf(latest) : {};
    return { pipelines: pipelines.size, weightBytes, kernels };
  }

  dispose(): void {
    this.#free();
    this.#executor.dispose();
  }

  /** Frees everything on a device that is lost. Calls under way reject with `DEVICE_LOST`. */
  abandon(): void {
    this.#free();
    this.#executor.abandon();
  }

  #free(): void {
    this.#plans.destroy();
    for (const stream of this.#streams) stream.free();
  }
}
