// state ← tensor_: brings an initial state of the graph into the buffer that the recurrent kernels
// use; zeros where the graph has none. One invocation for each unit of the padded layout.
//
// Buffers    tensor_  [D, B, width], or [B, D, width] with batchFirst
//            state    [D, B, padded] from element `offset` on; other states lie before and behind it
// Uniforms   rows B; directions D; width O or H; padded: width rounded up to a multiple of 4
@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * INVOCATIONS;
  let unit = i % params.padded;
  let row = i / params.padded % params.rows;
  let direction = i / params.padded / params.rows;
  if (direction >= params.directions) { return; }
  #if FROM_TENSOR
  let line = select(direction * params.rows + row, row * params.directions + direction, params.batchFirst == 1u);
  let at = min(line * params.width + unit, arrayLength(&tensor_) - 1u);
  state[params.offset + i] = select(0.0, tensor_[at], unit < params.width);
  #else
  state[params.offset + i] = 0.0;
  #endif
}
