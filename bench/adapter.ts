// Names a WebGPU adapter, and tells whether a CPU stands in for the GPU.

/** An adapter in words. */
export interface AdapterName {
  /** Vendor, architecture, device and description, those that are there. */
  readonly parts: readonly string[];
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** Whether a CPU stands in for the GPU: such times say nothing about GPUs. */
  readonly software: boolean;
}

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|software/i;

/** The name of an adapter or of the adapter of a device. */
export function describeAdapter(info: GPUAdapterInfo): AdapterName {
  const { vendor, architecture, device, description, isFallbackAdapter } = info;
  const parts = [vendor, architecture, device, description].filter(Boolean);
  const software = isFallbackAdapter || SOFTWARE.test(parts.join(' '));
  return { parts, vendor, architecture, device, description, software };
}
