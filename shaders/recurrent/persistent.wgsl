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

var<private> instance: u32; // direction, or layer of a wavefront

// f32, not vec4f: the invocations of neighbouring units write neighbouring components, and a store of one
// component may write the whole vector (https://www.w3.org/TR/WGSL/#component-reference-from-vector-memory-view).
var<workgroup> hShared: array<f32, ROWS * H_STRIDE>;
#if SHARES_VECTOR
var<workgroup> passedShared: array<f32, ROWS * HIDDEN_STRIDE>; // what a later phase multiplies

fn passedVector(k: u32, row: u32) -> vec4f {
  let at = k * 4u + row * HIDDEN_STRIDE;
  return vec4f(passedShared[at], passedShared[at + 1u], passedShared[at + 2u], passedShared[at + 3u]);
}
#endif

#if MULTIPLIES_H
fn hVector(k: u32, row: u32) -> vec4f {
  let at = k * 4u + row * H_STRIDE;
  return vec4f(hShared[at], hShared[at + 1u], hShared[at + 2u], hShared[at + 3u]);
}
#endif

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) tile: vec3u,
  #if SHARED_LOADS
  @builtin(subgroup_invocation_id) subgroupLane: u32,
  #endif
  @builtin(local_invocation_index) lane: u32,
) {
  #if WAVEFRONT
  // Layer k is k chunks behind the first.
  let layer = tile.z + params.layer;
  let start = params.start - layer * params.chunkSteps;
  instance = layer;
  #else
  let start = params.start;
  instance = tile.z;
  #endif
  let steps = min(params.chunkSteps, params.steps - start);
  let firstRow = tile.y * ROWS;
  LOAD_WEIGHTS;

  var states: array<State, CELLS>; // [unit of the invocation · ROWS + row]
  #if PASSES
  var passed: array<Passed, CELLS>;
  #endif
  @unroll(FEW_CELLS) for (var m = 0u; m < UNITS; m++) {
    let unit = m * LANES + lane;
    @unroll(FEW_CELLS) for (var row = 0u; row < ROWS; row++) {
      if (unit < WIDEST && firstRow + row < params.rows) {
        if (params.fromZero == 0u) {
          states[m * ROWS + row] = loadState(Place(firstRow + row, unit, start, 0u));
        }
        if (unit < OUTPUT) { hShared[row * H_STRIDE + unit] = states[m * ROWS + row].OUTPUT_STATE; }
      }
    }
  }
  workgroupBarrier();

  for (var chunkStep = 0u; chunkStep < MAX_STEPS; chunkStep++) {
    if (chunkStep >= steps) { break; }
    let step = start + chunkStep;
    PHASES;
    // Every invocation has read h of the step before.
    @unroll(FEW_CELLS) for (var m = 0u; m < UNITS; m++) {
      let unit = m * LANES + lane;
      if (unit < OUTPUT) {
        @unroll(FEW_CELLS) for (var row = 0u; row < ROWS; row++) {
          if (firstRow + row < params.rows) {
            hShared[row * H_STRIDE + unit] = states[m * ROWS + row].OUTPUT_STATE;
          }
        }
      }
    }
    workgroupBarrier();
  }

  @unroll(FEW_CELLS) for (var m = 0u; m < UNITS; m++) {
    let unit = m * LANES + lane;
    @unroll(FEW_CELLS) for (var row = 0u; row < ROWS; row++) {
      if (firstRow + row < params.rows) {
        let place = Place(firstRow + row, unit, start, 0u);
        #if PROJECTED
        if (unit < OUTPUT) { storeH(place, states[m * ROWS + row].OUTPUT_STATE); }
        #endif
        #if STORES_STATE
        if (unit < HIDDEN) { storeState(place, states[m * ROWS + row]); }
        #endif
      }
    }
  }
}
