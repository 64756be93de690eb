// Reductions, softmax and normalizations: reduces the elements of each row, one reduction after another, and
// then writes one result for the row or one for each of its elements.
//
//   REDUCTIONS  for each reduction the passes of row-reduce-elements.wgsl over the row, and the tree over the
//               invocations of row-reduce-tree.wgsl
//   RESULT      the result of the row, or the statements of row-reduce-elements.wgsl that write each element
//
// Grid        flat: workgroups of INVOCATIONS / `lanes` rows
// Workgroup   INVOCATIONS; `lanes` of them, a power of two, have one row: neighbours have neighbouring
//             elements
// Registers   one partial result of each reduction
// Buffers     data  by the strides row0, row1 … of its `rows` rows and col0, col1 … of the `size` elements of a
//                   row
//             out   [rows], or the layout of data with a result for each element
@compute @workgroup_size(INVOCATIONS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) t: u32,
) {
  let lane = t % params.lanes;
  let index = (group.x + group.y * groups.x) * (INVOCATIONS / params.lanes) + t / params.lanes;
  let isRow = index < params.rows; // invocations without a row take part in the barriers only
  ROW_OFFSET;
  REDUCTIONS
  #if PER_ELEMENT
  RESULT
  #else
  if (isRow && lane == 0u) { out[index] = RESULT; }
  #endif
}
