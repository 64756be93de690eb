// Matrix products with a block of results in registers, read straight from memory: neighbouring
// invocations read neighbouring columns of B and the same elements of A, so the caches serve as tiles
// do, without barriers. Measured against tiles in workgroup memory on SwiftShader: 4 times as fast at
// 256³, 10 times for one row.
//
//   acc[r][c] += A[row + r, k] · B[k, col + c·LANES]        over one slice of K
//
// Grid       flat: tiles of TILE_COLUMNS columns, then of TILE_ROWS rows, then the batch.
// Workgroup  LANES × SLICES × ROW_GROUPS invocations. Lanes are neighbouring columns (coalesced). SLICES
//            invocations share the sums of a block over K (split-K) through workgroup memory.
// Registers  ROWS·COLUMNS sums: one load of A serves COLUMNS sums, one load of B serves ROWS.
// Buffers    A    [batch, M, K], or [batch, K, M] transposed; vec4 along K where VECTOR
//            B    [batch, K, N], or [batch, N, K] transposed
//            C    [M, N] by the strides cRow and cCol
//            out  [batch, M, N] = alpha · A · B + beta · C
#if SPLIT_K
var<workgroup> partial: array<Scalar, SLICES * ROWS * COLUMNS * LANES>;
#endif

fn store(row: u32, col: u32, batch: u32, sum: Scalar) {
  if (row >= params.m || col >= params.n) { return; }
  #if FLOAT
  var y = sum * params.alpha;
  #else
  var y = sum;
  #endif
  #if BIAS
  y += BETA * C[row * params.cRow + col * params.cCol];
  #endif
  out[(batch * params.m + row) * params.n + col] = y;
}

@compute @workgroup_size(LANES * SLICES * ROW_GROUPS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let across = (params.n + TILE_COLUMNS - 1u) / TILE_COLUMNS;
  let down = (params.m + TILE_ROWS - 1u) / TILE_ROWS;
  let tile = group.x + group.y * grid.x;
  let lane = local % LANES;
  let slice = local / LANES % SLICES;
  let col = tile % across * TILE_COLUMNS + lane;
  let row = (tile / across % down * ROW_GROUPS + local / (LANES * SLICES)) * ROWS;
  let batch = tile / across / down;
  #if BATCHED
  BATCH_OFFSETS;
  #else
  const aBatch = 0u;
  const bBatch = 0u;
  #endif
  // Rows and columns beyond the last are computed from the last, and not written.
  var aAt: array<u32, ROWS>;
  @unroll for (var r = 0u; r < ROWS; r++) {
    aAt[r] = (aBatch + min(row + r, params.m - 1u) * A_ROW_STRIDE) / A_WIDTH;
  }
  var bAt: array<u32, COLUMNS>;
  @unroll for (var c = 0u; c < COLUMNS; c++) {
    bAt[c] = bBatch + min(col + c * LANES, params.n - 1u) * B_COLUMN_STRIDE;
  }
  var acc: array<array<Scalar, COLUMNS>, ROWS>;
  for (var i = 0u; i < MAX_TRIP_COUNT; i++) {
    let k = i * SLICES + slice;
    if (k >= params.k / A_WIDTH) { break; }
    #if VECTOR
    var a: array<vec4f, ROWS>;
    @unroll for (var r = 0u; r < ROWS; r++) { a[r] = A[aAt[r] + k]; }
    @unroll for (var j = 0u; j < 4; j++) {
      var b: array<Scalar, COLUMNS>;
      @unroll for (var c = 0u; c < COLUMNS; c++) { b[c] = B[bAt[c] + (k * 4u + j) * B_K_STRIDE]; }
      @unroll for (var r = 0u; r < ROWS; r++) {
        @unroll for (var c = 0u; c < COLUMNS; c++) { acc[r][c] += a[r][j] * b[c]; }
      }
    }
    #else
    var b: array<Scalar, COLUMNS>;
    @unroll for (var c = 0u; c < COLUMNS; c++) { b[c] = B[bAt[c] + k * B_K_STRIDE]; }
    @unroll for (var r = 0u; r < ROWS; r++) {
      let a = A[aAt[r] + k * A_K_STRIDE];
      @unroll for (var c = 0u; c < COLUMNS; c++) { acc[r][c] += a * b[c]; }
    }
    #endif
  }
  #if SPLIT_K
  @unroll for (var r = 0u; r < ROWS; r++) {
    @unroll for (var c = 0u; c < COLUMNS; c++) {
      partial[((slice * ROWS + r) * COLUMNS + c) * LANES + lane] = acc[r][c];
    }
  }
  workgroupBarrier();
  // Slice s finishes results s, s + SLICES, …
  for (var result = slice; result < ROWS * COLUMNS; result += SLICES) {
    var sum = Scalar(0);
    for (var part = 0u; part < SLICES; part++) {
      sum += partial[(part * ROWS * COLUMNS + result) * LANES + lane];
    }
    store(row + result / COLUMNS, col + result % COLUMNS * LANES, batch, sum);
  }
  #else
  @unroll for (var r = 0u; r < ROWS; r++) {
    @unroll for (var c = 0u; c < COLUMNS; c++) {
      store(row + r, col + c * LANES, batch, acc[r][c]);
    }
  }
  #endif
}
