// out[outStart + index · t] = data[dataStart + index · s] for every index of a shape.
//
// Invocation  one element; any 4-byte type goes through as u32.
@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * INVOCATIONS;
  if (i >= params.count) { return; }
  OFFSETS;
  out[params.outStart + t] = data[params.dataStart + s];
}
