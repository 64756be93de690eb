// What the planner knows of a device.

/** What of a device decides between kernels; the names are those of `GPUSupportedLimits`. */
export interface DeviceProfile {
  readonly maxComputeInvocationsPerWorkgroup: number;
  /** Bytes. */
  readonly maxComputeWorkgroupStorageSize: number;
  /** Bytes. */
  readonly maxStorageBufferBindingSize: number;
  /** Bytes. */
  readonly maxBufferSize: number;
  readonly maxStorageBuffersPerShaderStage: number;
  /**
   * What computes: a GPU, or a CPU in its place, where invocations are serial and barriers expensive. The
   * two software adapters differ in what their compilers make of a kernel.
   */
  readonly adapter: 'gpu' | 'swiftshader' | 'llvmpipe';
  /** Invocations of every subgroup, where that is one number and kernels may use subgroups; else 0. */
  readonly subgroupSize: number;
}

/** The limits that every WebGPU device has, for planning without one. */
export const DEFAULT_PROFILE: DeviceProfile = {
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupStorageSize: 16384,
  maxStorageBufferBindingSize: 134217728,
  maxBufferSize: 268435456,
  maxStorageBuffersPerShaderStage: 8,
  adapter: 'gpu',
  subgroupSize: 0,
};
