// Elements of data, each at its own position along one axis.
//
//   out[index] = data[index, with the axis replaced by indices[index]]
//
// Grid        flat: one invocation for each element of out, INVOCATIONS in a workgroup
// Invocation  one element, in one register; any 4-byte type goes through as u32
// Buffers     data     by the strides s0, s1 …, which are 0 along the axis, and `step` along the axis
//             indices  the shape of out; negative ones count from the end
//             out      dense; `params.invalid` where an index is out of range
@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * INVOCATIONS;
  if (i >= params.count) { return; }
  OFFSETS;
  let at = position(indices[i], params.size);
  if (at >= params.size) { out[i] = params.invalid; return; }
  out[i] = data[s + at * params.step];
}
