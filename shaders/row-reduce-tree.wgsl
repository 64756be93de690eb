// Functions of row-reduce.wgsl for reduction K: of two values, and of the partial results `own` of the
// `lanes` invocations of a row, as a tree over workgroup memory.
fn combineK(p: Value, q: Value) -> Value { return COMBINATION; }

fn reduceK(own: Value, t: u32, lane: u32) -> Value {
  if (params.lanes == 1u) { return own; }
  workgroupBarrier();
  partials[t] = own;
  workgroupBarrier();
  for (var level = 1u; level <= LOG2_INVOCATIONS; level++) {
    let far = params.lanes >> level;
    if (far == 0u) { break; }
    if (lane < far) { partials[t] = combineK(partials[t], partials[t + far]); }
    workgroupBarrier();
  }
  return partials[t - lane];
}
