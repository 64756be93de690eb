// Combines out, which holds data, with blocks of updates at tuples of indices of its first DEPTH axes.
//
//   out[indices[tuple], i] = COMBINATION of x, the element there, and y = updates[tuple, i]
//
// Grid        flat: one invocation for each of the `count` elements of a block, INVOCATIONS in a
//             workgroup. It applies all updates of its elements in order: the last one wins, and sums are
//             the same in every run.
// Registers   one old and one new element
// Buffers     indices  [n, DEPTH]; negative ones count from the end
//             updates  [n, count]
//             out      [blocks, count]: axis k of the blocks has sizeK places with the stride stepK. All of
//                      out is `params.invalid` where a tuple is out of range.
@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * INVOCATIONS;
  if (i >= params.count) { return; }
  var isValid = true;
  for (var tuple = 0u; tuple < params.n; tuple++) {
    var at = i;
    var isInside = true;
    AXES;
    if (!isInside) { isValid = false; continue; }
    let x = out[at];
    let y = updates[tuple * params.count + i];
    out[at] = COMBINATION;
  }
  if (isValid) { return; }
  for (var k = 0u; k < params.blocks; k++) { out[k * params.count + i] = bitcast<Scalar>(params.invalid); }
}
