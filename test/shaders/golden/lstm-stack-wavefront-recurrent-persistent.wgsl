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
const LANES = 64u;
const UNITS = 1u;
const CELLS = 1u;
const HIDDEN = 64u;
const OUTPUT = 64u;
const WIDEST = 64u;
const MAX_STEPS = 256u;
const ROWS = 1u;
const LOADS = 1u;
const H_STRIDE = 64u;
const HIDDEN_STRIDE = 64u;
const LAYERS = 3u;
struct Params { chunkSteps: u32, rows: u32, yT: u32, yB: u32, steps: u32, start: u32, fromZero: u32, layer: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> xw: array<f32>;
@group(0) @binding(2) var<storage, read_write> state: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> layerOutputs: array<f32>;
@group(0) @binding(5) var<storage, read> r0: array<vec4f>;
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
fn loadX(place: Place) -> Gates {
  let line = (instance * params.chunkSteps + place.chunkStep) * params.rows + place.row;
  let at = line * 256u + place.unit;
  return Gates(xw[at + 0u], xw[at + 64u], xw[at + 128u], xw[at + 192u]);
}
fn loadState(place: Place) -> State {
  let line = instance * params.rows + place.row;
  let at0 = line * H_STRIDE + place.unit;
  let at1 = params.rows * 192u + line * HIDDEN_STRIDE + place.unit;
  return State(state[at0], state[at1]);
}
fn storeState(place: Place, value: State) {
  let line = instance * params.rows + place.row;
  let at0 = line * H_STRIDE + place.unit;
  let at1 = params.rows * 192u + line * HIDDEN_STRIDE + place.unit;
  state[at0] = value.h;
  state[at1] = value.c;
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
  return t * params.yT + at.row * params.yB + at.unit;
}
fn storeOutput(at: Place, h: f32, live: bool) {
  if (instance < LAYERS - 1u) {
    layerOutputs[((instance * params.chunkSteps + at.chunkStep) * params.rows + at.row) * OUTPUT + at.unit] = h;
    return;
  }
  storeY(at, h, live);
}
fn load_r0(at: u32) -> vec4f { return r0[at]; }
fn toGates0(sums: array<f32, 4>) -> Gates {
  return Gates(sums[0], sums[1], sums[2], sums[3]);
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
  @builtin(local_invocation_index) lane: u32,
) {
  // Layer k is k chunks behind the first.
  let layer = tile.z + params.layer;
  let start = params.start - layer * params.chunkSteps;
  instance = layer;
  let steps = min(params.chunkSteps, params.steps - start);
  let firstRow = tile.y * ROWS;
  // Statements of persistent.wgsl, once for each product: the weights and scales that stay
  // in registers for all time steps.
  ;
  var states: array<State, CELLS>; // [unit of the invocation · ROWS + row]
  {
    let unit = 0u * LANES + lane;
    if (unit < WIDEST && firstRow + 0u < params.rows) {
      if (params.fromZero == 0u) {
        states[0u * ROWS + 0u] = loadState(Place(firstRow + 0u, unit, start, 0u));
      }
      if (unit < OUTPUT) { hShared[0u * H_STRIDE + unit] = states[0u * ROWS + 0u].h; }
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
    // units at once, 1u of them, which share the loads of the vector.
    {
      {
        if (0u * 1u * LANES + lane < 64u)
        {
          // The initializer is required: naga may clear a variable without one only once, not in each iteration
          // (https://github.com/gfx-rs/wgpu/issues/9489).
          var acc = array<array<f32, ROWS>, 4u>(); // [unit · 4u + gate][row]
          for (var k = 0u; k < 16u; k++) {
            // Four terms of the sums of a tile, for one vec4 along K:
            //
            //   acc[s][row] += W[s, k … k+3] · v[row, k … k+3]        for all sums s and rows of the invocation
            //
            // Statements of step.wgsl, project.wgsl and persistent.wgsl, which name what is multiplied: load_r0((((instance * 1u + s / 4u) * 16u + k) * 4u + s % 4u) * LANES + lane) is the
            // load of W for sum `s`, hVector(k, j) the load of v for row `j`. One load of W serves ROWS rows, one load of v
            // 4u sums (register blocking). Sums are f32 whatever the type of the weights.
            var weights: array<vec4f, 4u>;
            weights[0u] = load_r0((((instance * 1u + 0u / 4u) * 16u + k) * 4u + 0u % 4u) * LANES + lane);
            weights[1u] = load_r0((((instance * 1u + 1u / 4u) * 16u + k) * 4u + 1u % 4u) * LANES + lane);
            weights[2u] = load_r0((((instance * 1u + 2u / 4u) * 16u + k) * 4u + 2u % 4u) * LANES + lane);
            weights[3u] = load_r0((((instance * 1u + 3u / 4u) * 16u + k) * 4u + 3u % 4u) * LANES + lane);
            var vectors: array<vec4f, LOADS>;
            vectors[0u] = hVector(k, 0u);
            {
              let v = vec4f(vectors[0u]);
              acc[0u][0u] += f32(dot(weights[0u], v));
              acc[1u][0u] += f32(dot(weights[1u], v));
              acc[2u][0u] += f32(dot(weights[2u], v));
              acc[3u][0u] += f32(dot(weights[3u], v));
            }
            ;
          }
          {
            let unit = (0u * 1u + 0u) * LANES + lane;
            if (unit < 64u) {
              {
                if (firstRow + 0u < params.rows) {
                  let place = Place(firstRow + 0u, unit, step, chunkStep);
                  var products: array<f32, 4u>;
                  products[0u] = acc[0u * 4u + 0u][0u];
                  products[1u] = acc[0u * 4u + 1u][0u];
                  products[2u] = acc[0u * 4u + 2u][0u];
                  products[3u] = acc[0u * 4u + 3u][0u];
                  const live = true;
                  let before = states[(0u * 1u + 0u) * ROWS + 0u];
                  var after = lstm(
                    loadX(place),
                    toGates0(products),
                    before,
                  );
                  storeOutput(place, after.h, live);
                  if (live) { states[(0u * 1u + 0u) * ROWS + 0u] = after; }
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
    {
      let unit = 0u * LANES + lane;
      if (unit < OUTPUT) {
        if (firstRow + 0u < params.rows) {
          hShared[0u * H_STRIDE + unit] = states[0u * ROWS + 0u].h;
        }
      }
    }
    workgroupBarrier();
  }
  {
    let unit = 0u * LANES + lane;
    {
      if (firstRow + 0u < params.rows) {
        let place = Place(firstRow + 0u, unit, start, 0u);
        if (unit < HIDDEN) { storeState(place, states[0u * ROWS + 0u]); }
      }
    }
  }
}
