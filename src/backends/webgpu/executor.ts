// Runs plans on a device in the order the calls were made, and reads results back. Runs and streams
// of a model resources one.
import { RnnError } from '../../errors.ts';
import type { ValueType } from '../../ops/operator.ts';
import { toTensor } from '../../ops/value.ts';
import type { DeviceProfile } from '../../plan/select/select-kernel.ts';
import type { PlanOptions } from '../../plan/lowering.ts';
import { deviceArray } from '../../plan/plan-builder.ts';
import type { Plan, PlanOutput } from '../../plan/types.ts';
import { allocate, isFloat, sizeOf } from '../../tensor.ts';
import type { Tensor } from '../../tensor.ts';
import type { Gpu, Lease } from '../../gpu/device.ts';
import type { Bindings, Program } from '../../gpu/program.ts';
import { ModelResources } from '../../gpu/model-resources.ts';
import type { Entry, Plans } from './plan-cache.ts';
import { checkSignal } from '../backend.ts';
import type { Prepared, Tensors } from '../backend.ts';
import { CallQueue } from '../call-queue.ts';

const INT32 = [-0x80000000, 0x7fffffff] as const;

/** Lanes of every subgroup, where that is one number and kernels may use subgroups; else 0. */
function subgroupSizeOf({ features, adapterInfo }: GPUDevice): number {
  const { subgroupMinSize, subgroupMaxSize } = adapterInfo;
  return features.has('subgroups') && subgroupMinSize === subgroupMaxSize
    ? (subgroupMinSize ?? 0)
    : 0;
}

function profileOf({ device, kind }: Gpu, { subgroups }: PlanOptions): DeviceProfile {
  const { limits } = device;
  return {
    maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
    maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
    maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
    maxBufferSize: limits.maxBufferSize,
    maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
    adapter: kind,
    subgroupSize: subgroups === false ? 0 : subgroupSizeOf(device),
  };
}

/** An array as a device takes it: f32 or i32. */
export type DeviceArray = Float32Array | Int32Array;

