// A device that passes for a GPU, so that the kernels chosen for GPUs are tested on a CPU adapter.

/** Changes what a device says of its adapter; what it computes stays the same. */
export function asGpu(device: GPUDevice): GPUDevice {
  const value = { vendor: 'test', architecture: 'gpu', device: '', description: '' };
  return Object.defineProperty(device, 'adapterInfo', { value });
}
