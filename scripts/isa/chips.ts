// The AMD chips that kernels are compiled for, and the adapters that the planner is told of.
import { DEFAULT_PROFILE, type DeviceProfile } from '../../src/plan/select/device-profile.ts';

/** An adapter by what the planner distinguishes. */
export interface AdapterProfile {
  readonly name: string;
  readonly device: DeviceProfile;
}

/** A chip and the adapters whose kernels are compiled for it. */
export interface Chip {
  /** Architecture, as in the table. */
  readonly name: string;
  /** What RADV calls it: https://docs.mesa3d.org/envvars.html#envvar-RADV_FORCE_FAMILY */
  readonly family: string;
  /** Invocations of its shortest subgroup, by which RADV counts those of a SIMD. */
  readonly minSubgroupSize: number;
  readonly profiles: readonly AdapterProfile[];
}

const LARGE = {
  ...DEFAULT_PROFILE,
  maxComputeInvocationsPerWorkgroup: 1024,
  maxComputeWorkgroupStorageSize: 32768,
};

// Subgroups of RDNA have 32 or 64 invocations, and the driver chooses: they have no one size, so the planner uses none.
// https://docs.vulkan.org/refpages/latest/refpages/source/VkPhysicalDeviceSubgroupSizeControlProperties.html
const MINIMUM = { name: 'no subgroups, 256 invocations', device: DEFAULT_PROFILE };
const subgroupsOf = (subgroupSize: number): AdapterProfile => ({
  name: `subgroups of ${subgroupSize}, 1024 invocations`,
  device: { ...LARGE, subgroupSize },
});

/** One chip for each architecture. RDNA with subgroups of 32 stands in for adapters that have no other size. */
export const CHIPS: readonly Chip[] = [
  { name: 'RDNA3', family: 'navi31', minSubgroupSize: 32, profiles: [MINIMUM, subgroupsOf(32)] },
  { name: 'RDNA2', family: 'navi21', minSubgroupSize: 32, profiles: [MINIMUM, subgroupsOf(32)] },
  { name: 'GCN4', family: 'polaris10', minSubgroupSize: 64, profiles: [MINIMUM, subgroupsOf(64)] },
];
