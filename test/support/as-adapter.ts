// A device that passes for one of another adapter, so that the kernels chosen for that are tested on
// whatever is there.

/** What the adapters that are told apart say of themselves. */
const INFOS = {
  gpu: { vendor: 'test', architecture: 'gpu' },
  llvmpipe: { vendor: 'mesa', architecture: 'software' },
} as const;

/** Changes what a device says of its adapter; what it computes stays the same. */
export function asAdapter(device: GPUDevice, kind: keyof typeof INFOS): GPUDevice {
  const value = { ...INFOS[kind], device: '', description: '' };
  return Object.defineProperty(device, 'adapterInfo', { value });
}
