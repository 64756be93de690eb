// The webgpu backend of a Model: plans by shape, calls in order, results read back.
import { RnnError } from './errors.ts';
import type { Graph } from './graph.ts';
import { makePlan } from './plan/index.ts';
import type { DeviceProfile } from './plan/choose.ts';
import type { PlanOptions } from './plan/lowering.ts';
import { deviceArray } from './plan/plan-builder.ts';
import type { PlanOutput } from './plan/types.ts';
import type { ValueType } from './ops/operator.ts';
import { toTensor } from './ops/value.ts';
import { checkSignal, Preparer } from './session.ts';
import type { GpuTensor, Prepared, Session, StreamSession, Tensors } from './session.ts';
import type { StreamedGraph } from './streaming.ts';
import { allocate, isFloat, sizeOf } from './tensor.ts';
import type { Tensor } from './tensor.ts';
import { Turns } from './turns.ts';
import type { Gpu, Lease } from './webgpu/device.ts';
import { DeviceShare, Runner } from './webgpu/runner.ts';
import type { Bound } from './webgpu/runner.ts';
import { WebGpuStream } from './webgpu-stream.ts';

/** Plans kept for a graph. Each shape costs its scratch memory; the least recent goes first. */
const MAX_PLANS = 16;

const INT32 = [-0x80000000, 0x7fffffff] as const;

/** What of a device decides between kernels. */
export function profileOf({ device, software }: Gpu): DeviceProfile {
  const { limits } = device;
  return {
    maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
    maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
    maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
    maxBufferSize: limits.maxBufferSize,
    maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
    software,
  };
}

/** An input as the device takes it. @throws RnnError `LIMIT_EXCEEDED` for integers beyond 32 bits */
export function uploadArray(name: string, feed: Tensor): Float32Array | Int32Array {
  const { data } = feed;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array || data instanceof Uint32Array) {
    for (let i = 0; i < data.length; i++) {
      const value = Number(data[i]);
      if (value < INT32[0] || value > INT32[1]) {
        const what = `got ${data[i]}, and integers on the GPU have 32 bits`;
        throw new RnnError('LIMIT_EXCEEDED', `feeds.${name}[${i}]`, what);
      }
    }
  }
  return deviceArray(feed);
}

/** A tensor from what the device holds of it. */
export function fromDevice({ type, dims }: ValueType, bytes: ArrayBuffer, offset: number): Tensor {
  const count = sizeOf(dims);
  if (type === 'float32' || type === 'float16') {
    return { type, dims, data: new Float32Array(bytes.slice(offset, offset + count * 4)) };
  }
  const source = isFloat(type)
    ? new Float32Array(bytes, offset, count)
    : new Int32Array(bytes, offset, count);
  const data = allocate(type, count);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (let i = 0; i < count; i++) data[i] = BigInt(source[i]!);
  } else {
    (data as Float64Array).set(source);
  }
  return { type, dims, data };
}

/** A plan on the device with the outputs it gives. */
export interface Entry {
  readonly runner: Runner;
  /** Bind groups for calls without state. */
  readonly bound: Bound | undefined;
}

/** The plans of one graph. */
export class Plans {
  readonly preparer: Preparer;
  readonly #session: WebGpuSession;
  readonly #graph: Graph;
  readonly #feedback: ReadonlyMap<string, string>;
  readonly #entries = new Map<string, Entry | Promise<Entry>>();

  constructor(session: WebGpuSession, graph: Graph, feedback: ReadonlyMap<string, string>) {
    this.#session = session;
    this.#graph = graph;
    this.#feedback = feedback;
    this.preparer = new Preparer(graph);
  }

