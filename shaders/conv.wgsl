// Convolution of one or two spatial axes, directly: no im2col buffer.
//
//   out[m, y, x] = b[m] + Σ over (ky, kx, c)  x[c, place(y, ky), place(x, kx)] · w[m, c, ky, kx]
//
// Invocation  WIDTH output channels (filters) of PLACES places of an output row, `chunk` places from each other: one
//             load of x serves WIDTH sums, one load of w serves PLACES.
// Buffers     x    [N, C, inH, inW]
//             w    [groups, BLOCKS, KERNEL_H, KERNEL_W, CHANNELS] of WIDTH filters each
//             b    [M]
//             out  [N, M, outH, outW]
// Uniforms    count: invocations; chunk: ⌈outW / PLACES⌉
struct Tap {
  at: u32, // place of the input that a tap of the kernel reads
  inside: bool, // whether there is such a place; places before the first wrap to huge numbers
}

fn tapOf(out: u32, reach: u32, stride: u32, pad: u32, size: u32) -> Tap {
  #if TRANSPOSED
  let distance = out + pad - reach;
  let at = distance / stride;
  return Tap(at, distance < 0x80000000u && distance % stride == 0u && at < size);
  #else
  let at = out * stride + reach - pad;
  return Tap(at, at < size);
  #endif
}

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * INVOCATIONS;
  if (i >= params.count) { return; }
  let outX = i % params.chunk;
  let outY = i / params.chunk % params.outH;
  let block = i / params.chunk / params.outH % (GROUPS * BLOCKS);
  let batch = i / params.chunk / params.outH / (GROUPS * BLOCKS);
  let group = block / BLOCKS;
  let first = group * FILTERS + block % BLOCKS * WIDTH;
  let plane = params.inH * params.inW;
  let start = (batch * GROUPS + group) * CHANNELS * plane;
  var sums: array<Filters, PLACES>;
  for (var ky = 0u; ky < KERNEL_H; ky++) {
    let y = tapOf(outY, ky * DILATION_H, STRIDE_H, params.padH, params.inH);
    if (!y.inside) { continue; }
    for (var kx = 0u; kx < KERNEL_W; kx++) {
      var isInside: array<bool, PLACES>;
      var xAt: array<u32, PLACES>;
      @unroll for (var p = 0u; p < PLACES; p++) {
        let x = tapOf(outX + p * params.chunk, kx * DILATION_W, STRIDE_W, params.padW, params.inW);
        isInside[p] = x.inside;
        xAt[p] = start + select(0u, y.at * params.inW + x.at, x.inside);
      }
      for (var c = 0u; c < CHANNELS; c++) {
        let f = w[((block * KERNEL_H + ky) * KERNEL_W + kx) * CHANNELS + c];
        @unroll for (var p = 0u; p < PLACES; p++) {
          sums[p] += select(0.0, x[xAt[p] + c * plane], isInside[p]) * f;
        }
      }
    }
  }
  let area = params.outH * params.outW;
  let outAt = (batch * GROUPS * FILTERS + first) * area + outY * params.outW;
  @unroll for (var p = 0u; p < PLACES; p++) {
    let x = outX + p * params.chunk;
    #if ONE_FILTER
    if (x < params.outW) { out[outAt + x] = sums[p] + BIAS_0; }
    #else
    for (var j = 0u; j < WIDTH; j++) {
      if (x >= params.outW || block % BLOCKS * WIDTH + j >= FILTERS) { break; }
      out[outAt + j * area + x] = sums[p][j] + BIAS_J;
    }
    #endif
  }
}
