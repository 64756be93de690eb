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
enable subgroups;
const LANES = 4u;
const SLICES = 8u;
const UNITS = 1u;
const TILES = 64u;
const PHASE_UNITS = 256u;
const WORKGROUP_X = 32u;
const WORKGROUP_Y = 1u;
const LOG2_SLICES = 3u;
const ROWS = 4u;
const LOADS = 4u;
const GATES = 4u;
const SUMS = 4u;
const SPAN = 16u;
const K4 = 64u;
const K_ITERATIONS = 8u;
const OPERAND_STRIDE = 64u;
const H_STRIDE = 256u;
const HIDDEN_STRIDE = 256u;
struct Params { chunkSteps: u32, rows: u32, yT: u32, yB: u32, yD: u32, start: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> r: array<vec4f>;
@group(0) @binding(2) var<storage, read> state: array<vec4f>;
@group(0) @binding(3) var<storage, read> xw: array<f32>;
@group(0) @binding(4) var<storage, read_write> next: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> iteration: u32;
struct Place { row: u32, unit: u32, step: u32, chunkStep: u32 }
struct Gates { i: f32, o: f32, f: f32, c: f32 }
struct State { h: f32, c: f32 }
fn isNan(x: f32) -> bool { return (bitcast<i32>(x) & 0x7fffffff) > 0x7f800000; }
fn orNan(value: f32, x: f32) -> f32 { return select(value, x, isNan(x)); }
fn sigmoid(x: f32) -> f32 {
  return orNan(1.0 / (1.0 + exp(-clamp(x, -87.0, 87.0))), x);
}
fn safeTanh(x: f32) -> f32 {
  let a = abs(x);
  let e = exp(-2.0 * min(a, 15.0));
  let far = (1.0 - e) / (1.0 + e);
  let q = x * x;
  let near = a * (1.0 + q * (-0.33333334 + q * (0.13333334 + q * (-0.05396825 + q * 0.021869488))));
  return orNan(sign(x) * select(far, near, a < 0.25), x);
}
fn clipGate(x: f32) -> f32 { return x; }
fn act0(x: f32) -> f32 { return sigmoid(x); }
fn act1(x: f32) -> f32 { return safeTanh(x); }
fn act2(x: f32) -> f32 { return safeTanh(x); }
fn lstm(x: Gates, s: Gates, before: State) -> State {
  var i = x.i + s.i;
  var f = x.f + s.f;
  var o = x.o + s.o;
  i = act0(clipGate(i));
  f = act0(clipGate(f));
  let c = f * before.c + i * act1(clipGate(x.c + s.c));
  o = act0(clipGate(o));
  return State(o * act2(c), c);
}
fn load_r(at: u32) -> vec4f { return r[at]; }
fn loadOperand(at: u32, k: u32) -> vec4f { return state[at + k]; }
fn toGates(sums: array<f32, 4>) -> Gates {
  return Gates(sums[0], sums[1], sums[2], sums[3]);
}
fn loadX(place: Place) -> Gates {
  let line = (instance * params.chunkSteps + place.chunkStep) * params.rows + place.row;
  let at = line * 1024u + place.unit;
  return Gates(xw[at + 0u], xw[at + 256u], xw[at + 512u], xw[at + 768u]);
}
fn loadState(place: Place) -> State {
  let line = instance * params.rows + place.row;
  let at0 = line * H_STRIDE + place.unit;
  let at1 = params.rows * 256u + line * HIDDEN_STRIDE + place.unit;
  return State(state[at0 >> 2u][at0 & 3u], state[at1 >> 2u][at1 & 3u]);
}
fn storeState(place: Place, value: State) {
  let line = instance * params.rows + place.row;
  let at0 = line * H_STRIDE + place.unit;
  let at1 = params.rows * 256u + line * HIDDEN_STRIDE + place.unit;
  next[at0] = value.h;
  next[at1] = value.c;
}
fn timeOf(row: u32, step: u32) -> u32 {
  return step;
}
fn storeY(at: Place, h: f32, live: bool) {
  let t = timeOf(at.row, at.step);
  var value = h;
  y[yAt(at, t)] = value;
}
fn yAt(at: Place, t: u32) -> u32 {
  return t * params.yT + at.row * params.yB + instance * params.yD + at.unit;
}
fn storeOutput(at: Place, h: f32, live: bool) {
  storeY(at, h, live);
}
var<private> instance: u32; // direction, or layer of a wavefront
// The invocations of a unit lie in the subgroup with a stride of LANES. Each of them gets the sum.
fn sumOfSubgroup(value: f32) -> f32 {
  var total = value;
  total += subgroupShuffleXor(total, LANES << 0u);
  total += subgroupShuffleXor(total, LANES << 1u);
  total += subgroupShuffleXor(total, LANES << 2u);
  return total;
}
@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y)
fn main(
  @builtin(workgroup_id) tile: vec3u,
  @builtin(subgroup_invocation_id) subgroupLane: u32,
  @builtin(local_invocation_id) local: vec3u,
) {
  let lane = subgroupLane % LANES;
  let slice = subgroupLane / LANES;
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
      weights[2u] = load_r(at + 2u * LANES);
      weights[3u] = load_r(at + 3u * LANES);
      var vectors: array<vec4f, LOADS>;
      vectors[0u] = loadOperand(rowAt[0u], k);
      vectors[1u] = loadOperand(rowAt[1u], k);
      vectors[2u] = loadOperand(rowAt[2u], k);
      vectors[3u] = loadOperand(rowAt[3u], k);
      {
        let v = vec4f(vectors[0u]);
        acc[0u][0u] += f32(dot(weights[0u], v));
        acc[1u][0u] += f32(dot(weights[1u], v));
        acc[2u][0u] += f32(dot(weights[2u], v));
        acc[3u][0u] += f32(dot(weights[3u], v));
      }
      {
        let v = vec4f(vectors[1u]);
        acc[0u][1u] += f32(dot(weights[0u], v));
        acc[1u][1u] += f32(dot(weights[1u], v));
        acc[2u][1u] += f32(dot(weights[2u], v));
        acc[3u][1u] += f32(dot(weights[3u], v));
      }
      {
        let v = vec4f(vectors[2u]);
        acc[0u][2u] += f32(dot(weights[0u], v));
        acc[1u][2u] += f32(dot(weights[1u], v));
        acc[2u][2u] += f32(dot(weights[2u], v));
        acc[3u][2u] += f32(dot(weights[3u], v));
      }
      {
        let v = vec4f(vectors[3u]);
        acc[0u][3u] += f32(dot(weights[0u], v));
        acc[1u][3u] += f32(dot(weights[1u], v));
        acc[2u][3u] += f32(dot(weights[2u], v));
        acc[3u][3u] += f32(dot(weights[3u], v));
      }
      ;
    }
  }
  acc[0u][0u] = sumOfSubgroup(acc[0u][0u]);
  acc[0u][1u] = sumOfSubgroup(acc[0u][1u]);
  acc[0u][2u] = sumOfSubgroup(acc[0u][2u]);
  acc[0u][3u] = sumOfSubgroup(acc[0u][3u]);
  acc[1u][0u] = sumOfSubgroup(acc[1u][0u]);
  acc[1u][1u] = sumOfSubgroup(acc[1u][1u]);
  acc[1u][2u] = sumOfSubgroup(acc[1u][2u]);
  acc[1u][3u] = sumOfSubgroup(acc[1u][3u]);
  acc[2u][0u] = sumOfSubgroup(acc[2u][0u]);
  acc[2u][1u] = sumOfSubgroup(acc[2u][1u]);
  acc[2u][2u] = sumOfSubgroup(acc[2u][2u]);
  acc[2u][3u] = sumOfSubgroup(acc[2u][3u]);
  acc[3u][0u] = sumOfSubgroup(acc[3u][0u]);
  acc[3u][1u] = sumOfSubgroup(acc[3u][1u]);
  acc[3u][2u] = sumOfSubgroup(acc[3u][2u]);
  acc[3u][3u] = sumOfSubgroup(acc[3u][3u]);
  // Copies: an array with a computed index is not in registers.
  var sums = acc;
  let step = params.start + iteration; // last, for the products need all registers
  // Slice y finishes rows y, y + SLICES, … of each unit.
  for (var m = 0u; m < UNITS; m++) {
    let unit = (tile.x * UNITS + m) * LANES + lane;
    if (unit >= PHASE_UNITS) { break; }
    for (var row = slice; row < ROWS; row += SLICES) {
      if (firstRow + row >= params.rows) { break; }
      let place = Place(firstRow + row, unit, step, iteration);
      var products: array<f32, GATES>;
      products[0u] = sums[0u * UNITS + m][row];
      products[1u] = sums[1u * UNITS + m][row];
      products[2u] = sums[2u * UNITS + m][row];
      products[3u] = sums[3u * UNITS + m][row];
      const live = true;
      let before = loadState(place);
      var after = lstm(
        loadX(place),
        toGates(products),
        before,
      );
      storeOutput(place, after.h, live);
      if (!live) { after = before; }
      storeState(place, after);
    }
  }
}
