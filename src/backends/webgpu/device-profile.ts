// What of a device decides between kernels.
import type { Gpu } from '../../gpu/device.ts';
import type { PlanOptions } from '../../plan/lowering.ts';
import type { DeviceProfile } from '../../plan/select/device-profile.ts';

/** Invocations of every subgroup, where that is one number and kernels may use subgroups; else 0. */
function subgroupSizeOf({ features, adapterInfo }: GPUDevice): number {
  const { subgroupMinSize, subgroupMaxSize } = adapterInfo;
  return features.has('subgroups') && subgroupMinSize === subgroupMaxSize
    ? (subgroupMinSize ?? 0)
    : 0;
}

/** The profile that plans for a device are made with. */
export function profileOf({ device, kind }: Gpu, { subgroups }: PlanOptions): DeviceProfile {
  const { limits } = device;
  return {
    maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
    maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
    maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
    maxBufferSize: limits.maxBufferSize,
    maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
    adapter: kind,
    subgroupSize: subgroups === false ? 0 : subgroupSizeOf(device),
  };
}
