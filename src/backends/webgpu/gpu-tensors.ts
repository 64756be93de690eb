// Tensors of an app that are on the GPU already: what is checked of their buffers, and how calls copy from and to them.
import { RnnError } from '../../errors.ts';
import { isGpuTensor, type Feeds, type GpuTensor } from '../../feeds.ts';
import type { ModelResources } from '../../gpu/model-resources.ts';
import type { Bindings, Program } from '../../gpu/program.ts';
import { deviceArray } from '../../plan/device-array.ts';
import { sizeOf } from '../../tensor.ts';
import type { GpuTensors } from '../backend.ts';

/** A feed on the GPU: an input, and the buffer that is copied to it. */
export interface GpuFeed {
  readonly name: string;
  readonly buffer: GPUBuffer;
  /** 4 for each element. */
  readonly bytes: number;
}

/** The devices of the buffers that this package made for results; WebGPU does not tell. */
const owners = new WeakMap<GPUBuffer, GPUDevice>();

/** What a buffer must allow, in words of WebGPU and as its flag. */
const USAGES = { COPY_SRC: 4, COPY_DST: 8 } as const; // https://www.w3.org/TR/webgpu/#namespacedef-gpubufferusage

/**
 * Checks what can be seen of a buffer without asking its device.
 *
 * @param path of the tensor
 * @returns bytes of the tensor
 * @throws RnnError `INVALID_ARGUMENT` for what is no buffer, has another device or is mapped, or lacks the usage;
 *   `SHAPE_MISMATCH` for one that is too small
 */
function checkBuffer(
  path: string,
  { buffer, dims }: GpuTensor,
  usage: keyof typeof USAGES,
  device: GPUDevice,
): number {
  const refuse = (what: string): never => {
    throw new RnnError('INVALID_ARGUMENT', `${path}.buffer`, what);
  };
  const given = buffer as Partial<GPUBuffer> | null;
  if (typeof given?.usage !== 'number' || typeof given.size !== 'number') {
    const got = Object.prototype.toString.call(buffer).slice(8, -1);
    refuse(`got ${got}, expected a GPUBuffer`);
  }
  const owner = owners.get(buffer);
  if (owner !== undefined && owner !== device) {
    refuse('belongs to another device than the model: load both models with one `device`');
  }
  if ((buffer.usage & USAGES[usage]) === 0) refuse(`lacks the usage GPUBufferUsage.${usage}`);
  if (buffer.mapState !== 'unmapped') refuse(`is ${buffer.mapState}, expected it to be unmapped`);
  const bytes = sizeOf(dims) * 4;
  if (buffer.size < bytes) {
    const what = `bytes, got ${buffer.size}, expected ${bytes} for [${dims.join(', ')}] of 4 bytes each`;
    throw new RnnError('SHAPE_MISMATCH', `${path}.buffer`, what);
  }
  return bytes;
}

/**
 * The feeds that are on the GPU.
 *
 * @param feeds as checked against the graph
 * @throws RnnError for their buffers, with the path `feeds.NAME.buffer`
 */
export function gpuFeedsOf(feeds: Feeds, device: GPUDevice): readonly GpuFeed[] {
  return Object.entries(feeds).flatMap(([name, feed]): GpuFeed[] => {
    if (!isGpuTensor(feed)) return [];
    const bytes = checkBuffer(`feeds.${name}`, feed, 'COPY_SRC', device);
    return [{ name, buffer: feed.buffer, bytes }];
  });
}

/** @throws RnnError `DEVICE_LOST` for feeds on a GPU that is gone */
export function refuseLostFeeds(feeds: Feeds): void {
  for (const [name, feed] of Object.entries(feeds)) {
    if (!isGpuTensor(feed)) continue;
    const what =
      'was on the GPU device that has been lost; make it again on the next `model.device`';
    throw new RnnError('DEVICE_LOST', `feeds.${name}`, what);
  }
}

