// out[i] = Σ source[map[j·n + i] - 1] over the maps j; a 0 in a map adds nothing. Brings weights that are
// known only when a model runs into the layout that the kernels read.
@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * INVOCATIONS;
  if (i >= params.n) { return; }
  var value = 0.0;
  @unroll for (var j = 0u; j < MAPS; j++) {
    let place = map[j * params.n + i];
    value += select(0.0, source[max(place, 1u) - 1u], place > 0u);
  }
  out[i] = value;
}