  /** The plan for a call: at once when it has been made before. */
  get(prepared: Prepared, outputs: readonly string[]): Entry | Promise<Entry> {
    const key = `${prepared.key}→${outputs.join(';')}`;
    const found = this.#entries.get(key);
    if (found) {
      this.#entries.delete(key); // most recent last
      this.#entries.set(key, found);
      return found;
    }
    const made = this.#make(prepared, outputs);
    this.#entries.set(key, made);
    made.then(
      (entry) => this.#entries.has(key) && this.#entries.set(key, entry),
      () => this.#entries.delete(key),
    );
    for (const [old, entry] of this.#entries) {
      if (this.#entries.size <= MAX_PLANS) break;
      this.#entries.delete(old);
      void Promise.resolve(entry).then(({ runner }) => runner.destroy(), () => undefined);
    }
    return made;
  }

  async #make({ dims, host }: Prepared, outputs: readonly string[]): Promise<Entry> {
    const { share, profile, options } = this.#session;
    const feedback = this.#feedback;
    const plan = makePlan(this.#graph, { dims, host, outputs, feedback, device: profile, options });
    const runner = await Runner.create(share, plan);
    return { runner, bound: feedback.size === 0 ? runner.bind(new Map()) : undefined };
  }

  destroy(): void {
    for (const entry of this.#entries.values()) {
      void Promise.resolve(entry).then(({ runner }) => runner.destroy(), () => undefined);
    }
    this.#entries.clear();
  }
}

/** A graph on a GPU. */
export class WebGpuSession implements Session {
  readonly backend = 'webgpu';
  readonly adapter: string;
  readonly share: DeviceShare;
  readonly profile: DeviceProfile;
  readonly options: PlanOptions;
  readonly turns = new Turns();
  readonly #graph: Graph;
  readonly #lease: Lease;
  readonly #plans: Plans;
  readonly #streamPlans = new Set<Plans>();
  #disposed = false;

  constructor(graph: Graph, lease: Lease, options: PlanOptions) {
    this.#graph = graph;
    this.#lease = lease;
    this.options = options;
    this.profile = profileOf(lease.gpu);
    this.share = new DeviceShare(lease.gpu);
    this.#plans = new Plans(this, graph, new Map());
    const { vendor, architecture, device, description } = lease.gpu.device.adapterInfo;
    this.adapter = [vendor, architecture, device, description].filter(Boolean).join(' ') || 'unnamed GPU';
  }

  get gpu(): Gpu {
    return this.#lease.gpu;
  }

  /** @throws RnnError `DISPOSED` or `DEVICE_LOST` */
  check(): void {
    if (this.#disposed) throw new RnnError('DISPOSED', 'model', 'the model has been disposed of');
    this.gpu.check();
  }

  async run(feeds: Tensors, outputs: readonly string[], signal?: AbortSignal): Promise<Record<string, Tensor>> {
    const submitted = await this.#submitRun(feeds, outputs, signal, (entry) =>
      this.execute(entry, entry.bound!, signal),
    );
    return abortable(submitted(), signal);
  }

  /** Like `run`, but the outputs stay on the GPU, each in a buffer of its own. */
  async runOnGpu(feeds: Tensors, outputs: readonly string[], signal?: AbortSignal): Promise<Record<string, GpuTensor>> {
    return this.#submitRun(feeds, outputs, signal, (entry) => {
      const { device } = this.gpu;
      const encoder = this.#record(entry, entry.bound!);
      const results = entry.runner.plan.outputs.map((output): [string, GpuTensor] => {
        const { name, type, dims } = output;
        const size = Math.max(16, sizeOf(dims) * 4);
        const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
        const buffer = device.createBuffer({ label: name, size, usage });
        if ('host' in output) {
          const data = deviceArray(output.host);
          device.queue.writeBuffer(buffer, 0, data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
        } else if (sizeOf(dims) > 0) {
          encoder.copyBufferToBuffer(entry.bound!.resolve(output.buffer), 0, buffer, 0, sizeOf(dims) * 4);
        }
        return [name, { type, dims, buffer }];
      });
      device.queue.submit([encoder.finish()]);
      return Object.fromEntries(results);
    });
  }

