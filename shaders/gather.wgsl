// Elements of data along one axis, at the positions that an array of indices holds.
//
//   out[o, j, k] = data[o, indices[j], k]
//
// Grid        flat: one invocation for each element of out, INVOCATIONS in a workgroup
// Invocation  one element, in one register; any 4-byte type goes through as u32
// Buffers     data     [outer, size, inner]
//             indices  [n]; negative ones count from the end
//             out      [outer, n, inner]; `params.invalid` where an index is out of range
@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * INVOCATIONS;
  if (i >= params.count) { return; }
  let row = i / params.inner;
  let at = position(indices[row % params.n], params.size);
  if (at >= params.size) { out[i] = params.invalid; return; }
  out[i] = data[(row / params.n * params.size + at) * params.inner + i % params.inner];
}
