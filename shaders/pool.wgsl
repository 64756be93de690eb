// The maximum, the place of the maximum, or the average of each window over one or two spatial axes.
//
// Grid        flat: one invocation for each element of out, INVOCATIONS in a workgroup
// Registers   the result so far, its place and the number of elements seen; nothing is reused between
//             neighbouring windows
// Buffers     x    [N·C, inH, inW]
//             out  [N·C, outH, outW]; the flat index of the maximum where its place is asked for
// Uniforms    padH, padW: padding before the input; endH, endW: where the padding after it ends
//
// NaN         counts as larger than any number. Once the maximum is NaN, only another NaN replaces it: as in
//             PyTorch, whose index is that of the last NaN.
@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * INVOCATIONS;
  if (i >= params.count) { return; }
  let plane = i32(i / params.outW / params.outH) * params.inH;
  let top = i32(i / params.outW % params.outH) * STRIDE_H - params.padH;
  let left = i32(i % params.outW) * STRIDE_W - params.padW;
  var result = Scalar(0);
  var seen = 0;
  var place = -1;
  for (var ky = 0; ky < KERNEL_H; ky++) {
    let y = top + ky * DILATION_H;
    for (var kx = 0; kx < KERNEL_W; kx++) {
      let z = left + kx * DILATION_W;
      #if COUNTS_PADDING
      if (y < params.endH && z < params.endW) { seen++; }
      #endif
      if (y < 0 || y >= params.inH || z < 0 || z >= params.inW) { continue; }
      let at = (plane + y) * params.inW + z;
      let v = x[at];
      #if AVERAGE
      result += v;
      #if !COUNTS_PADDING
      seen++;
      #endif
      #elif FLOAT
      if (place < 0 || (v > result && !isNan(result)) || isNan(v)) { result = v; place = at; }
      #else
      if (place < 0 || v > result) { result = v; place = at; }
      #endif
    }
  }
  out[i] = RESULT;
}
