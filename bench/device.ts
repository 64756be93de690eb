// The device that the benchmarks in Node lend to models, and what is to be known of it.
import { create, globals } from 'webgpu';

/** An adapter in words, for the terminal and for the files. */
export interface AdapterFacts {
  /** Vendor, architecture and so on in a line. */
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** Whether a CPU stands in for the GPU: then times are no statement about GPUs. */
  readonly software: boolean;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  /** Dawn's switches that differ from those of the package. */
  readonly toggles: readonly string[];
}

/** A device with its description. */
export interface BenchDevice {
  readonly device: GPUDevice;
  readonly facts: AdapterFacts;
}

// What the package asks for by itself, so that the lent device gets the same kernels.
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupStorageSize',
  'maxStorageBuffersPerShaderStage',
] as const;
const FEATURES = ['timestamp-query', 'shader-f16', 'subgroups'] as const;
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|software/i;

/**
 * The best adapter's device. Without `robust`, Dawn leaves out its bounds checks. Timestamps are exact:
 * by default Dawn rounds them to 65 µs. @throws Error without an adapter
 */
export async function openDevice({ robust = false } = {}): Promise<BenchDevice> {
  Object.assign(globalThis, globals);
  const toggles = [
    'disable-dawn-features=timestamp_quantization',
    ...(robust ? [] : ['enable-dawn-features=disable_robustness']),
  ];
  const dawn = create(toggles);
  Object.assign(globalThis, { benchDawn: dawn }); // Dawn crashes when it is collected
  const adapter = await dawn.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter || adapter.info.device === 'null-backend') {
    throw new Error('no WebGPU adapter: is there a Vulkan loader (libvulkan.so.1) and a driver?');
  }
  const limits = Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit]]));
  const features = FEATURES.filter((feature) => adapter.features.has(feature));
  const device = await adapter.requestDevice({
    requiredLimits: limits,
    requiredFeatures: features,
  });
  // A lost device leaves promises open for ever; Node would then end without a word.
  void device.lost.then(({ reason, message }) => {
    if (reason !== 'destroyed') console.error(`the device was lost: ${message}`);
  });
  const { vendor, architecture, device: model, description } = adapter.info;
  const name = [vendor, architecture, model, description].filter(Boolean).join(' ');
  const software = SOFTWARE.test(name);
  const facts = { vendor, architecture, device: model, description, features, limits, toggles };
  return { device, facts: { name, software, ...facts } };
}
