// out[i + iteration · outStep] = data[i + iteration · dataStep] for `count` elements: the part of a sequence that an
// iteration of a loop reads, or the result that it adds to those of the others.
//
// Invocation  one element; any 4-byte type goes through as u32.
@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * INVOCATIONS;
  if (i >= params.count) { return; }
  out[i + iteration * params.outStep] = data[i + iteration * params.dataStep];
}
