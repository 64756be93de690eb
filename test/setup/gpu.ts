// The one way to WebGPU for tests, in Node over Dawn and in a browser. Fails loudly: a test on no adapter proves nothing.
import type * as Dawn from 'webgpu';

/**
 * Dawn would have the driver zero workgroup memory. SwiftShader compiles that into one store for each element, 1.5 s for
 * the 16 KB of a recurrent kernel against 0.08 s; without it Dawn puts a loop into the kernel, which zeroes the same.
 */
const DAWN_FLAGS = ['disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension'];

/** The `GPU` object of this environment. In Node, also installs `GPUBufferUsage` and its kin as globals. */
export async function getGPU(): Promise<GPU> {
  if (typeof navigator !== 'undefined' && navigator.gpu) return navigator.gpu;
  const shared = globalThis as { dawn?: GPU };
  if (!shared.dawn) {
    const name = 'webgpu'; // a variable, so that Vite does not bundle Dawn for the browser
    const { create, globals } = (await import(/* @vite-ignore */ name)) as typeof Dawn;
    Object.assign(globalThis, globals);
    shared.dawn = create(DAWN_FLAGS); // held for good: Dawn crashes when it is collected
  }
  return shared.dawn;
}

/**
 * Keeps the pipelines of a device for as long as the device. Dawn gives equal descriptors one pipeline while that is
 * alive, so the models of a test file compile equal kernels once, though each model has a cache of its own.
 */
function keepPipelines(device: GPUDevice): GPUDevice {
  const kept = new Set<GPUComputePipeline>();
  const create = device.createComputePipelineAsync.bind(device);
  device.createComputePipelineAsync = async (descriptor) => {
    const pipeline = await create(descriptor);
    kept.add(pipeline);
    return pipeline;
  };
  return device;
}

/** A new adapter, for each adapter gives one device only. */
export async function getAdapter(): Promise<GPUAdapter> {
  const adapter = await (await getGPU()).requestAdapter();
  if (!adapter)
    throw new Error('no WebGPU adapter; run the tests with `npm test`, which brings one');
  if (adapter.info.device === 'null-backend')
    throw new Error('the null backend computes nothing, so its numbers prove nothing');
  const request = adapter.requestDevice.bind(adapter);
  adapter.requestDevice = async (descriptor) => keepPipelines(await request(descriptor));
  return adapter;
}

const probe = await getAdapter();

/** A device with the features that kernels use where there are any, as the package makes its own. */
export async function getFullDevice(): Promise<GPUDevice> {
  const adapter = await getAdapter();
  const features = (['subgroups', 'shader-f16'] as const).filter((name) =>
    adapter.features.has(name),
  );
  return adapter.requestDevice({ requiredFeatures: features });
}

/** Who computes: `google swiftshader`, `mesa software`, or a GPU. */
export const { vendor, architecture, description } = probe.info;

/** Whether WGSL may `enable f16`; SwiftShader does not, lavapipe does. */
export const hasF16 = probe.features.has('shader-f16');

/** Whether WGSL may `enable subgroups`. */
export const hasSubgroups = probe.features.has('subgroups');

/** Whether GPU time can be measured. */
export const hasTimestamps = probe.features.has('timestamp-query');

/** What the adapter can do beyond the defaults. */
export const limits: GPUSupportedLimits = probe.limits;
