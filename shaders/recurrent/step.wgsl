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

var<private> instance: u32; // direction, or layer of a wavefront

#if SPLIT_K
var<workgroup> partial: array<f32, ALL_SUMS * ROWS * SLICES * LANES>; // sums of h, then those of x

fn sumOfSlices(sum: u32, row: u32, lane: u32) -> f32 {
  var total = 0.0;
  for (var slice = 0u; slice < SLICES; slice++) {
    total += partial[((sum * ROWS + row) * SLICES + slice) * LANES + lane];
  }
  return total;
}
#endif

#if SUBGROUP_SUM
// The invocations of a unit lie in the subgroup with a stride of LANES. Each of them gets the sum.
fn sumOfSubgroup(value: f32) -> f32 {
  var total = value;
  @unroll for (var i = 0u; i < LOG2_SLICES; i++) { total += subgroupShuffleXor(total, LANES << i); }
  return total;
}
#endif

@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y)
fn main(
  @builtin(workgroup_id) tile: vec3u,
  #if READS_SUBGROUP_LANE
  @builtin(subgroup_invocation_id) subgroupLane: u32,
  #endif
  @builtin(local_invocation_id) local: vec3u,
) {
  #if SUBGROUP_SUM
  let lane = subgroupLane % LANES;
  let slice = subgroupLane / LANES;
  #else
  let lane = local.x;
  #if SLICED
  let slice = local.y;
  #else
  const slice = 0u;
  #endif
  #endif
  #if WAVEFRONT
  // Layer k is k chunks behind the first.
  let layer = tile.z + params.layer;
  let step = params.start - layer * params.chunkSteps + iteration;
  if (step >= params.steps) { return; } // other layers still have steps
  instance = layer;
  #else
  instance = tile.z;
  #endif
  let firstRow = tile.y * ROWS;

  #if PRODUCT
  var acc: array<array<f32, ROWS>, SUMS>; // [gate · UNITS + unit][row]
  {
    var rowAt: array<u32, LOADS>;
    @unroll for (var j = 0u; j < LOADS; j++) {
      #if SHARED_LOADS
      let row = min(j * SHARERS + subgroupLane, ROWS - 1u);
      #else
      let row = j;
      #endif
      rowAt[j] = (instance * params.rows + min(firstRow + row, params.rows - 1u)) * OPERAND_STRIDE;
    }
    for (var i = 0u; i < K_ITERATIONS; i++) {
      let k = i * SLICES + slice;
      let at = ((instance * TILES + tile.x) * K4 + k) * SPAN + lane;
      MULTIPLY_STATE;
    }
  }
  #endif

  #if INPUT_PRODUCT
  var accX: array<array<f32, ROWS>, X_SUMS>;
  {
    var rowAt: array<u32, ROWS>;
    @unroll for (var row = 0u; row < ROWS; row++) {
      rowAt[row] = (min(firstRow + row, params.rows - 1u) * params.xB) >> INPUT_SHIFT;
    }
    for (var i = 0u; i < X_ITERATIONS; i++) {
      let k = i * SLICES + slice;
      let at = ((instance * TILES + tile.x) * X4 + k) * X_SPAN + lane;
      MULTIPLY_INPUT;
    }
  }
  #endif

  #if SUBGROUP_SUM
  #if PRODUCT
  @unroll for (var s = 0u; s < SUMS; s++) {
    @unroll for (var row = 0u; row < ROWS; row++) { acc[s][row] = sumOfSubgroup(acc[s][row]); }
  }
  #endif
  #if INPUT_PRODUCT
  @unroll for (var s = 0u; s < X_SUMS; s++) {
    @unroll for (var row = 0u; row < ROWS; row++) { accX[s][row] = sumOfSubgroup(accX[s][row]); }
  }
  #endif
  #endif
  #if SPLIT_K
  let me = slice * LANES + lane;
  @unroll for (var s = 0u; s < SUMS; s++) {
    @unroll for (var row = 0u; row < ROWS; row++) {
      partial[(s * ROWS + row) * SLICES * LANES + me] = acc[s][row];
    }
  }
  #if INPUT_PRODUCT
  @unroll for (var s = 0u; s < X_SUMS; s++) {
    @unroll for (var row = 0u; row < ROWS; row++) {
      partial[((SUMS + s) * ROWS + row) * SLICES * LANES + me] = accX[s][row];
    }
  }
  #endif
  workgroupBarrier();
  #endif

  #if !SPLIT_K
  #if !ONE_CELL
  // Copies: an array with a computed index is not in registers.
  #if PRODUCT
  var sums = acc;
  #endif
  #if INPUT_PRODUCT
  var sumsX = accX;
  #endif
  #endif
  #endif

  #if !WAVEFRONT
  let step = params.start + iteration; // last, for the products need all registers
  #endif
  #if REDUCES
  // Each workgroup adds up all units by itself: there is no order among workgroups of a dispatch.
  var reduced: array<Sums, ROWS>;
  for (var row = 0u; row < ROWS; row++) {
    let valid = min(firstRow + row, params.rows - 1u);
    reduced[row] = reduceUnits(valid, step, iteration, slice * LANES + lane);
  }
  #endif

  // Slice y finishes rows y, y + SLICES, … of each unit.
  for (var m = 0u; m < UNITS; m++) {
    let unit = (tile.x * UNITS + m) * LANES + lane;
    if (unit >= PHASE_UNITS) { break; }
    for (var row = slice; row < ROWS; row += SLICES) {
      if (firstRow + row >= params.rows) { break; }
      let place = Place(firstRow + row, unit, step, iteration);
      #if PRODUCT
      var products: array<f32, GATES>;
      @unroll for (var g = 0u; g < GATES; g++) {
        #if SPLIT_K
        products[g] = sumOfSlices(g * UNITS + m, row, lane);
        #elif ONE_CELL
        products[g] = acc[g][0u];
        #else
        products[g] = sums[g * UNITS + m][row];
        #endif
        #if SCALED
        products[g] *= scale_r(instance * TILES + tile.x, (g * UNITS + m) * LANES + lane);
        #endif
      }
      #endif
      #if INPUT_PRODUCT
      var inputs: array<f32, X_GATES>;
      @unroll for (var g = 0u; g < X_GATES; g++) {
        #if SPLIT_K
        inputs[g] = sumOfSlices(SUMS + g * UNITS + m, row, lane);
        #elif ONE_CELL
        inputs[g] = accX[g][0u];
        #else
        inputs[g] = sumsX[g * UNITS + m][row];
        #endif
        #if X_SCALED
        inputs[g] *= scale_w(instance * TILES + tile.x, (g * UNITS + m) * LANES + lane);
        #endif
      }
      #endif
      #if READS_LIVE
      let live = isLive(place.row, step);
      #else
      const live = true;
      #endif

      #if CELL
      let before = loadState(place);
      var after = CELL_FUNCTION(
        #if INPUT_PRODUCT
        #if BIAS
        toInputs(inputs, unit),
        #else
        toInputs(inputs),
        #endif
        #elif READS_X
        loadX(place),
        #endif
        #if PRODUCT
        toGates(products),
        #endif
        before,
        #if READS_PASSED
        loadPassed(place),
        #endif
        #if PARAMETERS
        loadParameters(unit),
        #endif
        #if REDUCES
        reduced[row],
        #endif
      );
      #if PASSES
      storePassed(place, after);
      #else
      #if PROJECTED
      // The projection multiplies the output of the cell, whether the row is live or not.
      passing[(instance * params.rows + place.row) * HIDDEN_STRIDE + unit] = after.OUTPUT_STATE;
      #elif OUTPUTS
      storeOutput(place, after.OUTPUT_STATE, live);
      #endif
      #if STORES_STATE
      if (!live) { after = before; }
      storeState(place, after);
      #endif
      #endif
      #else
      // The projection: h is the sum itself.
      #if OUTPUTS
      storeOutput(place, products[0], live);
      #endif
      #if READS_LIVE
      if (!live) { products[0] = loadH(place); }
      #endif
      storeH(place, products[0]);
      #endif
    }
  }
}
