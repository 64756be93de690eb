// Running sums along one axis, inclusive or exclusive, from either end.
//
// Grid        flat: one invocation for each of the `count` lines along the axis, INVOCATIONS in a workgroup
// Registers   the sum so far; the elements of a line are added in order
// Buffers     data  [outer, n, inner]
//             out   the shape of data
@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * INVOCATIONS;
  if (i >= params.count) { return; }
  let first = i / params.inner * params.inner * params.n + i % params.inner;
  var sum = Scalar(0);
  for (var k = 0u; k < params.n; k++) {
    #if REVERSE
    let at = first + params.inner * (params.n - 1u - k);
    #else
    let at = first + params.inner * k;
    #endif
    let x = data[at];
    #if EXCLUSIVE
    out[at] = sum;
    #else
    out[at] = sum + x;
    #endif
    sum += x;
  }
}
