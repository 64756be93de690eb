// The webgpu backend of a Model.
import { RnnError } from '../../errors.ts';
import type { Graph } from '../../graph.ts';
import { usesOnlyRecurrence } from '../../ops/missing.ts';
import type { PlanOptions } from '../../plan/lowering.ts';
import { deviceArray } from '../../plan/device-array.ts';
import type { EvaluatorOptions } from '../../plan/specialize/infer.ts';
import { sizeOf } from '../../tensor.ts';
import type { Tensor } from '../../tensor.ts';
import type { Gpu, Lease } from '../../gpu/device.ts';
import { selectedOf } from '../../plan/types.ts';
import type { Bindings, Program } from '../../gpu/program.ts';
import { Executor } from './executor.ts';
import type { CachedPlan } from './executor.ts';
import { PlanCache } from './plan-cache.ts';
import { checkScope } from './read-back.ts';
import { abortable, checkSignal } from '../abort.ts';
import type { GpuTensor, Tensors, Usage } from '../backend.ts';
import { CallChecker, type Uploads } from '../prepare-call.ts';
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
    this.#checker = new CallChecker(graph, limits);
    this.#plans = new PlanCache(this.#executor, new Map());
    this.adapter = executor.adapter;
  }

  async run(
    feeds: Tensors,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>> {
    const { plan, uploads } = this.#begin(feeds, outputs, signal);
    const call = this.#executor.call(plan, uploads, signal, (ready, arrays) => {
      const bindings = boundTo(ready, arrays);
      return this.#executor.execute(ready.program, bindings);
    });
    const pending = await abortable(call, signal);
    return abortable(pending.read(), signal);
  }

  /** Like `run`, but the outputs stay on the GPU, each in a buffer of its own. */
  async runOnGpu(
    feeds: Tensors,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, GpuTensor>> {
    const { plan, uploads } = this.#begin(feeds, outputs, signal);
    const call = this.#executor.call(plan, uploads, signal, (ready, arrays) => {
      const bindings = boundTo(ready, arrays);
      return this.#submitOnGpu(ready.program, bindings);
    });
    try {
      const { tensors, submitted } = await abortable(call, signal);
      await abortable(this.#executor.during(submitted), signal);
      return tensors;
    } catch (error) {
      // Nobody gets the results, which there may be although the call was aborted.
      const destroy = (tensors: Record<string, GpuTensor>): void =>
        Object.values(tensors).forEach(({ buffer }) => buffer.destroy());
      call.then(
        ({ tensors }) => destroy(tensors),
        () => undefined,
      );
      throw error;
    }
  }

  /** Submits a plan and copies of its outputs. `submitted` rejects where the device refuses that. */
  #submitOnGpu(
    program: Program,
    bindings: Bindings,
  ): { tensors: Record<string, GpuTensor>; submitted: Promise<void> } {
    const { device, resources } = this.#executor;
    const { outputs } = program.plan;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const { buffers, room } = resources.allocate(
      outputs.map(({ name, dims }) => {
        const size = Math.max(16, sizeOf(dims) * 4);
        return { label: `output '${name}'`, size, usage };
      }),
    );
    device.pushErrorScope('validation');
    const encoder = this.#executor.record(program, bindings);
    outputs.forEach((output, i) => {
      const [buffer, bytes] = [buffers[i]!, sizeOf(output.dims) * 4];
      if (bytes === 0) return;
      if ('host' in output) {
        const data = deviceArray(output.host, output.name);
        device.queue.writeBuffer(buffer, 0, data.buffer as ArrayBuffer, data.byteOffset, bytes);
      } else {
        encoder.copyBufferToBuffer(bindings.resolve(output.buffer), 0, buffer, 0, bytes);
      }
    });
    device.queue.submit([encoder.finish()]);
    const scope = resources.wait(device.popErrorScope(), 'the check of the work');
    const tensors = outputs.map(({ name, type, dims }, i): [string, GpuTensor] => [
      name,
      { type, dims, buffer: buffers[i]! },
    ]);
    const submitted = room.then(async () => checkScope(await scope));
    // The call may be aborted before it waits for them, and there may be no room.
    for (const each of [scope, submitted]) each.catch(() => undefined);
    return { tensors: Object.fromEntries(tensors), submitted };
  }

  /** Checks a call, and finds its plan or begins to make it. */
  #begin(feeds: Tensors, outputs: readonly string[], signal: AbortSignal | undefined) {
    this.#executor.check();
    checkSignal(signal);
    const call = this.#checker.check(feeds);
    const uploads = this.#checker.uploadsOf(feeds);
    return { plan: this.#plans.get(call, outputs, uploads), uploads };
  }

  async warmUp(feeds: Tensors, outputs: readonly string[], signal?: AbortSignal): Promise<void> {
    this.#executor.check();
    checkSignal(signal);
    const call = this.#checker.check(feeds);
    const warm = this.#plans.warmUp(call, outputs, this.#checker.uploadsOf(feeds));
    await abortable(this.#executor.during(warm), signal);
    this.#executor.check();
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
