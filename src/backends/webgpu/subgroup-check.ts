// Whether a device forms subgroups as it says: kernels are generated for one size of them, and take the invocations of
// a workgroup to be divided in order.
import type { DeviceProfile } from '../../plan/select/device-profile.ts';

const source = (lanes: number): string => `enable subgroups;
@group(0) @binding(0) var<storage, read_write> found: array<vec2u>;
@compute @workgroup_size(${lanes})
fn main(
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_size) size: u32,
  @builtin(subgroup_invocation_id) subgroupLane: u32,
) {
  found[lane] = vec2u(size, subgroupLane);
}`;

/** Size of the subgroup and place in it, of each invocation of a workgroup. */
async function readSubgroups(device: GPUDevice, lanes: number): Promise<Uint32Array> {
  const size = lanes * 8;
  const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const found = device.createBuffer({ size, usage: STORAGE | COPY_SRC });
  const result = device.createBuffer({ size, usage: COPY_DST | MAP_READ });
  try {
    const module = device.createShaderModule({ label: 'subgroups', code: source(lanes) });
    const pipeline = await device.createComputePipelineAsync({
      label: 'subgroups',
      layout: 'auto',
      compute: { module, entryPoint: 'main' },
    });
    const layout = pipeline.getBindGroupLayout(0);
    const entries = [{ binding: 0, resource: { buffer: found } }];
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout, entries }));
    pass.dispatchWorkgroups(1);
    pass.end();
    encoder.copyBufferToBuffer(found, 0, result, 0, size);
    device.queue.submit([encoder.finish()]);
    await result.mapAsync(GPUMapMode.READ);
    return new Uint32Array(result.getMappedRange().slice(0));
  } finally {
    found.destroy();
    result.destroy();
  }
}

/** Checks workgroups of one subgroup, and of four where the device allows so many invocations. */
export async function subgroupsAreFormed(
  device: GPUDevice,
  { subgroupSize, maxComputeInvocationsPerWorkgroup }: DeviceProfile,
): Promise<boolean> {
  const sizes = [subgroupSize, Math.min(4 * subgroupSize, maxComputeInvocationsPerWorkgroup)];
  for (const lanes of sizes) {
    const found = await readSubgroups(device, lanes);
    for (let lane = 0; lane < lanes; lane++) {
      if (found[2 * lane] !== subgroupSize || found[2 * lane + 1] !== lane % subgroupSize)
        return false;
    }
  }
  return true;
}
