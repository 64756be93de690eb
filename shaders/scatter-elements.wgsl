// Combines out, which holds data, with updates: each at its own position along one axis.
//
//   out[index, with the axis replaced by indices[index]] = COMBINATION of x, the element there, and
//                                                          y = updates[index]
//
// Grid        flat: one invocation for each line along the axis, INVOCATIONS in a workgroup. All updates
//             of an element are on one line, and one invocation applies them in order: the last one wins,
//             and sums are the same in every run.
// Registers   one old and one new element
// Buffers     indices  by the strides u0, u1 …, 0 along the axis, and `updateStep` along the axis;
//                      `n` on a line, negative ones count from the end
//             updates  the shape and the strides of indices
//             out      by the strides s0, s1 …, 0 along the axis, and `step` along the axis; all of a
//                      line is `params.invalid` where one of its indices is out of range
@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * INVOCATIONS;
  if (i >= params.count) { return; }
  OFFSETS;
  var isValid = true;
  for (var k = 0u; k < params.n; k++) {
    let place = u + k * params.updateStep;
    let to = position(indices[place], params.size);
    if (to >= params.size) { isValid = false; continue; }
    let at = s + to * params.step;
    let x = out[at];
    let y = updates[place];
    out[at] = COMBINATION;
  }
  if (isValid) { return; }
  for (var k = 0u; k < params.size; k++) { out[s + k * params.step] = bitcast<Scalar>(params.invalid); }
}
