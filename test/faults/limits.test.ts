// Devices with less than this adapter has: a layer is right within those limits, or is refused with LIMIT_EXCEEDED.
// A guard holds each kernel, buffer and binding to the limits that the device claims.
import { describe, expect, test } from 'vitest';
import { loadModel, RnnError } from '../../src/index.ts';
import { runReference } from '../../src/reference.ts';
import { getAdapter, getFullDevice } from '../setup/gpu.ts';
import { expectClose } from '../support/close.ts';
import { exampleOf } from '../support/property.ts';
import { recurrentCases, type RecurrentCase } from '../support/random-recurrent.ts';
import type { RecurrentRestrictions } from '../support/recurrent-config.ts';
import { isFull, MORE_IN_FULL } from '../support/settings.ts';

const DEFAULT = {
  maxBufferSize: 2 ** 28,
  maxStorageBufferBindingSize: 2 ** 27,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupSizeY: 256,
  maxComputeWorkgroupStorageSize: 16384,
  maxStorageBuffersPerShaderStage: 8,
};
type Limits = typeof DEFAULT;

const PROFILES: Readonly<Record<string, Partial<Limits>>> = {
  'those of every device': {},
  '128 invocations': { maxComputeInvocationsPerWorkgroup: 128, maxComputeWorkgroupSizeX: 128 },
  '64 invocations': { maxComputeInvocationsPerWorkgroup: 64, maxComputeWorkgroupSizeX: 64 },
  'much of everything': {
    maxComputeInvocationsPerWorkgroup: 1024,
    maxComputeWorkgroupSizeX: 1024,
    maxComputeWorkgroupStorageSize: 65536,
    maxStorageBuffersPerShaderStage: 64,
  },
  '4 KB of workgroup memory': { maxComputeWorkgroupStorageSize: 4096 },
  '512 bytes of workgroup memory': { maxComputeWorkgroupStorageSize: 512 },
  '6 storage buffers': { maxStorageBuffersPerShaderStage: 6 },
  '5 storage buffers': { maxStorageBuffersPerShaderStage: 5 },
  '4 storage buffers': { maxStorageBuffersPerShaderStage: 4 },
  'bindings of 64 KB': { maxStorageBufferBindingSize: 2 ** 16 },
  'buffers of 64 KB': { maxBufferSize: 2 ** 16, maxStorageBufferBindingSize: 2 ** 16 },
  'compatibility mode of WebGPU': {
    maxComputeInvocationsPerWorkgroup: 128,
    maxComputeWorkgroupSizeX: 128,
    maxComputeWorkgroupSizeY: 128,
  },
};

const LAYERS: Readonly<Record<string, RecurrentRestrictions>> = {
  'an LSTM': { cell: 'lstm', hidden: 20, T: 5, B: 1 },
  'an LSTM with everything': { cell: 'lstm', hidden: 9, T: 3, B: 3, projected: 4, peepholes: true },
  'an LSTM of one step': { cell: 'lstm', hidden: 33, T: 1, B: 2 },
  'an LSTM of 100 KB': { cell: 'lstm', hidden: 80, T: 2, B: 1 },
  'a GRU both ways': { cell: 'gru', direction: 'bidirectional', hidden: 17, T: 4, B: 2 },
  'a GRU of many rows': { cell: 'gru', hidden: 6, T: 2, B: 33 },
  'a masked GRU': { cell: 'gru', masked: true, hidden: 8, T: 6, B: 3 },
  'an RNN': { cell: 'rnn', direction: 'reverse', hidden: 70, T: 9, B: 1 },
};

const numberIn = (code: string, text: string): number =>
  /^\d/.test(text)
    ? parseInt(text, 10)
    : parseInt(new RegExp(`const ${text}(?:: u32)? ?= ?(\\d+)u?;`).exec(code)![1]!, 10);

/** Throws for a kernel, a buffer or a binding that a device with these limits would refuse. */
function hold(device: GPUDevice, limits: Limits): GPUDevice {
  const refuse = (what: string): never => {
    throw new Error(`beyond the limits of the device: ${what}`);
  };
  const sizes = new WeakMap<GPUBuffer, number>();
  const [module, buffer, group] = [
    device.createShaderModule.bind(device),
    device.createBuffer.bind(device),
    device.createBindGroup.bind(device),
  ];
  device.createShaderModule = (descriptor) => {
    const { code, label = '' } = descriptor;
    const size = /@workgroup_size\(([^)]*)\)/.exec(code)![1]!.split(',');
    const [x, y = 1] = size.map((text) => numberIn(code, text.trim()));
    if (x! > limits.maxComputeWorkgroupSizeX || y > limits.maxComputeWorkgroupSizeY) refuse(label);
    if (x! * y > limits.maxComputeInvocationsPerWorkgroup) refuse(label);
    const storage = code.match(/var<storage/g)?.length ?? 0;
    if (storage > limits.maxStorageBuffersPerShaderStage) refuse(`${storage} buffers in ${label}`);
    return module(descriptor);
  };
  device.createBuffer = (descriptor) => {
    if (descriptor.size > limits.maxBufferSize) refuse(`${descriptor.size} bytes`);
    const made = buffer(descriptor);
    sizes.set(made, descriptor.size);
    return made;
  };
  device.createBindGroup = (descriptor) => {
    for (const { resource } of descriptor.entries) {
      if (!('buffer' in resource)) continue;
      const size = resource.size ?? sizes.get(resource.buffer)!;
      if (size > limits.maxStorageBufferBindingSize) refuse(`a binding of ${size} bytes`);
    }
    return group(descriptor);
  };
  const { limits: real } = device;
  const value = new Proxy(real, {
    get: (_, name) => limits[name as keyof Limits] ?? Reflect.get(real, name, real),
  });
  return Object.defineProperty(device, 'limits', { value });
}

async function runWithin(limits: Limits, { graph, feeds }: RecurrentCase) {
  const device = hold(
    await (isFull ? getFullDevice() : (await getAdapter()).requestDevice()),
    limits,
  );
  const model = await loadModel(graph, { device });
  try {
    return await model.run(feeds);
  } finally {
    model.dispose();
    device.destroy();
  }
}

const names = Object.keys(LAYERS);
describe.each(Object.keys(PROFILES))('limits: %s', MORE_IN_FULL, (profile) => {
  // In `npm test` each profile has two layers, and each layer three profiles.
  const at = Object.keys(PROFILES).indexOf(profile);
  const chosen = isFull
    ? names
    : names.filter(
        (_, i) => (i - 2 * at) % names.length === 0 || (i - 2 * at - 1) % names.length === 0,
      );
  test.each(chosen)('%s is right, or refused', async (name) => {
    const made = exampleOf(recurrentCases(LAYERS[name]));
    const limits = { ...DEFAULT, ...PROFILES[profile] };
    const result = await runWithin(limits, made).catch((error: unknown) => error);
    if (result instanceof Error) {
      expect(result).toBeInstanceOf(RnnError);
      expect(result).toMatchObject({ code: 'LIMIT_EXCEEDED' });
      expect(profile).not.toMatch(/every device|compatibility/);
      return;
    }
    for (const [output, { data }] of runReference(made.graph, made.feeds)) {
      const got = (result as Awaited<ReturnType<typeof runWithin>>)[output]!;
      expectClose(got.data as Float32Array, data, { atol: 2e-5, label: `${made.label} ${output}` });
    }
  });
});
