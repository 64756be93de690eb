// What the plans of one model have in common on a device: pipelines, weights, read-back buffers.
// Knows no model.
import { RnnError } from '../errors.ts';
import type { MakeWeight } from '../plan/types.ts';
import { MAX_LOOP_STEPS } from '../plan/types.ts';
import type { Gpu } from './device.ts';
import { within } from './deadline.ts';
import { Pipelines } from './pipelines.ts';
import { ReadbackPool } from './readback-pool.ts';

/** Spacing of dynamic offsets and parameter blocks: the largest that WebGPU may ask for. */
export const UNIFORM_ALIGNMENT = 256;

/** See the top of the file. */
export class ModelResources {
  readonly gpu: Gpu;
  readonly pipelines: Pipelines;
  readonly readback: ReadbackPool;
  readonly #weights = new Map<string, { readonly buffer: GPUBuffer; users: number }>();
  readonly #timeout: number;
  #destroyed = false;
  #iterations: GPUBindGroup | undefined;
  #iterationBuffer: GPUBuffer | undefined;

  /** @param timeout milliseconds for each wait on the device */
  constructor(gpu: Gpu, timeout: number) {
    this.gpu = gpu;
    this.#timeout = timeout;
    this.pipelines = new Pipelines(gpu.device, timeout);
    this.readback = new ReadbackPool((descriptor) => this.allocate([descriptor]));
  }

  /** Others on the same device, with the same timeout. */
  another(): ModelResources {
    return new ModelResources(this.gpu, this.#timeout);
  }

  /**
   * Something that the device is asked for.
   *
   * @param what it is, for the message of a timeout
   * @throws RnnError `DEVICE_LOST` or `TIMEOUT`
   */
  wait<T>(work: Promise<T>, what: string): Promise<T> {
    return this.gpu.guard(within(work, this.#timeout, what));
  }

  /**
   * Makes buffers outside of a plan: the state of a stream, staging buffers, results.
   *
   * @returns the buffers at once, and `room`, which rejects where there was none: with `OUT_OF_MEMORY`, and
   *   the buffers have been destroyed
   * @throws RnnError `LIMIT_EXCEEDED` for one that is larger than the device allows
   */
  allocate(descriptors: readonly GPUBufferDescriptor[]): {
    readonly buffers: readonly GPUBuffer[];
    readonly room: Promise<void>;
  } {
    const { device } = this.gpu;
    const maxBufferSize = this.gpu.limit('maxBufferSize');
    for (const { label, size } of descriptors) {
      if (size <= maxBufferSize) continue;
      const what = `needs a buffer of ${size} bytes, this device has maxBufferSize ${maxBufferSize}`;
      throw new RnnError('LIMIT_EXCEEDED', label ?? 'device', what);
    }
    device.pushErrorScope('out-of-memory');
    const buffers = descriptors.map((descriptor) => device.createBuffer(descriptor));
    const scope = this.wait(device.popErrorScope(), 'the check of new buffers');
    const room = scope.then((error) => {
      if (!error) return;
      for (const buffer of buffers) buffer.destroy();
      const bytes = descriptors.reduce((sum, { size }) => sum + size, 0);
      throw this.gpu.outOfMemory(bytes, error.message);
    });
    room.catch(() => undefined); // for those who only wait for what the buffers are for
    return { buffers, room };
  }

  /** Bytes of weights on the device. */
  get weightBytes(): number {
    return [...this.#weights.values()].reduce((sum, { buffer }) => sum + buffer.size, 0);
  }

  /** The bind group with the numbers of the iterations of a loop. */
  get iterations(): GPUBindGroup {
    if (this.#iterations) return this.#iterations;
    const { device } = this.gpu;
    const data = new Uint32Array((MAX_LOOP_STEPS * UNIFORM_ALIGNMENT) / 4);
    for (let i = 0; i < MAX_LOOP_STEPS; i++) data[(i * UNIFORM_ALIGNMENT) / 4] = i;
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    const buffer = device.createBuffer({ label: 'iterations', size: data.byteLength, usage });
    device.queue.writeBuffer(buffer, 0, data);
    this.#iterationBuffer = buffer;
    this.#iterations = device.createBindGroup({
      label: 'iterations',
      layout: this.pipelines.iterationLayout,
      entries: [{ binding: 0, resource: { buffer, size: 4 } }],
    });
    return this.#iterations;
  }

  /** The buffer of a weight, uploaded for the first program that takes it. */
  acquireWeight(key: string, size: number, make: MakeWeight): GPUBuffer {
    let weight = this.#weights.get(key);
    if (!weight) {
      weight = { buffer: createFilled(this.gpu.device, key, size, make), users: 0 };
      this.#weights.set(key, weight);
    }
    weight.users++;
    return weight.buffer;
  }

  /** Gives a weight back. With its last user it goes: each layout of a weight is one of its own. */
  releaseWeight(key: string): void {
    const weight = this.#weights.get(key);
    if (!weight || --weight.users > 0) return;
    weight.buffer.destroy();
    this.#weights.delete(key);
  }

  /** True when nothing may be made any more, because nobody would free it. */
  get destroyed(): boolean {
    return this.#destroyed;
  }

  destroy(): void {
    this.#destroyed = true;
    for (const { buffer } of this.#weights.values()) buffer.destroy();
    this.#weights.clear();
    this.readback.destroy();
    this.#iterationBuffer?.destroy();
  }
}

/** How every storage buffer is used: read from on occasion, to look inside. */
export const STORAGE = (): number =>
  GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;

/** A storage buffer with content that no call changes. */
export function createFilled(
  device: GPUDevice,
  label: string,
  size: number,
  make: MakeWeight,
): GPUBuffer {
  const data = make(); // first: it may refuse numbers, and a buffer would be left behind
  const buffer = device.createBuffer({ label, size, usage: STORAGE() });
  device.queue.writeBuffer(buffer, 0, data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  return buffer;
}
