// W·x + b of every gate for a chunk of time steps, as one tiled matrix product. It does not depend on
// the state, so it is taken out of the recurrence.
//
//   acc[column][row] += W[column, k … k+3] · x[row, k … k+3]
//
// A row is a (time step, batch row) pair of the chunk; a column is a gate of a hidden unit.
//
// Grid       x: tiles of LANES·COLUMNS columns. y: blocks of ROWS rows. z: directions, or layers of a
//            wavefront (`instance`).
// Workgroup  LANES invocations; neighbours read neighbouring 16 bytes of W (coalesced).
// Registers  COLUMNS·ROWS sums: one load of W serves ROWS rows, one load of x COLUMNS columns, see
//            product.wgsl.
// Buffers    x    [T, B, I] or [B, T, I], by strides; vec4 where I is a multiple of 4. In a wavefront, the
//                 layers above the first read layerOutputs [LAYERS - 1, chunkSteps, B, O] instead,
//                 which the layer below has written one chunk earlier
//            w    [D][tiles][I/4][COLUMNS·LANES] vec4 over I, see weights.wgsl
//            b    [D, G·H]
//            xw   [D, chunkSteps, B, G·H]
//            In a wavefront w and b have the layers above the first only, xw has all.

var<private> instance: u32; // direction, or layer of a wavefront less one

fn inputAt(chunkStep: u32, row: u32) -> u32 {
  #if WAVEFRONT
  return ((instance * params.chunkSteps + min(chunkStep, params.chunkSteps - 1u)) * params.rows + row) * FEATURES;
  #else
  let t = min(timeOf(row, params.start + chunkStep), params.steps - 1u);
  return t * params.xT + row * params.xB;
  #endif
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) tile: vec3u,
  #if SHARED_LOADS
  @builtin(subgroup_invocation_id) subgroupLane: u32,
  #endif
  @builtin(local_invocation_id) local: vec3u,
) {
  #if WAVEFRONT
  instance = tile.z + params.layer;
  #else
  instance = tile.z;
  #endif
  let lane = local.x;
  let firstRow = tile.y * ROWS;
  let rows = params.chunkSteps * params.rows;
  // Rows beyond the last are computed from some row before it, and not written.
  var at: array<u32, LOADS>;
  #if SHARED_LOADS
  @unroll for (var j = 0u; j < LOADS; j++) {
    let row = firstRow + min(j * SHARERS + subgroupLane, ROWS - 1u);
    at[j] = inputAt(row / params.rows, row % params.rows) >> INPUT_SHIFT;
  }
  #else
  // One division for all rows: x86 has no vector division of integers, so CPU adapters divide lane by lane.
  var chunkStep = firstRow / params.rows;
  var batchRow = firstRow % params.rows;
  @unroll for (var j = 0u; j < LOADS; j++) {
    at[j] = inputAt(chunkStep, batchRow) >> INPUT_SHIFT;
    batchRow += 1u;
    if (batchRow == params.rows) { batchRow = 0u; chunkStep += 1u; }
  }
  #endif

  var acc: array<array<f32, ROWS>, COLUMNS>;
  for (var k = 0u; k < K4; k++) {
    let weightsAt = ((instance * TILES + tile.x) * K4 + k) * LANES * COLUMNS + lane;
    MULTIPLY;
  }

  @unroll for (var c = 0u; c < COLUMNS; c++) {
    let column = (tile.x * COLUMNS + c) * LANES + lane;
    if (column < GATE_COLUMNS) {
      #if BIAS
      let bias = b[instance * GATE_COLUMNS + column];
      #else
      const bias = 0.0;
      #endif
      #if SCALED
      let scale = scale_w(instance * TILES + tile.x, c * LANES + lane);
      #else
      const scale = 1.0;
      #endif
      @unroll for (var row = 0u; row < ROWS; row++) {
        if (firstRow + row < rows) {
          xw[(XW_INSTANCE * rows + firstRow + row) * GATE_COLUMNS + column] = acc[c][row] * scale + bias;
        }
      }
    }
  }
}