/** Copies feeds to the inputs and states of a program, before the commands that read them. */
export function copyFeeds(
  encoder: GPUCommandEncoder,
  program: Program,
  bindings: Bindings,
  feeds: readonly GpuFeed[],
): void {
  for (const { name, buffer, bytes } of feeds) {
    if (bytes === 0) continue;
    for (const id of program.buffersOf(name)) {
      encoder.copyBufferToBuffer(buffer, 0, bindings.resolve(id), 0, bytes);
    }
  }
}

/** Copies outputs to buffers, after the commands that make them. Those without a buffer are left. */
export function copyOutputs(
  encoder: GPUCommandEncoder,
  program: Program,
  bindings: Bindings,
  bufferOf: (name: string) => GPUBuffer | undefined,
): void {
  for (const output of program.plan.outputs) {
    const to = bufferOf(output.name);
    const bytes = sizeOf(output.dims) * 4;
    if (!to || bytes === 0) continue;
    const from =
      'host' in output
        ? program.constant(output.name, bytes, () => deviceArray(output.host, output.name))
        : bindings.resolve(output.buffer);
    encoder.copyBufferToBuffer(from, 0, to, 0, bytes);
  }
}

/** Buffers for the outputs of a program, which are the caller's. @returns as `ModelResources.allocate` */
export function allocateResults(
  resources: ModelResources,
  { plan }: Program,
): { readonly tensors: Record<string, GpuTensor>; readonly room: Promise<void> } {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const { buffers, room } = resources.allocate(
    plan.outputs.map(({ name, dims }) => {
      return { label: `output '${name}'`, size: Math.max(16, sizeOf(dims) * 4), usage };
    }),
  );
  const tensors = plan.outputs.map(({ name, type, dims }, i): [string, GpuTensor] => {
    owners.set(buffers[i]!, resources.gpu.device);
    return [name, { type, dims, buffer: buffers[i]! }];
  });
  return { tensors: Object.fromEntries(tensors), room };
}

/**
 * Checks the tensors that an app wants outputs in.
 *
 * @throws RnnError `INVALID_ARGUMENT` or `SHAPE_MISMATCH` with the path `results.NAME`
 */
export function checkResults(results: GpuTensors, { plan }: Program, device: GPUDevice): void {
  for (const [name, result] of Object.entries(results)) {
    const path = `results.${name}`;
    const { type, dims } = plan.outputs.find((output) => output.name === name)!;
    const declared = `${type} [${dims.join(', ')}]`;
    if (!isGpuTensor(result)) {
      throw new RnnError('INVALID_ARGUMENT', path, `expected a tensor on the GPU ${declared}`);
    }
    if (result.type !== type) {
      const what = `element type, got ${result.type}, expected ${declared}`;
      throw new RnnError('INVALID_ARGUMENT', path, what);
    }
    if (result.dims.join() !== dims.join()) {
      const what = `shape, got [${result.dims.join(', ')}], expected ${declared}`;
      throw new RnnError('SHAPE_MISMATCH', path, what);
    }
    checkBuffer(path, result, 'COPY_DST', device);
  }
}

/**
 * Finds out which feed made the device refuse the work, by using each of them alone.
 *
 * @returns undefined where it was none of them
 */
export async function refusedFeed(
  { gpu }: ModelResources,
  feeds: readonly GpuFeed[],
): Promise<RnnError | undefined> {
  const { device } = gpu;
  const scoped = (work: () => void): Promise<GPUError | null> => {
    device.pushErrorScope('validation');
    work();
    return device.popErrorScope();
  };
  for (const { name, buffer } of feeds) {
    const size = 4;
    const probe = device.createBuffer({ label: 'probe', size, usage: GPUBufferUsage.COPY_DST });
    let commands: GPUCommandBuffer;
    const recorded = scoped(() => {
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, 0, probe, 0, size);
      commands = encoder.finish();
    });
    const submitted = scoped(() => device.queue.submit([commands]));
    const [invalid, unusable] = await Promise.all([recorded, submitted]);
    probe.destroy();
    const why = invalid
      ? 'belongs to another device than the model, or could not be made'
      : 'has been destroyed, or is mapped';
    const error = invalid ?? unusable;
    if (error) {
      const what = `${why}: ${error.message}`;
      return new RnnError('INVALID_ARGUMENT', `feeds.${name}.buffer`, what);
    }
  }
  return undefined;
}
