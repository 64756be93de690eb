// One time step of a recurrent layer: the products of the gates with the state, then the cell. The
// portable kernel: one dispatch for each time step and phase of the cell, whatever the sizes.
//
//   acc[gate, unit][row] += R[gate, unit, k … k+3] · h[row, k … k+3]        over one slice of K
//
// Grid       x: tiles of LANES·UNITS hidden units. y: blocks of ROWS batch rows. z: directions of a
//            layer, or layers of a wavefront (`instance`).
// Workgroup  LANES × SLICES invocations. Lanes are neighbouring units, so that they read neighbouring
//            16 bytes of R (coalesced). SLICES invocations share the sums of a unit over K (split-K);
//            they add up through workgroup memory, or within a subgroup by shuffles.
// Registers  GATES·UNITS·ROWS sums: one load of R serves ROWS rows, one load of h GATES·UNITS sums, see
//            product.wgsl.
// Buffers    xw       [D, chunkSteps, B, G·H]   W·x + b, from project.wgsl
//            r        [D][tiles][K4][GATES][UNITS·LANES] vec4 over K, see weights.wgsl; K4 is K/4, padded
//                     to a multiple of SLICES
//            state    h [D, B, O padded], then each other state [D, B, H padded]; vec4f
//            next     the same after the step
//            passed   [names, D, B, H padded], from the phase before; passing: for the next phase
//            A layer of one time step (INPUT_PRODUCT) computes W·x + b on the way and has, instead of xw,
//            state and next:
//            x        [B, I];  w  like r, over I;  b  [D, G·H]
//            NAMEBefore, NAMEAfter   each state by itself, [D, B, O] or [D, B, H]
const LANES = 16u;
const SLICES = 16u;
const UNITS = 1u;
const TILES = 13u;
const PHASE_UNITS = 200u;
const WORKGROUP_X = 16u;
const WORKGROUP_Y = 16u;
const ROWS = 4u;
const LOADS = 4u;
const GATES = 2u;
const SUMS = 2u;
const SPAN = 32u;
const K4 = 64u;
const K_ITERATIONS = 4u;
const OPERAND_STRIDE = 50u;
const HIDDEN_STRIDE = 200u;
const H_STRIDE = 200u;
const ALL_SUMS = 2u;
struct Params { chunkSteps: u32, rows: u32, start: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> r: array<vec4f>;
@group(0) @binding(2) var<storage, read> state: array<vec4f>;
@group(0) @binding(3) var<storage, read> xw: array<f32>;
@group(0) @binding(4) var<storage, read_write> passing: array<f32>;
@group(1) @binding(0) var<uniform> iteration: u32;
struct Place { row: u32, unit: u32, step: u32, chunkStep: u32 }
struct Gates { z: f32, r: f32, h: f32 }
struct State { h: f32 }
struct Passed { u: f32, z: f32 }
fn isNan(x: f32) -> bool { return (bitcast<i32>(x) & 0x7fffffff) > 0x7f800000; }
fn orNan(value: f32, x: f32) -> f32 { return select(value, x, isNan(x)); }
fn sigmoid(x: f32) -> f32 {
  return orNan(1.0 / (1.0 + exp(-clamp(x, -87.0, 87.0))), x);
}
fn clipGate(x: f32) -> f32 { return x; }
fn act0(x: f32) -> f32 { return sigmoid(x); }
fn gru_gates(x: Gates, s: Gates, before: State) -> Passed {
  var passed: Passed;
  passed.z = act0(clipGate(x.z + s.z));
  passed.u = act0(clipGate(x.r + s.r)) * before.h;
  return passed;
}
fn load_r(at: u32) -> vec4f { return r[at]; }
fn loadOperand(at: u32, k: u32) -> vec4f { return state[at + min(k, 49u)]; }
fn toGates(sums: array<f32, 2>) -> Gates {
  return Gates(sums[0], sums[1], 0.0);
}
fn loadX(place: Place) -> Gates {
  let line = (instance * params.chunkSteps + place.chunkStep) * params.rows + place.row;
  let at = line * 600u + place.unit;
  return Gates(xw[at + 0u], xw[at + 200u], 0.0);
}
fn storePassed(place: Place, value: Passed) {
  let at = (instance * params.rows + place.row) * HIDDEN_STRIDE + place.unit;
  passing[at] = value.u;
  passing[at + params.rows * 200u] = value.z;
}
fn loadState(place: Place) -> State {
  let line = instance * params.rows + place.row;
  let at0 = line * H_STRIDE + place.unit;
  return State(state[at0 >> 2u][at0 & 3u]);
}
var<private> instance: u32; // direction, or layer of a wavefront
var<workgroup> partial: array<f32, ALL_SUMS * ROWS * SLICES * LANES>; // sums of h, then those of x
fn sumOfSlices(sum: u32, row: u32, lane: u32) -> f32 {
  var total = 0.0;
  for (var slice = 0u; slice < SLICES; slice++) {
    total += partial[((sum * ROWS + row) * SLICES + slice) * LANES + lane];
  }
  return total;
}
@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y)
fn main(
  @builtin(workgroup_id) tile: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let lane = local.x;
  let slice = local.y;
  instance = tile.z;
  let firstRow = tile.y * ROWS;
  var acc: array<array<f32, ROWS>, SUMS>; // [gate · UNITS + unit][row]
  {
    var rowAt: array<u32, LOADS>;
    {
      let row = 0u;
      rowAt[0u] = (instance * params.rows + min(firstRow + row, params.rows - 1u)) * OPERAND_STRIDE;
    }
    {
      let row = 1u;
      rowAt[1u] = (instance * params.rows + min(firstRow + row, params.rows - 1u)) * OPERAND_STRIDE;
    }
    {
      let row = 2u;
      rowAt[2u] = (instance * params.rows + min(firstRow + row, params.rows - 1u)) * OPERAND_STRIDE;
    }
    {
      let row = 3u;
      rowAt[3u] = (instance * params.rows + min(firstRow + row, params.rows - 1u)) * OPERAND_STRIDE;
    }
    for (var i = 0u; i < K_ITERATIONS; i++) {
      let k = i * SLICES + slice;
      let at = ((instance * TILES + tile.x) * K4 + k) * SPAN + lane;
      // Four terms of the sums of a tile, for one vec4 along K:
      //
      //   acc[s][row] += W[s, k … k+3] · v[row, k … k+3]        for all sums s and rows of the invocation
      //
      // Statements of step.wgsl, project.wgsl and persistent.wgsl, which name what is multiplied: load_r(at + s * LANES) is the
      // load of W for sum `s`, loadOperand(rowAt[j], k) the load of v for row `j`. One load of W serves ROWS rows, one load of v
      // SUMS sums (register blocking). Sums are f32 whatever the type of the weights.
      var weights: array<vec4f, SUMS>;
      weights[0u] = load_r(at + 0u * LANES);
      weights[1u] = load_r(at + 1u * LANES);
      var vectors: array<vec4f, LOADS>;
      vectors[0u] = loadOperand(rowAt[0u], k);
      vectors[1u] = loadOperand(rowAt[1u], k);
      vectors[2u] = loadOperand(rowAt[2u], k);
      vectors[3u] = loadOperand(rowAt[3u], k);
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
  }
  let me = slice * LANES + lane;
  partial[(0u * ROWS + 0u) * SLICES * LANES + me] = acc[0u][0u];
  partial[(0u * ROWS + 1u) * SLICES * LANES + me] = acc[0u][1u];
  partial[(0u * ROWS + 2u) * SLICES * LANES + me] = acc[0u][2u];
  partial[(0u * ROWS + 3u) * SLICES * LANES + me] = acc[0u][3u];
  partial[(1u * ROWS + 0u) * SLICES * LANES + me] = acc[1u][0u];
  partial[(1u * ROWS + 1u) * SLICES * LANES + me] = acc[1u][1u];
  partial[(1u * ROWS + 2u) * SLICES * LANES + me] = acc[1u][2u];
  partial[(1u * ROWS + 3u) * SLICES * LANES + me] = acc[1u][3u];
  workgroupBarrier();
  let step = params.start + iteration; // last, for the products need all registers
  // Slice y finishes rows y, y + SLICES, … of each unit.
  for (var m = 0u; m < UNITS; m++) {
    let unit = (tile.x * UNITS + m) * LANES + lane;
    if (unit >= PHASE_UNITS) { break; }
    for (var row = slice; row < ROWS; row += SLICES) {
      if (firstRow + row >= params.rows) { break; }
      let place = Place(firstRow + row, unit, step, iteration);
      var products: array<f32, GATES>;
      products[0u] = sumOfSlices(0u * UNITS + m, row, lane);
      products[1u] = sumOfSlices(1u * UNITS + m, row, lane);
      const live = true;
      let before = loadState(place);
      var after = gru_gates(
        loadX(place),
        toGates(products),
        before,
      );
      storePassed(place, after);
    }
  }
}
