// The first k elements of each row in descending or ascending order and their places; equal elements in the order
// of the row. Selection: in pass n all invocations look for the first element that comes after the
// result of pass n - 1.
//
// Grid        flat: one workgroup for each row
// Workgroup   INVOCATIONS, each with every INVOCATIONS-th element; a tree over workgroup memory finds the
//             best of theirs
// Registers   two elements with their places
// Buffers     data    [outer, size, inner]
//             values  [outer, k, inner]
//             places  [outer, k, inner]
//
// NaN         comes after every number.
const NONE = 0xffffffffu;
struct Pick { value: Scalar, at: u32 }
var<workgroup> picks: array<Pick, INVOCATIONS>;

fn precedes(p: Pick, q: Pick) -> bool {
  #if FLOAT
  if (p.at != NONE && q.at != NONE && (isNan(p.value) || isNan(q.value))) {
    return select(!isNan(p.value), p.at < q.at, isNan(p.value) && isNan(q.value));
  }
  #endif
  #if LARGEST
  let isBetter = p.value > q.value;
  #else
  let isBetter = p.value < q.value;
  #endif
  return p.at != NONE && (q.at == NONE || isBetter || (p.value == q.value && p.at < q.at));
}

@compute @workgroup_size(INVOCATIONS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.x + group.y * groups.x;
  if (row >= params.rows) { return; }
  let outer = row / params.inner;
  let column = row % params.inner;
  var last = Pick(Scalar(0), NONE);
  for (var rank = 0u; rank < params.k; rank++) {
    var best = Pick(Scalar(0), NONE);
    for (var at = lane; at < params.size; at += INVOCATIONS) {
      let here = Pick(data[(outer * params.size + at) * params.inner + column], at);
      if ((rank == 0u || precedes(last, here)) && precedes(here, best)) { best = here; }
    }
    workgroupBarrier();
    picks[lane] = best;
    workgroupBarrier();
    for (var n = 0u; n < LOG2_INVOCATIONS; n++) {
      let far = INVOCATIONS >> (n + 1u);
      if (lane < far && precedes(picks[lane + far], picks[lane])) { picks[lane] = picks[lane + far]; }
      workgroupBarrier();
    }
    last = picks[0];
    if (lane == 0u) {
      let to = (outer * params.k + rank) * params.inner + column;
      values[to] = last.value;
      places[to] = i32(last.at);
    }
  }
}
