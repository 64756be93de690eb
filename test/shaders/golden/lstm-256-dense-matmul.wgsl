struct Params { m: u32, n: u32, k: u32, alpha: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> A: array<vec4f>;
@group(0) @binding(2) var<storage, read> B: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
var<workgroup> parts: array<f32, 2048>;
fn store(row: u32, col: u32, batch: u32, sum: f32) {
  if (row >= params.m || col >= params.n) { return; }
  var y = sum * params.alpha;
  out[(batch * params.m + row) * params.n + col] = y;
}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) lid: u32) {
  let across = (params.n + 63u) / 64u;
  let down = (params.m + 7u) / 8u;
  let block = group.x + group.y * grid.x;
  let lane = lid % 16u;
  let slice = lid / 16u % 4u;
  let col = block % across * 64u + lane;
  let row = (block / across % down * 1u + lid / 64u) * 8u;
  let batch = block / across / down;
  let aBatch = 0u; let bBatch = 0u;
  let aRow0 = (aBatch + min(row + 0u, params.m - 1u) * params.k) / 4u;
  let aRow1 = (aBatch + min(row + 1u, params.m - 1u) * params.k) / 4u;
  let aRow2 = (aBatch + min(row + 2u, params.m - 1u) * params.k) / 4u;
  let aRow3 = (aBatch + min(row + 3u, params.m - 1u) * params.k) / 4u;
  let aRow4 = (aBatch + min(row + 4u, params.m - 1u) * params.k) / 4u;
  let aRow5 = (aBatch + min(row + 5u, params.m - 1u) * params.k) / 4u;
  let aRow6 = (aBatch + min(row + 6u, params.m - 1u) * params.k) / 4u;
  let aRow7 = (aBatch + min(row + 7u, params.m - 1u) * params.k) / 4u;
  let bCol0 = bBatch + min(col + 0u, params.n - 1u);
  let bCol1 = bBatch + min(col + 16u, params.n - 1u);
  let bCol2 = bBatch + min(col + 32u, params.n - 1u);
  let bCol3 = bBatch + min(col + 48u, params.n - 1u);
  var sum0_0 = f32(0); var sum0_1 = f32(0); var sum0_2 = f32(0); var sum0_3 = f32(0);
  var sum1_0 = f32(0); var sum1_1 = f32(0); var sum1_2 = f32(0); var sum1_3 = f32(0);
  var sum2_0 = f32(0); var sum2_1 = f32(0); var sum2_2 = f32(0); var sum2_3 = f32(0);
  var sum3_0 = f32(0); var sum3_1 = f32(0); var sum3_2 = f32(0); var sum3_3 = f32(0);
  var sum4_0 = f32(0); var sum4_1 = f32(0); var sum4_2 = f32(0); var sum4_3 = f32(0);
  var sum5_0 = f32(0); var sum5_1 = f32(0); var sum5_2 = f32(0); var sum5_3 = f32(0);
  var sum6_0 = f32(0); var sum6_1 = f32(0); var sum6_2 = f32(0); var sum6_3 = f32(0);
  var sum7_0 = f32(0); var sum7_1 = f32(0); var sum7_2 = f32(0); var sum7_3 = f32(0);
  for (var lap = 0u; lap < 0x40000000u; lap++) {
    let k = lap * 4u + slice;
    if (k >= params.k / 4u) { break; }
    let a0 = A[aRow0 + k]; let a1 = A[aRow1 + k]; let a2 = A[aRow2 + k]; let a3 = A[aRow3 + k]; let a4 = A[aRow4 + k]; let a5 = A[aRow5 + k]; let a6 = A[aRow6 + k]; let a7 = A[aRow7 + k];
    { let b0 = B[bCol0 + (k * 4u + 0u) * params.n]; let b1 = B[bCol1 + (k * 4u + 0u) * params.n]; let b2 = B[bCol2 + (k * 4u + 0u) * params.n]; let b3 = B[bCol3 + (k * 4u + 0u) * params.n];
      sum0_0 += a0[0] * b0; sum0_1 += a0[0] * b1; sum0_2 += a0[0] * b2; sum0_3 += a0[0] * b3;
      sum1_0 += a1[0] * b0; sum1_1 += a1[0] * b1; sum1_2 += a1[0] * b2; sum1_3 += a1[0] * b3;
      sum2_0 += a2[0] * b0; sum2_1 += a2[0] * b1; sum2_2 += a2[0] * b2; sum2_3 += a2[0] * b3;
      sum3_0 += a3[0] * b0; sum3_1 += a3[0] * b1; sum3_2 += a3[0] * b2; sum3_3 += a3[0] * b3;
      sum4_0 += a4[0] * b0; sum4_1 += a4[0] * b1; sum4_2 += a4[0] * b2; sum4_3 += a4[0] * b3;
      sum5_0 += a5[0] * b0; sum5_1 += a5[0] * b1; sum5_2 += a5[0] * b2; sum5_3 += a5[0] * b3;
      sum6_0 += a6[0] * b0; sum6_1 += a6[0] * b1; sum6_2 += a6[0] * b2; sum6_3 += a6[0] * b3;
      sum7_0 += a7[0] * b0; sum7_1 += a7[0] * b1; sum7_2 += a7[0] * b2; sum7_3 += a7[0] * b3; }
    { let b0 = B[bCol0 + (k * 4u + 1u) * params.n]; let b1 = B[bCol1 + (k * 4u + 1u) * params.n]; let b2 = B[bCol2 + (k * 4u + 1u) * params.n]; let b3 = B[bCol3 + (k * 4u + 1u) * params.n];
      sum0_0 += a0[1] * b0; sum0_1 += a0[1] * b1; sum0_2 += a0[1] * b2; sum0_3 += a0[1] * b3;
      sum1_0 += a1[1] * b0; sum1_1 += a1[1] * b1; sum1_2 += a1[1] * b2; sum1_3 += a1[1] * b3;
      sum2_0 += a2[1] * b0; sum2_1 += a2[1] * b1; sum2_2 += a2[1] * b2; sum2_3 += a2[1] * b3;
      sum3_0 += a3[1] * b0; sum3_1 += a3[1] * b1; sum3_2 += a3[1] * b2; sum3_3 += a3[1] * b3;
      sum4_0 += a4[1] * b0; sum4_1 += a4[1] * b1; sum4_2 += a4[1] * b2; sum4_3 += a4[1] * b3;
      sum5_0 += a5[1] * b0; sum5_1 += a5[1] * b1; sum5_2 += a5[1] * b2; sum5_3 += a5[1] * b3;
      sum6_0 += a6[1] * b0; sum6_1 += a6[1] * b1; sum6_2 += a6[1] * b2; sum6_3 += a6[1] * b3;
      sum7_0 += a7[1] * b0; sum7_1 += a7[1] * b1; sum7_2 += a7[1] * b2; sum7_3 += a7[1] * b3; }
    { let b0 = B[bCol0 + (k * 4u + 2u) * params.n]; let b1 = B[bCol1 + (k * 4u + 2u) * params.n]; let b2 = B[bCol2 + (k * 4u + 2u) * params.n]; let b3 = B[bCol3 + (k * 4u + 2u) * params.n];
      sum0_0 += a0[2] * b0; sum0_1 += a0[2] * b1; sum0_2 += a0[2] * b2; sum0_3 += a0[2] * b3;
      sum1_0 += a1[2] * b0; sum1_1 += a1[2] * b1; sum1_2 += a1[2] * b2; sum1_3 += a1[2] * b3;
      sum2_0 += a2[2] * b0; sum2_1 += a2[2] * b1; sum2_2 += a2[2] * b2; sum2_3 += a2[2] * b3;
      sum3_0 += a3[2] * b0; sum3_1 += a3[2] * b1; sum3_2 += a3[2] * b2; sum3_3 += a3[2] * b3;
      sum4_0 += a4[2] * b0; sum4_1 += a4[2] * b1; sum4_2 += a4[2] * b2; sum4_3 += a4[2] * b3;
      sum5_0 += a5[2] * b0; sum5_1 += a5[2] * b1; sum5_2 += a5[2] * b2; sum5_3 += a5[2] * b3;
      sum6_0 += a6[2] * b0; sum6_1 += a6[2] * b1; sum6_2 += a6[2] * b2; sum6_3 += a6[2] * b3;
      sum7_0 += a7[2] * b0; sum7_1 += a7[2] * b1; sum7_2 += a7[2] * b2; sum7_3 += a7[2] * b3; }
    { let b0 = B[bCol0 + (k * 4u + 3u) * params.n]; let b1 = B[bCol1 + (k * 4u + 3u) * params.n]; let b2 = B[bCol2 + (k * 4u + 3u) * params.n]; let b3 = B[bCol3 + (k * 4u + 3u) * params.n];
      sum0_0 += a0[3] * b0; sum0_1 += a0[3] * b1; sum0_2 += a0[3] * b2; sum0_3 += a0[3] * b3;
      sum1_0 += a1[3] * b0; sum1_1 += a1[3] * b1; sum1_2 += a1[3] * b2; sum1_3 += a1[3] * b3;
      sum2_0 += a2[3] * b0; sum2_1 += a2[3] * b1; sum2_2 += a2[3] * b2; sum2_3 += a2[3] * b3;
      sum3_0 += a3[3] * b0; sum3_1 += a3[3] * b1; sum3_2 += a3[3] * b2; sum3_3 += a3[3] * b3;
      sum4_0 += a4[3] * b0; sum4_1 += a4[3] * b1; sum4_2 += a4[3] * b2; sum4_3 += a4[3] * b3;
      sum5_0 += a5[3] * b0; sum5_1 += a5[3] * b1; sum5_2 += a5[3] * b2; sum5_3 += a5[3] * b3;
      sum6_0 += a6[3] * b0; sum6_1 += a6[3] * b1; sum6_2 += a6[3] * b2; sum6_3 += a6[3] * b3;
      sum7_0 += a7[3] * b0; sum7_1 += a7[3] * b1; sum7_2 += a7[3] * b2; sum7_3 += a7[3] * b3; }
  }
  parts[(slice * 32u + 0u) * 16u + lane] = sum0_0; parts[(slice * 32u + 1u) * 16u + lane] = sum0_1; parts[(slice * 32u + 2u) * 16u + lane] = sum0_2; parts[(slice * 32u + 3u) * 16u + lane] = sum0_3;
  parts[(slice * 32u + 4u) * 16u + lane] = sum1_0; parts[(slice * 32u + 5u) * 16u + lane] = sum1_1; parts[(slice * 32u + 6u) * 16u + lane] = sum1_2; parts[(slice * 32u + 7u) * 16u + lane] = sum1_3;
  parts[(slice * 32u + 8u) * 16u + lane] = sum2_0; parts[(slice * 32u + 9u) * 16u + lane] = sum2_1; parts[(slice * 32u + 10u) * 16u + lane] = sum2_2; parts[(slice * 32u + 11u) * 16u + lane] = sum2_3;
  parts[(slice * 32u + 12u) * 16u + lane] = sum3_0; parts[(slice * 32u + 13u) * 16u + lane] = sum3_1; parts[(slice * 32u + 14u) * 16u + lane] = sum3_2; parts[(slice * 32u + 15u) * 16u + lane] = sum3_3;
  parts[(slice * 32u + 16u) * 16u + lane] = sum4_0; parts[(slice * 32u + 17u) * 16u + lane] = sum4_1; parts[(slice * 32u + 18u) * 16u + lane] = sum4_2; parts[(slice * 32u + 19u) * 16u + lane] = sum4_3;
  parts[(slice * 32u + 20u) * 16u + lane] = sum5_0; parts[(slice * 32u + 21u) * 16u + lane] = sum5_1; parts[(slice * 32u + 22u) * 16u + lane] = sum5_2; parts[(slice * 32u + 23u) * 16u + lane] = sum5_3;
  parts[(slice * 32u + 24u) * 16u + lane] = sum6_0; parts[(slice * 32u + 25u) * 16u + lane] = sum6_1; parts[(slice * 32u + 26u) * 16u + lane] = sum6_2; parts[(slice * 32u + 27u) * 16u + lane] = sum6_3;
  parts[(slice * 32u + 28u) * 16u + lane] = sum7_0; parts[(slice * 32u + 29u) * 16u + lane] = sum7_1; parts[(slice * 32u + 30u) * 16u + lane] = sum7_2; parts[(slice * 32u + 31u) * 16u + lane] = sum7_3;
  workgroupBarrier();
  for (var lap = 0u; lap < 8u; lap++) {
    let result = lap * 4u + slice;
    if (result >= 32u) { break; }
    var sum = f32(0);
    for (var part = 0u; part < 4u; part++) {
      sum += parts[(part * 32u + result) * 16u + lane];
    }
    store(row + result / 4u, col + result % 4u * 16u, batch, sum);
  }
}
