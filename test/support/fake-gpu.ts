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

/**
 * Has a device run out of memory for some buffers, as WebGPU says it: the buffer is invalid, and the
 * innermost scope for memory gets the error.
 *
 * @returns how many allocations have failed
 */
export function runOutOfMemory(
  device: GPUDevice,
  fails: (descriptor: GPUBufferDescriptor) => boolean,
): () => number {
  const scopes: { filter: GPUErrorFilter; failed: boolean }[] = [];
  let count = 0;
  const push = device.pushErrorScope.bind(device);
  const pop = device.popErrorScope.bind(device);
  const create = device.createBuffer.bind(device);
  device.pushErrorScope = (filter) => {
    scopes.push({ filter, failed: false });
    return push(filter);
  };
  device.popErrorScope = async () => {
    const scope = scopes.pop();
    const error = await pop();
    return scope?.failed ? ({ message: 'no memory today' } as GPUError) : error;
  };
  device.createBuffer = (descriptor) => {
    if (!fails(descriptor)) return create(descriptor);
    count++;
    const scope = scopes.findLast(({ filter }) => filter === 'out-of-memory');
    if (!scope) throw new Error(`'${descriptor.label}' is made outside of a scope for memory`);
    scope.failed = true;
    push('validation');
    const dead = create({ ...descriptor, usage: 0 });
    void pop();
    return dead;
  };
  return () => count;
}
