// Tensors in buffers of a test.
import type { GpuTensor, Tensor } from '../../src/index.ts';

/** A tensor in a buffer of its own. */
export function onGpu(
  device: GPUDevice,
  { type, dims, data }: Tensor,
  usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
): GpuTensor {
  const array = data instanceof Float32Array ? data : Int32Array.from(data, Number);
  const size = Math.max(16, array.byteLength);
  const buffer = device.createBuffer({ size, usage: usage | GPUBufferUsage.COPY_DST });
  const { buffer: bytes, byteOffset, byteLength } = array;
  device.queue.writeBuffer(buffer, 0, bytes as ArrayBuffer, byteOffset, byteLength);
  return { type, dims, buffer };
}

/** The numbers of a float32 tensor on the GPU. */
export async function numbersOf(
  device: GPUDevice,
  { buffer, dims }: GpuTensor,
): Promise<Float32Array> {
  const size = dims.reduce((product, dim) => product * dim, 4);
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
  const staging = device.createBuffer({ size, usage });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const numbers = new Float32Array(staging.getMappedRange().slice(0));
  staging.destroy();
  return numbers;
}
