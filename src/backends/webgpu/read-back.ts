// Results on their way from a device.
import { RnnError } from '../../errors.ts';
import { completionOf } from '../../gpu/completion.ts';
import type { ModelResources } from '../../gpu/model-resources.ts';
import type { Staging } from '../../gpu/readback-pool.ts';
import type { ValueType } from '../../ops/operator.ts';
import { fromDevice } from '../../plan/device-array.ts';
import { sizeOf } from '../../tensor.ts';
import type { Tensor } from '../../tensor.ts';

/** A value that is read back: what it is, and the buffer that holds it. */
export interface ReadBack extends ValueType {
  readonly name: string;
  readonly buffer: GPUBuffer;
}

/** Tensors that have been asked for, with work that has been submitted. */
export class PendingRead {
  readonly #values: Promise<Record<string, Tensor>>;

  /** @param guard adds to the wait what may end it early */
  constructor(values: Promise<Record<string, Tensor>>, guard: <T>(work: Promise<T>) => Promise<T>) {
    this.#values = guard(values);
    this.#values.catch(() => undefined); // `read` rejects; nobody may call it
  }

  /** The tensors by name, when they have arrived. */
  read(): Promise<Record<string, Tensor>> {
    return this.#values;
  }
}

/**
 * Copies values to a staging buffer and submits.
 *
 * @param encoder takes the copies after the commands that it has
 * @returns the tensors of the values, in their order, when they have arrived
 * @throws RnnError `LIMIT_EXCEEDED` where no buffer can hold them; nothing has been submitted then
 */
export function submitAndRead(
  resources: ModelResources,
  encoder: GPUCommandEncoder,
  values: readonly ReadBack[],
): Promise<Tensor[]> {
  const { readback } = resources;
  const { device } = resources.gpu;
  let size = 0;
  const offsets = values.map(({ dims }) => {
    const offset = size;
    size += Math.ceil((sizeOf(dims) * 4) / 16) * 16;
    return offset;
  });
  const staging = size > 0 ? readback.acquire(size) : undefined;
  values.forEach(({ dims, buffer }, i) => {
    const bytes = sizeOf(dims) * 4;
    if (bytes > 0) encoder.copyBufferToBuffer(buffer, 0, staging!.buffer, offsets[i]!, bytes);
  });
  device.queue.submit([encoder.finish()]);
  const tensorsFrom = (bytes: ArrayBuffer): Tensor[] =>
    values.map((value, i) => fromDevice(value, bytes, offsets[i]!));
  return staging
    ? arrivals(resources, staging, size, tensorsFrom)
    : Promise.resolve(tensorsFrom(new ArrayBuffer(0)));
}

/** What is in a staging buffer, when the work before has been done. */
export async function arrivals<T>(
  resources: ModelResources,
  staging: Staging,
  size: number,
  take: (bytes: ArrayBuffer) => T,
): Promise<T> {
  const { readback } = resources;
  const mapping = mapped(resources, staging.buffer, size);
  mapping.catch(() => undefined); // that there is no room explains it
  try {
    await staging.room;
    await mapping;
    const taken = take(staging.buffer.getMappedRange(0, size));
    staging.buffer.unmap();
    readback.release(staging);
    return taken;
  } catch (error) {
    readback.discard(staging); // who knows when it could be used again
    throw error;
  }
}

async function mapped(resources: ModelResources, staging: GPUBuffer, size: number): Promise<void> {
  const { queue } = resources.gpu.device;
  const work = completionOf(queue, staging.mapAsync(GPUMapMode.READ, 0, size));
  try {
    await resources.wait(work, 'the work that was submitted');
  } catch (cause) {
    // Lost, too late, or the model is gone.
    if (cause instanceof RnnError || (cause as Error | null)?.name === 'AbortError') throw cause;
    const what = `the work is done, but its results could not be read: ${String(cause)}`;
    throw new RnnError('INTERNAL', 'device', what, { cause });
  }
}

/** The error of work that the device found invalid. */
export const refusedWork = ({ message }: GPUError): RnnError =>
  new RnnError('INTERNAL', 'device', `the device refused the work: ${message}`);
