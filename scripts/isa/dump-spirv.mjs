// Prints the SPIR-V that Dawn makes of WGSL files, as text, after a line for each: `=====KERNEL PATH`. Dawn prints it
// when a pipeline is made: https://dawn.googlesource.com/dawn/+/refs/heads/main/src/dawn/native/Toggles.cpp
import { readFileSync, writeSync } from 'node:fs';
import { create, globals } from 'webgpu';

Object.assign(globalThis, globals);
const dawn = create(['enable-dawn-features=dump_shaders']);
const adapter = await dawn.requestAdapter();
if (!adapter) throw new Error('no WebGPU adapter');
const limits = [
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupStorageSize',
  'maxStorageBuffersPerShaderStage',
];
const device = await adapter.requestDevice({
  requiredFeatures: ['subgroups', 'shader-f16'].filter((name) => adapter.features.has(name)),
  requiredLimits: Object.fromEntries(limits.map((name) => [name, adapter.limits[name]])),
});
for (const file of process.argv.slice(2)) {
  writeSync(1, `\n=====KERNEL ${file}\n`);
  const module = device.createShaderModule({ code: readFileSync(file, 'utf8') });
  await device.createComputePipelineAsync({
    layout: 'auto',
    compute: { module, entryPoint: 'main' },
  });
}
device.destroy();
