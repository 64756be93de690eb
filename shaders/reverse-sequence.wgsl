// The first lengths[row] time steps of each row in reverse order, and the following ones in theirs.
//
// Grid        flat: one invocation for each element of out, INVOCATIONS in a workgroup
// Invocation  one element, in one register; any 4-byte type goes through as u32
// Buffers     data     `steps` time steps with the stride `step`, `rows` rows with the stride `rowStep`
//             lengths  [rows]; more than `steps` counts as `steps`, a negative length as 0
//             out      the shape of data
@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * INVOCATIONS;
  if (i >= params.count) { return; }
  let t = i / params.step % params.steps;
  let n = min(u32(max(lengths[i / params.rowStep % params.rows], 0)), params.steps);
  out[i] = data[select(i, i + (n - 1u - 2u * t) * params.step, t < n)];
}