/** An input as the device takes it. @throws RnnError `LIMIT_EXCEEDED` for integers beyond 32 bits */
export function uploadArray(name: string, feed: Tensor): DeviceArray {
  const { type, data } = feed;
  if (type === 'int64' || type === 'uint64' || type === 'uint32') {
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

/** A tensor from what the device holds of it, copied out of mapped memory. */
export function fromDevice({ type, dims }: ValueType, bytes: ArrayBuffer, offset: number): Tensor {
  const count = sizeOf(dims);
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

/** See the top of the file. */
export class Executor {
  readonly resources: ModelResources;
  readonly profile: DeviceProfile;
  readonly options: PlanOptions;
  /** The plan of the latest call, for reports. */
  latest: Plan | undefined;
  readonly #lease: Lease;
  readonly #queue = new CallQueue();
  #disposed = false;

  constructor(lease: Lease, options: PlanOptions) {
    this.#lease = lease;
    this.options = options;
    this.profile = profileOf(lease.gpu, options);
    this.resources = new ModelResources(lease.gpu);
  }

  get device(): GPUDevice {
    return this.#lease.gpu.device;
  }

  /** @throws RnnError `DISPOSED` or `DEVICE_LOST` */
  check(): void {
    if (this.#disposed) throw new RnnError('DISPOSED', 'model', 'the model has been disposed of');
    this.#lease.gpu.check();
  }

  /** Runs work that only submits, after what was entered before it. */
  enter<T>(work: () => T | Promise<T>): Promise<T> {
    return this.#queue.enter(work);
  }

  /**
   * The one way of a call: checks, then in its turn uploads, with a plan that is ready.
   *
   * @param submit records and submits, without waiting
   */
  async call<T>(
    plans: Plans,
    feeds: Tensors,
    prepared: Prepared,
    outputs: readonly string[],
    signal: AbortSignal | undefined,
    submit: (entry: Entry, arrays: readonly (readonly [string, DeviceArray])[]) => T,
  ): Promise<T> {
    const entry = plans.get(prepared, outputs, feeds);
    const arrays = plans.arraysOf(feeds);
    // A caller may reuse its arrays as soon as the call returns, so what must wait is copied.
    const waits = this.#queue.busy || entry instanceof Promise;
    const owned = waits ? arrays.map(([name, data]) => [name, data.slice()] as const) : arrays;
    return this.enter(() => {
      const go = (ready: Entry): T => {
        this.check();
        checkSignal(signal);
        const result = submit(ready, owned);
        this.latest = ready.program.plan;
        void ready.improve?.();
        return result;
      };
      return entry instanceof Promise ? entry.then(go) : go(entry);
    });
  }

  /** Resolves when the best plan for such calls is in its place. */
  async warmUp(
    plans: Plans,
    feeds: Tensors,
    prepared: Prepared,
    outputs: readonly string[],
  ): Promise<void> {
    await this.guard(plans.warmUp(prepared, outputs, feeds));
    this.check();
  }

  /** Records a plan, submitting on the way where there is much of it. */
  record(program: Program, bindings: Bindings): GPUCommandEncoder {
    const { device } = this;
    let encoder = device.createCommandEncoder();
    return program.record(encoder, bindings, () => {
      device.queue.submit([encoder.finish()]);
      encoder = device.createCommandEncoder();
      return encoder;
    });
  }

  /** Submits a plan; the function it returns waits for the results. */
  execute(entry: Entry, bindings: Bindings): () => Promise<Record<string, Tensor>> {
    this.device.pushErrorScope('validation');
    const encoder = this.record(entry.program, bindings);
    const { outputs } = entry.program.plan;
    const buffers = outputs.map((output) =>
      'buffer' in output ? bindings.resolve(output.buffer) : undefined,
    );
    const read = this.readBack(encoder, outputs, buffers);
    const scope = this.device.popErrorScope();
    return async () => {
      const [error, values] = await this.guard(Promise.all([scope, read]));
      if (error) {
        const what = `the device refused the work: ${error.message}`;
        throw new RnnError('INTERNAL', 'device', what);
      }
      return Object.fromEntries(
        outputs.map((output: PlanOutput, i): [string, Tensor] => [
          output.name,
          'host' in output ? toTensor(output.host) : values[i]!,
        ]),
      );
    };
  }

  /** Copies buffers to a staging buffer, submits, and gives their tensors when they have arrived. */
  async readBack(
    encoder: GPUCommandEncoder,
    types: readonly ValueType[],
    buffers: readonly (GPUBuffer | undefined)[],
  ): Promise<(Tensor | undefined)[]> {
    let size = 0;
    const offsets = types.map(({ dims }, i) => {
      const offset = size;
      if (buffers[i]) size += Math.ceil((sizeOf(dims) * 4) / 16) * 16;
      return offset;
    });
    const staging = size > 0 ? this.resources.readback.acquire(size) : undefined;
    types.forEach(({ dims }, i) => {
      const [from, bytes] = [buffers[i], sizeOf(dims) * 4];
      if (from && bytes > 0) encoder.copyBufferToBuffer(from, 0, staging!, offsets[i]!, bytes);
    });
    this.device.queue.submit([encoder.finish()]);
    await staging?.mapAsync(GPUMapMode.READ, 0, size);
    const bytes = staging?.getMappedRange(0, size) ?? new ArrayBuffer(0);
    const tensors = types.map((type, i) => buffers[i] && fromDevice(type, bytes, offsets[i]!));
    if (staging) {
      staging.unmap();
      this.resources.readback.release(staging);
    }
    return tensors;
  }

  /** `work`, or why it can no longer succeed. */
  async guard<T>(work: Promise<T>): Promise<T> {
    try {
      return await this.#lease.gpu.guard(work);
    } catch (cause) {
      if (!this.#disposed) throw cause;
      throw new RnnError('DISPOSED', 'model', 'disposed of during the call', { cause });
    }
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.resources.destroy();
    this.#lease.release();
  }
}
