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
const LANES = 64u;
const COLUMNS = 2u;
const GATE_COLUMNS = 160u;
const TILES = 2u;
const K4 = 10u;
const FEATURES = 40u;
const INPUT_SHIFT = 2u;
const ROWS = 4u;
const LOADS = 4u;
struct Params { rows: u32, steps: u32, chunkSteps: u32, start: u32, xT: u32, xB: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> w: array<u32>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read_write> xw: array<f32>;
fn loadInput(at: u32, k: u32) -> vec4f { return x[at + k]; }
fn load_w(at: u32) -> vec4f { return unpack4x8snorm(w[at]); }
fn scale_w(group: u32, column: u32) -> f32 {
  return bitcast<f32>(w[5120u + group * 128u + column]);
}
fn lengthOf(row: u32) -> u32 {
  return params.steps;
}
fn timeOf(row: u32, step: u32) -> u32 {
  let length = lengthOf(row);
  return select(step, length - 1u - step, instance == 1u && step < length);
}
var<private> instance: u32; // direction, or layer of a wavefront less one
fn inputAt(chunkStep: u32, row: u32) -> u32 {
  let t = min(timeOf(row, params.start + chunkStep), params.steps - 1u);
  return t * params.xT + row * params.xB;
}
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) tile: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  instance = tile.z;
  let lane = local.x;
  let firstRow = tile.y * ROWS;
  let rows = params.chunkSteps * params.rows;
  // Rows beyond the last are computed from some row before it, and not written.
  var at: array<u32, LOADS>;
  // One division for all rows: x86 has no vector division of integers, so CPU adapters divide lane by lane.
  var chunkStep = firstRow / params.rows;
  var batchRow = firstRow % params.rows;
  at[0u] = inputAt(chunkStep, batchRow) >> INPUT_SHIFT;
  batchRow += 1u;
  if (batchRow == params.rows) { batchRow = 0u; chunkStep += 1u; }
  at[1u] = inputAt(chunkStep, batchRow) >> INPUT_SHIFT;
  batchRow += 1u;
  if (batchRow == params.rows) { batchRow = 0u; chunkStep += 1u; }
  at[2u] = inputAt(chunkStep, batchRow) >> INPUT_SHIFT;
  batchRow += 1u;
  if (batchRow == params.rows) { batchRow = 0u; chunkStep += 1u; }
  at[3u] = inputAt(chunkStep, batchRow) >> INPUT_SHIFT;
  batchRow += 1u;
  if (batchRow == params.rows) { batchRow = 0u; chunkStep += 1u; }
  var acc: array<array<f32, ROWS>, COLUMNS>;
  for (var k = 0u; k < K4; k++) {
    let weightsAt = ((instance * TILES + tile.x) * K4 + k) * LANES * COLUMNS + lane;
    // Four terms of the sums of a tile, for one vec4 along K:
    //
    //   acc[s][row] += W[s, k … k+3] · v[row, k … k+3]        for all sums s and rows of the invocation
    //
    // Statements of step.wgsl, project.wgsl and persistent.wgsl, which name what is multiplied: load_w(weightsAt + s * LANES) is the
    // load of W for sum `s`, loadInput(at[j], k) the load of v for row `j`. One load of W serves ROWS rows, one load of v
    // COLUMNS sums (register blocking). Sums are f32 whatever the type of the weights.
    var weights: array<vec4f, COLUMNS>;
    weights[0u] = load_w(weightsAt + 0u * LANES);
    weights[1u] = load_w(weightsAt + 1u * LANES);
    var vectors: array<vec4f, LOADS>;
    vectors[0u] = loadInput(at[0u], k);
    vectors[1u] = loadInput(at[1u], k);
    vectors[2u] = loadInput(at[2u], k);
    vectors[3u] = loadInput(at[3u], k);
    {
      let v = vec4f(vectors[0u]);
      acc[0u][0u] += f32(dot(weights[0u], v));
      acc[1u][0u] += f32(dot(weights[1u], v));
    }
    {
      let v = vec4f(vectors[1u]);
      acc[0u][1u] += f32(dot(weights[0u], v));
      acc[1u][1u] += f32(dot(weights[1u], v));
    }
    {
      let v = vec4f(vectors[2u]);
      acc[0u][2u] += f32(dot(weights[0u], v));
      acc[1u][2u] += f32(dot(weights[1u], v));
    }
    {
      let v = vec4f(vectors[3u]);
      acc[0u][3u] += f32(dot(weights[0u], v));
      acc[1u][3u] += f32(dot(weights[1u], v));
    }
    ;
  }
  {
    let column = (tile.x * COLUMNS + 0u) * LANES + lane;
    if (column < GATE_COLUMNS) {
      let bias = b[instance * GATE_COLUMNS + column];
      let scale = scale_w(instance * TILES + tile.x, 0u * LANES + lane);
      if (firstRow + 0u < rows) {
        xw[(instance * rows + firstRow + 0u) * GATE_COLUMNS + column] = acc[0u][0u] * scale + bias;
      }
      if (firstRow + 1u < rows) {
        xw[(instance * rows + firstRow + 1u) * GATE_COLUMNS + column] = acc[0u][1u] * scale + bias;
      }
      if (firstRow + 2u < rows) {
        xw[(instance * rows + firstRow + 2u) * GATE_COLUMNS + column] = acc[0u][2u] * scale + bias;
      }
      if (firstRow + 3u < rows) {
        xw[(instance * rows + firstRow + 3u) * GATE_COLUMNS + column] = acc[0u][3u] * scale + bias;
      }
    }
  }
  {
    let column = (tile.x * COLUMNS + 1u) * LANES + lane;
    if (column < GATE_COLUMNS) {
      let bias = b[instance * GATE_COLUMNS + column];
      let scale = scale_w(instance * TILES + tile.x, 1u * LANES + lane);
      if (firstRow + 0u < rows) {
        xw[(instance * rows + firstRow + 0u) * GATE_COLUMNS + column] = acc[1u][0u] * scale + bias;
      }
      if (firstRow + 1u < rows) {
        xw[(instance * rows + firstRow + 1u) * GATE_COLUMNS + column] = acc[1u][1u] * scale + bias;
      }
      if (firstRow + 2u < rows) {
        xw[(instance * rows + firstRow + 2u) * GATE_COLUMNS + column] = acc[1u][2u] * scale + bias;
      }
      if (firstRow + 3u < rows) {
        xw[(instance * rows + firstRow + 3u) * GATE_COLUMNS + column] = acc[1u][3u] * scale + bias;
      }
    }
  }
}
