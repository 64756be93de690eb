// tensor_ ← state: brings a final state of the recurrent kernels into a tensor of the graph. Buffers and
// uniforms as in pack-state.wgsl.
@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * INVOCATIONS;
  let unit = i % params.padded;
  let row = i / params.padded % params.rows;
  let direction = i / params.padded / params.rows;
  if (direction >= params.directions || unit >= params.width) { return; }
  let line = select(direction * params.rows + row, row * params.directions + direction, params.batchFirst == 1u);
  tensor_[line * params.width + unit] = state[params.offset + i];
}
