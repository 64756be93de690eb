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
const ROWS = 8u;
const COLUMNS = 4u;
const LANES = 16u;
const SLICES = 4u;
const ROW_GROUPS = 1u;
const TILE_ROWS = 8u;
const TILE_COLUMNS = 64u;
const A_WIDTH = 4u;
const MAX_TRIP_COUNT = 1073741824u;
struct Params { m: u32, n: u32, k: u32, alpha: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> A: array<vec4f>;
@group(0) @binding(2) var<storage, read> B: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
var<workgroup> partial: array<f32, SLICES * ROWS * COLUMNS * LANES>;
fn store(row: u32, col: u32, batch: u32, sum: f32) {
  if (row >= params.m || col >= params.n) { return; }
  var y = sum * params.alpha;
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
  const aBatch = 0u;
  const bBatch = 0u;
  // Rows and columns beyond the last are computed from the last, and not written.
  var aAt: array<u32, ROWS>;
  aAt[0u] = (aBatch + min(row + 0u, params.m - 1u) * params.k) / A_WIDTH;
  aAt[1u] = (aBatch + min(row + 1u, params.m - 1u) * params.k) / A_WIDTH;
  aAt[2u] = (aBatch + min(row + 2u, params.m - 1u) * params.k) / A_WIDTH;
  aAt[3u] = (aBatch + min(row + 3u, params.m - 1u) * params.k) / A_WIDTH;
  aAt[4u] = (aBatch + min(row + 4u, params.m - 1u) * params.k) / A_WIDTH;
  aAt[5u] = (aBatch + min(row + 5u, params.m - 1u) * params.k) / A_WIDTH;
  aAt[6u] = (aBatch + min(row + 6u, params.m - 1u) * params.k) / A_WIDTH;
  aAt[7u] = (aBatch + min(row + 7u, params.m - 1u) * params.k) / A_WIDTH;
  var bAt: array<u32, COLUMNS>;
  bAt[0u] = bBatch + min(col + 0u * LANES, params.n - 1u) * 1u;
  bAt[1u] = bBatch + min(col + 1u * LANES, params.n - 1u) * 1u;
  bAt[2u] = bBatch + min(col + 2u * LANES, params.n - 1u) * 1u;
  bAt[3u] = bBatch + min(col + 3u * LANES, params.n - 1u) * 1u;
  var acc: array<array<f32, COLUMNS>, ROWS>;
  for (var i = 0u; i < MAX_TRIP_COUNT; i++) {
    let k = i * SLICES + slice;
    if (k >= params.k / A_WIDTH) { break; }
    var a: array<vec4f, ROWS>;
    a[0u] = A[aAt[0u] + k];
    a[1u] = A[aAt[1u] + k];
    a[2u] = A[aAt[2u] + k];
    a[3u] = A[aAt[3u] + k];
    a[4u] = A[aAt[4u] + k];
    a[5u] = A[aAt[5u] + k];
    a[6u] = A[aAt[6u] + k];
    a[7u] = A[aAt[7u] + k];
    {
      var b: array<f32, COLUMNS>;
      b[0u] = B[bAt[0u] + (k * 4u + 0u) * params.n];
      b[1u] = B[bAt[1u] + (k * 4u + 0u) * params.n];
      b[2u] = B[bAt[2u] + (k * 4u + 0u) * params.n];
      b[3u] = B[bAt[3u] + (k * 4u + 0u) * params.n];
      acc[0u][0u] += a[0u][0u] * b[0u];
      acc[0u][1u] += a[0u][0u] * b[1u];
      acc[0u][2u] += a[0u][0u] * b[2u];
      acc[0u][3u] += a[0u][0u] * b[3u];
      acc[1u][0u] += a[1u][0u] * b[0u];
      acc[1u][1u] += a[1u][0u] * b[1u];
      acc[1u][2u] += a[1u][0u] * b[2u];
      acc[1u][3u] += a[1u][0u] * b[3u];
      acc[2u][0u] += a[2u][0u] * b[0u];
      acc[2u][1u] += a[2u][0u] * b[1u];
      acc[2u][2u] += a[2u][0u] * b[2u];
      acc[2u][3u] += a[2u][0u] * b[3u];
      acc[3u][0u] += a[3u][0u] * b[0u];
      acc[3u][1u] += a[3u][0u] * b[1u];
      acc[3u][2u] += a[3u][0u] * b[2u];
      acc[3u][3u] += a[3u][0u] * b[3u];
      acc[4u][0u] += a[4u][0u] * b[0u];
      acc[4u][1u] += a[4u][0u] * b[1u];
      acc[4u][2u] += a[4u][0u] * b[2u];
      acc[4u][3u] += a[4u][0u] * b[3u];
      acc[5u][0u] += a[5u][0u] * b[0u];
      acc[5u][1u] += a[5u][0u] * b[1u];
      acc[5u][2u] += a[5u][0u] * b[2u];
      acc[5u][3u] += a[5u][0u] * b[3u];
      acc[6u][0u] += a[6u][0u] * b[0u];
      acc[6u][1u] += a[6u][0u] * b[1u];
      acc[6u][2u] += a[6u][0u] * b[2u];
      acc[6u][3u] += a[6u][0u] * b[3u];
      acc[7u][0u] += a[7u][0u] * b[0u];
      acc[7u][1u] += a[7u][0u] * b[1u];
      acc[7u][2u] += a[7u][0u] * b[2u];
      acc[7u][3u] += a[7u][0u] * b[3u];
    }
    {
      var b: array<f32, COLUMNS>;
      b[0u] = B[bAt[0u] + (k * 4u + 1u) * params.n];
      b[1u] = B[bAt[1u] + (k * 4u + 1u) * params.n];
      b[2u] = B[bAt[2u] + (k * 4u + 1u) * params.n];
      b[3u] = B[bAt[3u] + (k * 4u + 1u) * params.n];
      acc[0u][0u] += a[0u][1u] * b[0u];
      acc[0u][1u] += a[0u][1u] * b[1u];
      acc[0u][2u] += a[0u][1u] * b[2u];
      acc[0u][3u] += a[0u][1u] * b[3u];
      acc[1u][0u] += a[1u][1u] * b[0u];
      acc[1u][1u] += a[1u][1u] * b[1u];
      acc[1u][2u] += a[1u][1u] * b[2u];
      acc[1u][3u] += a[1u][1u] * b[3u];
      acc[2u][0u] += a[2u][1u] * b[0u];
      acc[2u][1u] += a[2u][1u] * b[1u];
      acc[2u][2u] += a[2u][1u] * b[2u];
      acc[2u][3u] += a[2u][1u] * b[3u];
      acc[3u][0u] += a[3u][1u] * b[0u];
      acc[3u][1u] += a[3u][1u] * b[1u];
      acc[3u][2u] += a[3u][1u] * b[2u];
      acc[3u][3u] += a[3u][1u] * b[3u];
      acc[4u][0u] += a[4u][1u] * b[0u];
      acc[4u][1u] += a[4u][1u] * b[1u];
      acc[4u][2u] += a[4u][1u] * b[2u];
      acc[4u][3u] += a[4u][1u] * b[3u];
      acc[5u][0u] += a[5u][1u] * b[0u];
      acc[5u][1u] += a[5u][1u] * b[1u];
      acc[5u][2u] += a[5u][1u] * b[2u];
      acc[5u][3u] += a[5u][1u] * b[3u];
      acc[6u][0u] += a[6u][1u] * b[0u];
      acc[6u][1u] += a[6u][1u] * b[1u];
      acc[6u][2u] += a[6u][1u] * b[2u];
      acc[6u][3u] += a[6u][1u] * b[3u];
      acc[7u][0u] += a[7u][1u] * b[0u];
      acc[7u][1u] += a[7u][1u] * b[1u];
      acc[7u][2u] += a[7u][1u] * b[2u];
      acc[7u][3u] += a[7u][1u] * b[3u];
    }
    {
      var b: array<f32, COLUMNS>;
      b[0u] = B[bAt[0u] + (k * 4u + 2u) * params.n];
      b[1u] = B[bAt[1u] + (k * 4u + 2u) * params.n];
      b[2u] = B[bAt[2u] + (k * 4u + 2u) * params.n];
      b[3u] = B[bAt[3u] + (k * 4u + 2u) * params.n];
      acc[0u][0u] += a[0u][2u] * b[0u];
      acc[0u][1u] += a[0u][2u] * b[1u];
      acc[0u][2u] += a[0u][2u] * b[2u];
      acc[0u][3u] += a[0u][2u] * b[3u];
      acc[1u][0u] += a[1u][2u] * b[0u];
      acc[1u][1u] += a[1u][2u] * b[1u];
      acc[1u][2u] += a[1u][2u] * b[2u];
      acc[1u][3u] += a[1u][2u] * b[3u];
      acc[2u][0u] += a[2u][2u] * b[0u];
      acc[2u][1u] += a[2u][2u] * b[1u];
      acc[2u][2u] += a[2u][2u] * b[2u];
      acc[2u][3u] += a[2u][2u] * b[3u];
      acc[3u][0u] += a[3u][2u] * b[0u];
      acc[3u][1u] += a[3u][2u] * b[1u];
      acc[3u][2u] += a[3u][2u] * b[2u];
      acc[3u][3u] += a[3u][2u] * b[3u];
      acc[4u][0u] += a[4u][2u] * b[0u];
      acc[4u][1u] += a[4u][2u] * b[1u];
      acc[4u][2u] += a[4u][2u] * b[2u];
      acc[4u][3u] += a[4u][2u] * b[3u];
      acc[5u][0u] += a[5u][2u] * b[0u];
      acc[5u][1u] += a[5u][2u] * b[1u];
      acc[5u][2u] += a[5u][2u] * b[2u];
      acc[5u][3u] += a[5u][2u] * b[3u];
      acc[6u][0u] += a[6u][2u] * b[0u];
      acc[6u][1u] += a[6u][2u] * b[1u];
      acc[6u][2u] += a[6u][2u] * b[2u];
      acc[6u][3u] += a[6u][2u] * b[3u];
      acc[7u][0u] += a[7u][2u] * b[0u];
      acc[7u][1u] += a[7u][2u] * b[1u];
      acc[7u][2u] += a[7u][2u] * b[2u];
      acc[7u][3u] += a[7u][2u] * b[3u];
    }
    {
      var b: array<f32, COLUMNS>;
      b[0u] = B[bAt[0u] + (k * 4u + 3u) * params.n];
      b[1u] = B[bAt[1u] + (k * 4u + 3u) * params.n];
      b[2u] = B[bAt[2u] + (k * 4u + 3u) * params.n];
      b[3u] = B[bAt[3u] + (k * 4u + 3u) * params.n];
      acc[0u][0u] += a[0u][3u] * b[0u];
      acc[0u][1u] += a[0u][3u] * b[1u];
      acc[0u][2u] += a[0u][3u] * b[2u];
      acc[0u][3u] += a[0u][3u] * b[3u];
      acc[1u][0u] += a[1u][3u] * b[0u];
      acc[1u][1u] += a[1u][3u] * b[1u];
      acc[1u][2u] += a[1u][3u] * b[2u];
      acc[1u][3u] += a[1u][3u] * b[3u];
      acc[2u][0u] += a[2u][3u] * b[0u];
      acc[2u][1u] += a[2u][3u] * b[1u];
      acc[2u][2u] += a[2u][3u] * b[2u];
      acc[2u][3u] += a[2u][3u] * b[3u];
      acc[3u][0u] += a[3u][3u] * b[0u];
      acc[3u][1u] += a[3u][3u] * b[1u];
      acc[3u][2u] += a[3u][3u] * b[2u];
      acc[3u][3u] += a[3u][3u] * b[3u];
      acc[4u][0u] += a[4u][3u] * b[0u];
      acc[4u][1u] += a[4u][3u] * b[1u];
      acc[4u][2u] += a[4u][3u] * b[2u];
      acc[4u][3u] += a[4u][3u] * b[3u];
      acc[5u][0u] += a[5u][3u] * b[0u];
      acc[5u][1u] += a[5u][3u] * b[1u];
      acc[5u][2u] += a[5u][3u] * b[2u];
      acc[5u][3u] += a[5u][3u] * b[3u];
      acc[6u][0u] += a[6u][3u] * b[0u];
      acc[6u][1u] += a[6u][3u] * b[1u];
      acc[6u][2u] += a[6u][3u] * b[2u];
      acc[6u][3u] += a[6u][3u] * b[3u];
      acc[7u][0u] += a[7u][3u] * b[0u];
      acc[7u][1u] += a[7u][3u] * b[1u];
      acc[7u][2u] += a[7u][3u] * b[2u];
      acc[7u][3u] += a[7u][3u] * b[3u];
    }
  }
  partial[((slice * ROWS + 0u) * COLUMNS + 0u) * LANES + lane] = acc[0u][0u];
  partial[((slice * ROWS + 0u) * COLUMNS + 1u) * LANES + lane] = acc[0u][1u];
  partial[((slice * ROWS + 0u) * COLUMNS + 2u) * LANES + lane] = acc[0u][2u];
  partial[((slice * ROWS + 0u) * COLUMNS + 3u) * LANES + lane] = acc[0u][3u];
  partial[((slice * ROWS + 1u) * COLUMNS + 0u) * LANES + lane] = acc[1u][0u];
  partial[((slice * ROWS + 1u) * COLUMNS + 1u) * LANES + lane] = acc[1u][1u];
  partial[((slice * ROWS + 1u) * COLUMNS + 2u) * LANES + lane] = acc[1u][2u];
  partial[((slice * ROWS + 1u) * COLUMNS + 3u) * LANES + lane] = acc[1u][3u];
  partial[((slice * ROWS + 2u) * COLUMNS + 0u) * LANES + lane] = acc[2u][0u];
  partial[((slice * ROWS + 2u) * COLUMNS + 1u) * LANES + lane] = acc[2u][1u];
  partial[((slice * ROWS + 2u) * COLUMNS + 2u) * LANES + lane] = acc[2u][2u];
  partial[((slice * ROWS + 2u) * COLUMNS + 3u) * LANES + lane] = acc[2u][3u];
  partial[((slice * ROWS + 3u) * COLUMNS + 0u) * LANES + lane] = acc[3u][0u];
  partial[((slice * ROWS + 3u) * COLUMNS + 1u) * LANES + lane] = acc[3u][1u];
  partial[((slice * ROWS + 3u) * COLUMNS + 2u) * LANES + lane] = acc[3u][2u];
  partial[((slice * ROWS + 3u) * COLUMNS + 3u) * LANES + lane] = acc[3u][3u];
  partial[((slice * ROWS + 4u) * COLUMNS + 0u) * LANES + lane] = acc[4u][0u];
  partial[((slice * ROWS + 4u) * COLUMNS + 1u) * LANES + lane] = acc[4u][1u];
  partial[((slice * ROWS + 4u) * COLUMNS + 2u) * LANES + lane] = acc[4u][2u];
  partial[((slice * ROWS + 4u) * COLUMNS + 3u) * LANES + lane] = acc[4u][3u];
  partial[((slice * ROWS + 5u) * COLUMNS + 0u) * LANES + lane] = acc[5u][0u];
  partial[((slice * ROWS + 5u) * COLUMNS + 1u) * LANES + lane] = acc[5u][1u];
  partial[((slice * ROWS + 5u) * COLUMNS + 2u) * LANES + lane] = acc[5u][2u];
  partial[((slice * ROWS + 5u) * COLUMNS + 3u) * LANES + lane] = acc[5u][3u];
  partial[((slice * ROWS + 6u) * COLUMNS + 0u) * LANES + lane] = acc[6u][0u];
  partial[((slice * ROWS + 6u) * COLUMNS + 1u) * LANES + lane] = acc[6u][1u];
  partial[((slice * ROWS + 6u) * COLUMNS + 2u) * LANES + lane] = acc[6u][2u];
  partial[((slice * ROWS + 6u) * COLUMNS + 3u) * LANES + lane] = acc[6u][3u];
  partial[((slice * ROWS + 7u) * COLUMNS + 0u) * LANES + lane] = acc[7u][0u];
  partial[((slice * ROWS + 7u) * COLUMNS + 1u) * LANES + lane] = acc[7u][1u];
  partial[((slice * ROWS + 7u) * COLUMNS + 2u) * LANES + lane] = acc[7u][2u];
  partial[((slice * ROWS + 7u) * COLUMNS + 3u) * LANES + lane] = acc[7u][3u];
  workgroupBarrier();
  // Slice s finishes results s, s + SLICES, …
  for (var result = slice; result < ROWS * COLUMNS; result += SLICES) {
    var sum = f32(0);
    for (var part = 0u; part < SLICES; part++) {
      sum += partial[(part * ROWS * COLUMNS + result) * LANES + lane];
    }
    store(row + result / COLUMNS, col + result % COLUMNS * LANES, batch, sum);
  }
}
