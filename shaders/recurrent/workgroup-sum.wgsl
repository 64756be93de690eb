// The sum of one number of each invocation of a workgroup. Every invocation gets it.
var<workgroup> sumParts: array<f32, INVOCATIONS>;

fn sumOverWorkgroup(part: f32, thread: u32) -> f32 {
  workgroupBarrier(); // the sum before has been read
  sumParts[thread] = part;
  var width = INVOCATIONS;
  for (var round = 0u; round < ROUNDS; round++) {
    workgroupBarrier();
    let far = (width + 1u) / 2u;
    if (thread + far < width) { sumParts[thread] += sumParts[thread + far]; }
    width = far;
  }
  workgroupBarrier();
  return sumParts[0];
}
