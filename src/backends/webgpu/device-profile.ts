// What of a device decides between kernels.
import type { Gpu } from '../../gpu/device.ts';
import type { PlanOptions } from '../../plan/lowering.ts';
import type { DeviceProfile } from '../../plan/select/device-profile.ts';

/** Invocations of every subgroup, where that is one number and kernels may use subgroups; else 0. */
function subgroupSizeOf({ device, info }: Gpu): number {
  const { subgroupMinSize, subgroupMaxSize } = info;
  return device.features.has('subgroups') && subgroupMinSize === subgroupMaxSize
    ? (subgroupMinSize ?? 0)
    : 0;
}

/** The profile that plans for a device are made with. */
export function profileOf(gpu: Gpu, { subgroups }: PlanOptions): DeviceProfile {
  return {
    maxComputeInvocationsPerWorkgroup: gpu.limit('maxComputeInvocationsPerWorkgroup'),
    maxComputeWorkgroupStorageSize: gpu.limit('maxComputeWorkgroupStorageSize'),
    maxStorageBufferBindingSize: gpu.limit('maxStorageBufferBindingSize'),
    maxBufferSize: gpu.limit('maxBufferSize'),
    maxStorageBuffersPerShaderStage: gpu.limit('maxStorageBuffersPerShaderStage'),
    adapter: gpu.kind,
    subgroupSize: subgroups === false ? 0 : subgroupSizeOf(gpu),
  };
}
