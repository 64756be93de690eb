// A device that passes for one of another adapter, so that the kernels chosen for that are tested on
// whatever is there.

/** What the adapters that the planner distinguishes say of themselves. */
const INFOS = {
  gpu: { vendor: 'test', architecture: 'gpu' },
  llvmpipe: { vendor: 'mesa', architecture: 'software' },
} as const;

/**
 * Changes what a device says of its adapter; what it computes stays the same.
 *
 * @param subgroups whether it tells the size of its subgroups, which must be one number
 */
export function asAdapter(
  device: GPUDevice,
  kind: keyof typeof INFOS,
  subgroups = false,
): GPUDevice {
  const { subgroupMinSize, subgroupMaxSize } = device.adapterInfo;
  const sizes = subgroups ? { subgroupMinSize, subgroupMaxSize } : {};
  const value = { ...INFOS[kind], ...sizes, device: '', description: '' };
  return Object.defineProperty(device, 'adapterInfo', { value });
}
