// Results that stay on the GPU, on their way to a caller.
import type { GpuTensor } from '../../feeds.ts';
import { abortable } from '../abort.ts';
import type { GpuTensors } from '../backend.ts';

/** Results of work that has been submitted. */
export interface GpuResults {
  readonly tensors: Record<string, GpuTensor>;
  /** Rejects where there is no room for them, and where the device refuses the work. */
  readonly submitted: Promise<void>;
}

/** What waits for a device, see executor.ts. */
interface Waiter {
  during<T>(work: Promise<T>): Promise<T>;
}

const destroy = (tensors: GpuTensors): void =>
  Object.values(tensors).forEach(({ buffer }) => buffer.destroy());

/** The results of a call, which are the caller's then; where it is aborted or fails, nobody gets them. */
export async function resultsOf(
  executor: Waiter,
  call: Promise<GpuResults>,
  signal: AbortSignal | undefined,
): Promise<Record<string, GpuTensor>> {
  try {
    const { tensors, submitted } = await abortable(call, signal);
    await abortable(executor.during(submitted), signal);
    return tensors;
  } catch (error) {
    call.then(
      ({ tensors }) => destroy(tensors),
      () => undefined, // there are none
    );
    throw error;
  }
}
