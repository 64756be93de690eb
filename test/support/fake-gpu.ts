// A WebGPU whose answers a test decides on.
import { environment } from '../../src/environment.ts';
import { getAdapter } from '../setup/gpu.ts';

/** A promise that is never settled: a platform that hangs. */
export const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

/** A `GPU` with some methods replaced. The adapters are real where nothing else is said. */
export function fakeGpu(methods: Partial<Record<'requestAdapter', unknown>> = {}): GPU {
  return { requestAdapter: () => getAdapter(), ...methods } as unknown as GPU;
}

/** Runs work with a `GPU` in the place of the one of this environment. */
export async function withGpu<T>(gpu: GPU | undefined, work: () => Promise<T>): Promise<T> {
  const before = environment.gpu;
  environment.gpu = () => Promise.resolve(gpu);
  try {
    return await work();
  } finally {
    environment.gpu = before;
  }
}

/** Counts the live buffers of a device. */
export function countBuffers(device: GPUDevice): () => number {
  const live = new Set<GPUBuffer>();
  const create = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    const buffer = create(descriptor);
    live.add(buffer);
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      live.delete(buffer);
      return destroy();
    };
    return buffer;
  };
  return () => live.size;
}

/** Waits until something holds, at most for ten seconds. */
export async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !holds(); i++) await new Promise((go) => setTimeout(go, 10));
  if (!holds()) throw new Error('what was waited for has not come about in 10 s');
}