  async #submitRun<T>(
    feeds: Tensors,
    outputs: readonly string[],
    signal: AbortSignal | undefined,
    submit: (entry: Entry) => T,
  ): Promise<T> {
    this.check();
    checkSignal(signal);
    const prepared = this.#plans.preparer.prepare(feeds);
    const entry = this.#plans.get(prepared, outputs);
    const arrays = this.arraysOf(feeds, this.#graph, this.#plans.preparer);
    // A caller may reuse its arrays as soon as the call returns, so what must wait is copied.
    const waits = this.turns.busy || entry instanceof Promise;
    const owned = waits ? arrays.map(([name, data]) => [name, data.slice()] as const) : arrays;
    return this.turns.enter(() => {
      const go = (ready: Entry): T => {
        this.check();
        checkSignal(signal);
        for (const [name, data] of owned) ready.runner.upload(name, data);
        return submit(ready);
      };
      return entry instanceof Promise ? entry.then(go) : go(entry);
    });
  }

  /** The feeds that are uploaded, as the device takes them. */
  arraysOf(feeds: Tensors, graph: Graph, preparer: Preparer): (readonly [string, Float32Array | Int32Array])[] {
    return graph.inputs
      .filter(({ name }) => feeds[name] !== undefined && !preparer.isHost(name))
      .map(({ name }) => [name, uploadArray(name, feeds[name]!)] as const);
  }

  #record(entry: Entry, bound: Bound): GPUCommandEncoder {
    const { device } = this.gpu;
    let encoder = device.createCommandEncoder();
    const split = (): GPUCommandEncoder => {
      device.queue.submit([encoder.finish()]);
      encoder = device.createCommandEncoder();
      return encoder;
    };
    return entry.runner.record(encoder, bound, split);
  }

  /** Submits a plan; the function it returns waits for the results. */
  execute(entry: Entry, bound: Bound, signal?: AbortSignal): () => Promise<Record<string, Tensor>> {
    const { device } = this.gpu;
    const { plan } = entry.runner;
    device.pushErrorScope('validation');
    const encoder = this.#record(entry, bound);
    const offsets = new Map<PlanOutput, number>();
    let size = 0;
    for (const output of plan.outputs) {
      if (!('buffer' in output)) continue;
      offsets.set(output, size);
      size += Math.ceil((sizeOf(output.dims) * 4) / 16) * 16;
    }
    const staging = size > 0 ? this.share.staging.take(size) : undefined;
    for (const [output, offset] of offsets) {
      const bytes = sizeOf(output.dims) * 4;
      if (!('buffer' in output) || bytes === 0) continue;
      encoder.copyBufferToBuffer(bound.resolve(output.buffer), 0, staging!, offset, bytes);
    }
    device.queue.submit([encoder.finish()]);
    const mapped = staging?.mapAsync(GPUMapMode.READ, 0, size);
    mapped?.catch(() => undefined);
    const scope = device.popErrorScope();
    scope.catch(() => undefined);
    return async () => {
      const [error] = await this.#guard(Promise.all([scope, mapped]));
      if (error) {
        staging?.destroy();
        throw new RnnError('DEVICE_LOST', 'device', `the device refused the work: ${error.message}`);
      }
      const bytes = staging ? staging.getMappedRange(0, size) : new ArrayBuffer(0);
      const results = plan.outputs.map((output): [string, Tensor] => [
        output.name,
        'host' in output
          ? toTensor(output.host)
          : fromDevice(output, bytes, offsets.get(output)!),
      ]);
      if (staging) {
        staging.unmap();
        this.share.staging.give(staging);
      }
      checkSignal(signal);
      return Object.fromEntries(results);
    };
  }

  async #guard<T>(work: Promise<T>): Promise<T> {
    try {
      return await this.gpu.guard(work);
    } catch (error) {
      if (this.#disposed) throw new RnnError('DISPOSED', 'model', 'disposed of during the call', { cause: error });
      throw error;
    }
  }

  stream(streamed: StreamedGraph, batch: number): StreamSession {
    const feedback = new Map(streamed.slots.map(({ input, output }) => [input, output]));
    const plans = new Plans(this, streamed.graph, feedback);
    this.#streamPlans.add(plans);
    return new WebGpuStream(this, plans, streamed, batch);
  }

  /** Compiled shaders and bytes of weights, for reports and tests. */
  get usage(): { readonly pipelines: number; readonly weightBytes: number } {
    return { pipelines: this.share.pipelines.size, weightBytes: this.share.weightBytes };
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#plans.destroy();
    for (const plans of this.#streamPlans) plans.destroy();
    this.share.destroy();
    this.#lease.release();
  }
}

/** `work`, or the reason of the signal as soon as it is aborted. The work goes on unobserved. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  checkSignal(signal);
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    work.catch(() => undefined);
    signal.removeEventListener('abort', stop!);
  }
}
