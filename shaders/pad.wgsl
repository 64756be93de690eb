// out[index] = data[index - before], with places outside of data by the mode of the padding.
//
// Invocation  one element of out; any 4-byte type goes through as u32.
// Buffers     data   by the strides s0, s1 …; value [1] holds the constant; out is dense
// Uniforms    by axis k: outK, sizeK of both shapes, beforeK elements of padding, negative to crop
#if FOLDS
fn modulo(p: i32, n: i32) -> i32 { return ((p % n) + n) % n; }
#endif

#if REFLECT
fn mirror(p: i32, size: i32) -> i32 {
  let period = 2 * max(size - 1, 1);
  let at = modulo(p, period);
  return min(min(at, period - at), size - 1);
}
#endif

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * INVOCATIONS;
  if (i >= params.count) { return; }
  var remaining = i;
  var s = 0u;
  var inside = true;
  AXES;
  #if CONSTANT
  if (!inside) { out[i] = value[0]; return; }
  #endif
  out[i] = data[s];
}
