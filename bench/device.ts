// Opens the devices that the benchmarks in Node pass to models, and describes their adapter.
import { create, globals } from 'webgpu';
import { describeAdapter } from './adapter.ts';

/** An adapter in words, for the terminal and for the files. */
export interface AdapterInfo {
  /** Vendor, architecture and so on in a line. */
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** Whether a CPU stands in for the GPU: such times say nothing about GPUs. */
  readonly software: boolean;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  /** Dawn's toggles that differ from those of the package. */
  readonly toggles: readonly string[];
}

/** A device with the description of its adapter. */
export interface BenchDevice {
  readonly device: GPUDevice;
  readonly adapter: AdapterInfo;
}

/** The adapter in a line, and a warning where it is a CPU. */
export const adapterLine = ({ name, software }: AdapterInfo): string =>
  `${name}${software ? ': a CPU, so no statement about GPUs' : ''}`;

/** How Dawn is started. */
export interface DeviceOptions {
  /** Keeps Dawn's bounds checks, which the package and browsers have. False when left out. */
  readonly robust?: boolean;
}

// What the package requests by itself, so that models choose the same kernels on these devices.
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

/** A device of the best adapter. @throws Error without an adapter */
export async function openDevice(options: DeviceOptions = {}): Promise<BenchDevice> {
  return open(startDawn(options), options);
}

/** Two devices of the same adapter, of one Dawn. @throws Error without an adapter */
export async function openTwoDevices(
  options: DeviceOptions = {},
): Promise<readonly [BenchDevice, BenchDevice]> {
  const dawn = startDawn(options);
  return [await open(dawn, options), await open(dawn, options)];
}

const togglesOf = ({ robust = false }: DeviceOptions): string[] => [
  'disable-dawn-features=timestamp_quantization', // Dawn would round timestamps to 65 µs
  ...(robust ? [] : ['enable-dawn-features=disable_robustness']),
];

function startDawn(options: DeviceOptions): GPU {
  Object.assign(globalThis, globals);
  const dawn = create(togglesOf(options));
  // Dawn crashes when this object is collected. Under this name src/node.ts keeps its own, so that a process
  // has one Dawn with one set of toggles, however many copies of the package it imports.
  Object.assign(globalThis, { webgpuRnnDawn: dawn });
  return dawn;
}

// Each device has an adapter object of its own, because an adapter makes only one device:
// https://www.w3.org/TR/webgpu/#dom-gpuadapter-requestdevice
async function open(dawn: GPU, options: DeviceOptions): Promise<BenchDevice> {
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
  // The promises of a lost device stay pending; Node would then end without a message.
  void device.lost.then(({ reason, message }) => {
    if (reason !== 'destroyed') console.error(`the device was lost: ${message}`);
  });
  const { parts, ...described } = describeAdapter(adapter.info);
  const toggles = togglesOf(options);
  return { device, adapter: { name: parts.join(' '), ...described, features, limits, toggles } };
}
