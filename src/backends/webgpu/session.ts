// The webgpu backend of a Model.
import { RnnError } from '../../errors.ts';
import type { Graph } from '../../graph.ts';
import { usesOnlyRecurrence } from '../../ops/missing.ts';
import type { RecurrentKernel } from '../../plan/select/select-kernel.ts';
import type { PlanOptions } from '../../plan/lowering.ts';
import { deviceArray } from '../../plan/plan-builder.ts';
import { sizeOf } from '../../tensor.ts';
import type { Tensor } from '../../tensor.ts';
import type { Lease } from '../../gpu/device.ts';
import { dispatchesOf } from '../../plan/types.ts';
import type { Bindings } from '../../gpu/program.ts';
import { Executor } from './executor.ts';
import type { DeviceArray } from './executor.ts';
import { Plans } from './plan-cache.ts';
import type { Entry } from './plan-cache.ts';
import { abortable, checkSignal } from '../backend.ts';
import type { GpuTensor, Session, StreamSession, Tensors, Usage } from '../backend.ts';
import type { StreamedGraph } from '../stateful-graph.ts';
import { WebGpuStream } from './stream.ts';

export { leaseDevice } from '../../gpu/device.ts';

/** A graph on a GPU. */
export class WebGpuSession implements Session {
  readonly backend = 'webgpu';
  readonly adapter: string;
  readonly #executor: Executor;
  readonly #plans: Plans;
  readonly #streamPlans: Plans[] = [];

  /**
   * The session takes over the lease.
   *
   * @throws RnnError `UNSUPPORTED_FEATURE` for arithmetic that the device does not have
   */
  static async create(graph: Graph, options: PlanOptions, lease: Lease): Promise<WebGpuSession> {
    if (options.arithmetic === 'f16' && !lease.gpu.device.features.has('shader-f16')) {
      const what = `'f16' needs the feature shader-f16, which this device was made without`;
      throw new RnnError('UNSUPPORTED_FEATURE', 'options.arithmetic', what);
    }
    if (!usesOnlyRecurrence(graph)) (await import('../../kernels.ts')).registerKernels();
    return new WebGpuSession(graph, lease, options);
  }

  private constructor(graph: Graph, lease: Lease, options: PlanOptions) {
    this.#executor = new Executor(lease, options);
    this.#plans = new Plans(this.#executor, graph, new Map());
    const { vendor, architecture, device, description } = lease.gpu.device.adapterInfo;
    const words = [vendor, architecture, device, description].filter(Boolean).join(' ');
    this.adapter = words || 'unnamed GPU';
  }

  async run(
    feeds: Tensors,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>> {
    const submitted = this.#call(feeds, outputs, signal, (entry, bindings) =>
      this.#executor.execute(entry, bindings),
    );
    return abortable(
      submitted.then((read) => read()),
      signal,
    );
  }

  /** Like `run`, but the outputs stay on the GPU, each in a buffer of its own. */
  runOnGpu(
    feeds: Tensors,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, GpuTensor>> {
    return this.#call(feeds, outputs, signal, (entry, bindings) => {
      const { device } = this.#executor;
      const encoder = this.#executor.record(entry.program, bindings);
      const results = entry.program.plan.outputs.map((output): [string, GpuTensor] => {
        const { name, type, dims } = output;
        const bytes = sizeOf(dims) * 4;
        const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
        const buffer = device.createBuffer({ label: name, size: Math.max(16, bytes), usage });
        if ('host' in output) {
          const data = deviceArray(output.host);
          device.queue.writeBuffer(buffer, 0, data.buffer as ArrayBuffer, data.byteOffset, bytes);
        } else if (bytes > 0) {
          encoder.copyBufferToBuffer(bindings.resolve(output.buffer), 0, buffer, 0, bytes);
        }
        return [name, { type, dims, buffer }];
      });
      device.queue.submit([encoder.finish()]);
      return Object.fromEntries(results);
    });
  }

  async #call<T>(
    feeds: Tensors,
    outputs: readonly string[],
    signal: AbortSignal | undefined,
    submit: (entry: Entry, bindings: Bindings) => T,
  ): Promise<T> {
    this.#executor.check();
    checkSignal(signal);
    const plans = this.#plans;
    const prepared = plans.preparer.prepare(feeds);
    const go = (entry: Entry, arrays: readonly (readonly [string, DeviceArray])[]): T => {
      for (const [name, data] of arrays) entry.program.upload(name, data);
      return submit(entry, entry.bindings!);
    };
    return this.#executor.call(plans, feeds, prepared, outputs, signal, go);
  }

  async warmUp(feeds: Tensors, outputs: readonly string[], signal?: AbortSignal): Promise<void> {
    this.#executor.check();
    checkSignal(signal);
    const prepared = this.#plans.preparer.prepare(feeds);
    await abortable(this.#executor.warmUp(this.#plans, feeds, prepared, outputs), signal);
  }

  stream(streamed: StreamedGraph, batch: number): StreamSession {
    const feedback = new Map(streamed.slots.map(({ input, output }) => [input, output]));
    const plans = new Plans(this.#executor, streamed.graph, feedback);
    this.#streamPlans.push(plans);
    return new WebGpuStream(this.#executor, plans, streamed, batch);
  }

  /** For reports and tests. */
  get usage(): Usage {
    const { resources, latest } = this.#executor;
    const { pipelines, weightBytes } = resources;
    const kernels: Record<string, RecurrentKernel> = {};
    for (const { label, kernel } of latest ? dispatchesOf(latest) : []) {
      const [, name] = /^recurrent-(step|persistent)/.exec(kernel.name) ?? [];
      if (name) kernels[label] = name as RecurrentKernel;
    }
    return { pipelines: pipelines.size, weightBytes, kernels };
  }

  dispose(): void {
    for (const plans of [this.#plans, ...this.#streamPlans]) plans.destroy();
    this.#executor.dispose();
  }
}
