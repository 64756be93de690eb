// step.wgsl, but all time steps of a chunk in one dispatch: one workgroup for each instance and block of
// batch rows holds the states in registers and loops over time. No workgroup waits for another, so it is
// legal on every adapter. For hidden sizes that one workgroup can serve.
//
// Grid       x: 1. y: blocks of ROWS batch rows. z: directions of a layer, or layers of a wavefront
//            (`instance`).
// Workgroup  LANES invocations. Each computes the hidden units lane, lane + LANES, …, UNITS of them.
// Registers  the states of UNITS·ROWS cells, and the weights of these units where they fit.
// Buffers    xw          [D, chunkSteps, B, G·H]   W·x + b, from project.wgsl
//            r0, r1, …   weights of each product, [D][tiles][K/4][GATES][LANES] vec4 over K
//            state       h [D, B, O padded], then each other state [D, B, H padded]: read at the start
//                        of the chunk unless fromZero is 1, written at its end
enable subgroups;
const LANES = 32u;
const UNITS = 4u;
const CELLS = 32u;
const HIDDEN = 128u;
const OUTPUT = 128u;
const WIDEST = 128u;
const MAX_STEPS = 256u;
const ROWS = 8u;
const LOADS = 1u;
const SHARERS = 8u;
const H_STRIDE = 128u;
struct Params { chunkSteps: u32, rows: u32, yT: u32, yB: u32, yD: u32, steps: u32, start: u32, fromZero: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> xw: array<f32>;
@group(0) @binding(2) var<storage, read> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> state: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> r0: array<vec4f>;
struct Place { row: u32, unit: u32, step: u32, chunkStep: u32 }
struct Gates { z: f32, r: f32, h: f32 }
struct State { h: f32 }
struct Parameters { rb_h: f32 }
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
fn gru(x: Gates, s: Gates, before: State, p: Parameters) -> State {
  let z = act0(clipGate(x.z + s.z));
  let r = act0(clipGate(x.r + s.r));
  let n = act1(clipGate(x.h + r * (s.h + p.rb_h)));
  return State((1.0 - z) * n + z * before.h);
}
fn loadX(place: Place) -> Gates {
  let line = (instance * params.chunkSteps + place.chunkStep) * params.rows + place.row;
  let at = line * 384u + place.unit;
  return Gates(xw[at + 0u], xw[at + 128u], xw[at + 256u]);
}
fn loadParameters(unit: u32) -> Parameters {
  let at = instance * 128u + unit;
  return Parameters(parameters[at + 0u]);
}
fn loadState(place: Place) -> State {
  let line = instance * params.rows + place.row;
  let at0 = line * H_STRIDE + place.unit;
  return State(state[at0]);
}
fn storeState(place: Place, value: State) {
  let line = instance * params.rows + place.row;
  let at0 = line * H_STRIDE + place.unit;
  state[at0] = value.h;
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
fn load_r0(at: u32) -> vec4f { return r0[at]; }
fn toGates0(sums: array<f32, 3>) -> Gates {
  return Gates(sums[0], sums[1], sums[2]);
}
var<private> instance: u32; // direction, or layer of a wavefront
// f32, not vec4f: the invocations of neighbouring units write neighbouring components, and a store of one
// component may write the whole vector (https://www.w3.org/TR/WGSL/#component-reference-from-vector-memory-view).
var<workgroup> hShared: array<f32, ROWS * H_STRIDE>;
fn hVector(k: u32, row: u32) -> vec4f {
  let at = k * 4u + row * H_STRIDE;
  return vec4f(hShared[at], hShared[at + 1u], hShared[at + 2u], hShared[at + 3u]);
}
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) tile: vec3u,
  @builtin(subgroup_invocation_id) subgroupLane: u32,
  @builtin(local_invocation_index) lane: u32,
) {
  let start = params.start;
  instance = tile.z;
  let steps = min(params.chunkSteps, params.steps - start);
  let firstRow = tile.y * ROWS;
  // Statements of persistent.wgsl, once for each product: the weights and scales that stay
  // in registers for all time steps.
  ;
  var states: array<State, CELLS>; // [unit of the invocation · ROWS + row]
  for (var m = 0u; m < UNITS; m++) {
    let unit = m * LANES + lane;
    for (var row = 0u; row < ROWS; row++) {
      if (unit < WIDEST && firstRow + row < params.rows) {
        if (params.fromZero == 0u) {
          states[m * ROWS + row] = loadState(Place(firstRow + row, unit, start, 0u));
        }
        if (unit < OUTPUT) { hShared[row * H_STRIDE + unit] = states[m * ROWS + row].h; }
      }
    }
  }
  workgroupBarrier();
  for (var chunkStep = 0u; chunkStep < MAX_STEPS; chunkStep++) {
    if (chunkStep >= steps) { break; }
    let step = start + chunkStep;
    // Statements of persistent.wgsl, once for each phase: the products of the gates with a vector in
    // workgroup memory, then the cell. Names in capitals are those of the phase.
    //
    // 1u times: with weights in registers, one unit of the invocation after the other; else all
    // units at once, 4u of them, which share the loads of the vector.
    {
      {
        {
          // The initializer is required: naga may clear a variable without one only once, not in each iteration
          // (https://github.com/gfx-rs/wgpu/issues/9489).
          var acc = array<array<f32, ROWS>, 12u>(); // [unit · 3u + gate][row]
          for (var k = 0u; k < 32u; k++) {
            // Four terms of the sums of a tile, for one vec4 along K:
            //
            //   acc[s][row] += W[s, k … k+3] · v[row, k … k+3]        for all sums s and rows of the invocation
            //
            // Statements of step.wgsl, project.wgsl and persistent.wgsl, which name what is multiplied: load_r0((((instance * 4u + s / 3u) * 32u + k) * 3u + s % 3u) * LANES + lane) is the
            // load of W for sum `s`, hVector(k, min(j * SHARERS + subgroupLane, ROWS - 1u)) the load of v for row `j`. One load of W serves ROWS rows, one load of v
            // 12u sums (register blocking). Sums are f32 whatever the type of the weights.
            var weights: array<vec4f, 12u>;
            weights[0u] = load_r0((((instance * 4u + 0u / 3u) * 32u + k) * 3u + 0u % 3u) * LANES + lane);
            weights[1u] = load_r0((((instance * 4u + 1u / 3u) * 32u + k) * 3u + 1u % 3u) * LANES + lane);
            weights[2u] = load_r0((((instance * 4u + 2u / 3u) * 32u + k) * 3u + 2u % 3u) * LANES + lane);
            weights[3u] = load_r0((((instance * 4u + 3u / 3u) * 32u + k) * 3u + 3u % 3u) * LANES + lane);
            weights[4u] = load_r0((((instance * 4u + 4u / 3u) * 32u + k) * 3u + 4u % 3u) * LANES + lane);
            weights[5u] = load_r0((((instance * 4u + 5u / 3u) * 32u + k) * 3u + 5u % 3u) * LANES + lane);
            weights[6u] = load_r0((((instance * 4u + 6u / 3u) * 32u + k) * 3u + 6u % 3u) * LANES + lane);
            weights[7u] = load_r0((((instance * 4u + 7u / 3u) * 32u + k) * 3u + 7u % 3u) * LANES + lane);
            weights[8u] = load_r0((((instance * 4u + 8u / 3u) * 32u + k) * 3u + 8u % 3u) * LANES + lane);
            weights[9u] = load_r0((((instance * 4u + 9u / 3u) * 32u + k) * 3u + 9u % 3u) * LANES + lane);
            weights[10u] = load_r0((((instance * 4u + 10u / 3u) * 32u + k) * 3u + 10u % 3u) * LANES + lane);
            weights[11u] = load_r0((((instance * 4u + 11u / 3u) * 32u + k) * 3u + 11u % 3u) * LANES + lane);
            var vectors: array<vec4f, LOADS>;
            vectors[0u] = hVector(k, min(0u * SHARERS + subgroupLane, ROWS - 1u));
            {
              let v = vec4f(subgroupBroadcast(vectors[0u / SHARERS], 0u % SHARERS));
              acc[0u][0u] += f32(dot(weights[0u], v));
              acc[1u][0u] += f32(dot(weights[1u], v));
              acc[2u][0u] += f32(dot(weights[2u], v));
              acc[3u][0u] += f32(dot(weights[3u], v));
              acc[4u][0u] += f32(dot(weights[4u], v));
              acc[5u][0u] += f32(dot(weights[5u], v));
              acc[6u][0u] += f32(dot(weights[6u], v));
              acc[7u][0u] += f32(dot(weights[7u], v));
              acc[8u][0u] += f32(dot(weights[8u], v));
              acc[9u][0u] += f32(dot(weights[9u], v));
              acc[10u][0u] += f32(dot(weights[10u], v));
              acc[11u][0u] += f32(dot(weights[11u], v));
            }
            {
              let v = vec4f(subgroupBroadcast(vectors[1u / SHARERS], 1u % SHARERS));
              acc[0u][1u] += f32(dot(weights[0u], v));
              acc[1u][1u] += f32(dot(weights[1u], v));
              acc[2u][1u] += f32(dot(weights[2u], v));
              acc[3u][1u] += f32(dot(weights[3u], v));
              acc[4u][1u] += f32(dot(weights[4u], v));
              acc[5u][1u] += f32(dot(weights[5u], v));
              acc[6u][1u] += f32(dot(weights[6u], v));
              acc[7u][1u] += f32(dot(weights[7u], v));
              acc[8u][1u] += f32(dot(weights[8u], v));
              acc[9u][1u] += f32(dot(weights[9u], v));
              acc[10u][1u] += f32(dot(weights[10u], v));
              acc[11u][1u] += f32(dot(weights[11u], v));
            }
            {
              let v = vec4f(subgroupBroadcast(vectors[2u / SHARERS], 2u % SHARERS));
              acc[0u][2u] += f32(dot(weights[0u], v));
              acc[1u][2u] += f32(dot(weights[1u], v));
              acc[2u][2u] += f32(dot(weights[2u], v));
              acc[3u][2u] += f32(dot(weights[3u], v));
              acc[4u][2u] += f32(dot(weights[4u], v));
              acc[5u][2u] += f32(dot(weights[5u], v));
              acc[6u][2u] += f32(dot(weights[6u], v));
              acc[7u][2u] += f32(dot(weights[7u], v));
              acc[8u][2u] += f32(dot(weights[8u], v));
              acc[9u][2u] += f32(dot(weights[9u], v));
              acc[10u][2u] += f32(dot(weights[10u], v));
              acc[11u][2u] += f32(dot(weights[11u], v));
            }
            {
              let v = vec4f(subgroupBroadcast(vectors[3u / SHARERS], 3u % SHARERS));
              acc[0u][3u] += f32(dot(weights[0u], v));
              acc[1u][3u] += f32(dot(weights[1u], v));
              acc[2u][3u] += f32(dot(weights[2u], v));
              acc[3u][3u] += f32(dot(weights[3u], v));
              acc[4u][3u] += f32(dot(weights[4u], v));
              acc[5u][3u] += f32(dot(weights[5u], v));
              acc[6u][3u] += f32(dot(weights[6u], v));
              acc[7u][3u] += f32(dot(weights[7u], v));
              acc[8u][3u] += f32(dot(weights[8u], v));
              acc[9u][3u] += f32(dot(weights[9u], v));
              acc[10u][3u] += f32(dot(weights[10u], v));
              acc[11u][3u] += f32(dot(weights[11u], v));
            }
            {
              let v = vec4f(subgroupBroadcast(vectors[4u / SHARERS], 4u % SHARERS));
              acc[0u][4u] += f32(dot(weights[0u], v));
              acc[1u][4u] += f32(dot(weights[1u], v));
              acc[2u][4u] += f32(dot(weights[2u], v));
              acc[3u][4u] += f32(dot(weights[3u], v));
              acc[4u][4u] += f32(dot(weights[4u], v));
              acc[5u][4u] += f32(dot(weights[5u], v));
              acc[6u][4u] += f32(dot(weights[6u], v));
              acc[7u][4u] += f32(dot(weights[7u], v));
              acc[8u][4u] += f32(dot(weights[8u], v));
              acc[9u][4u] += f32(dot(weights[9u], v));
              acc[10u][4u] += f32(dot(weights[10u], v));
              acc[11u][4u] += f32(dot(weights[11u], v));
            }
            {
              let v = vec4f(subgroupBroadcast(vectors[5u / SHARERS], 5u % SHARERS));
              acc[0u][5u] += f32(dot(weights[0u], v));
              acc[1u][5u] += f32(dot(weights[1u], v));
              acc[2u][5u] += f32(dot(weights[2u], v));
              acc[3u][5u] += f32(dot(weights[3u], v));
              acc[4u][5u] += f32(dot(weights[4u], v));
              acc[5u][5u] += f32(dot(weights[5u], v));
              acc[6u][5u] += f32(dot(weights[6u], v));
              acc[7u][5u] += f32(dot(weights[7u], v));
              acc[8u][5u] += f32(dot(weights[8u], v));
              acc[9u][5u] += f32(dot(weights[9u], v));
              acc[10u][5u] += f32(dot(weights[10u], v));
              acc[11u][5u] += f32(dot(weights[11u], v));
            }
            {
              let v = vec4f(subgroupBroadcast(vectors[6u / SHARERS], 6u % SHARERS));
              acc[0u][6u] += f32(dot(weights[0u], v));
              acc[1u][6u] += f32(dot(weights[1u], v));
              acc[2u][6u] += f32(dot(weights[2u], v));
              acc[3u][6u] += f32(dot(weights[3u], v));
              acc[4u][6u] += f32(dot(weights[4u], v));
              acc[5u][6u] += f32(dot(weights[5u], v));
              acc[6u][6u] += f32(dot(weights[6u], v));
              acc[7u][6u] += f32(dot(weights[7u], v));
              acc[8u][6u] += f32(dot(weights[8u], v));
              acc[9u][6u] += f32(dot(weights[9u], v));
              acc[10u][6u] += f32(dot(weights[10u], v));
              acc[11u][6u] += f32(dot(weights[11u], v));
            }
            {
              let v = vec4f(subgroupBroadcast(vectors[7u / SHARERS], 7u % SHARERS));
              acc[0u][7u] += f32(dot(weights[0u], v));
              acc[1u][7u] += f32(dot(weights[1u], v));
              acc[2u][7u] += f32(dot(weights[2u], v));
              acc[3u][7u] += f32(dot(weights[3u], v));
              acc[4u][7u] += f32(dot(weights[4u], v));
              acc[5u][7u] += f32(dot(weights[5u], v));
              acc[6u][7u] += f32(dot(weights[6u], v));
              acc[7u][7u] += f32(dot(weights[7u], v));
              acc[8u][7u] += f32(dot(weights[8u], v));
              acc[9u][7u] += f32(dot(weights[9u], v));
              acc[10u][7u] += f32(dot(weights[10u], v));
              acc[11u][7u] += f32(dot(weights[11u], v));
            }
            ;
          }
          var sums = acc; // a copy: an array with a computed index is not in registers
          for (var j = 0u; j < 4u; j++) {
            let unit = (0u * 4u + j) * LANES + lane;
            if (unit < 128u) {
              for (var row = 0u; row < ROWS; row++) {
                if (firstRow + row < params.rows) {
                  let place = Place(firstRow + row, unit, step, chunkStep);
                  var products: array<f32, 3u>;
                  products[0u] = sums[j * 3u + 0u][row];
                  products[1u] = sums[j * 3u + 1u][row];
                  products[2u] = sums[j * 3u + 2u][row];
                  const live = true;
                  let before = states[(0u * 4u + j) * ROWS + row];
                  var after = gru(
                    loadX(place),
                    toGates0(products),
                    before,
                    loadParameters(unit),
                  );
                  storeOutput(place, after.h, live);
                  if (live) { states[(0u * 4u + j) * ROWS + row] = after; }
                }
              }
            }
          }
        }
      }
    }
    workgroupBarrier();
    ;
    // Every invocation has read h of the step before.
    for (var m = 0u; m < UNITS; m++) {
      let unit = m * LANES + lane;
      if (unit < OUTPUT) {
        for (var row = 0u; row < ROWS; row++) {
          if (firstRow + row < params.rows) {
            hShared[row * H_STRIDE + unit] = states[m * ROWS + row].h;
          }
        }
      }
    }
    workgroupBarrier();
  }
  for (var m = 0u; m < UNITS; m++) {
    let unit = m * LANES + lane;
    for (var row = 0u; row < ROWS; row++) {
      if (firstRow + row < params.rows) {
        let place = Place(firstRow + row, unit, start, 0u);
        if (unit < HIDDEN) { storeState(place, states[m * ROWS + row]); }
      }
    }
  }
}
