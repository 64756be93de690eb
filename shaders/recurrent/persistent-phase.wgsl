// Statements of persistent.wgsl, once for each phase: the products of the gates with a vector in
// workgroup memory, then the cell. Names in capitals are those of the phase.
//
// PASSES_OVER_K times: with weights in registers, one unit of the invocation after the other; else all
// units at once, UNITS_PER_PASS of them, which share the loads of the vector.
{
  #if REDUCES
  var sumsOfRow: array<Sums, ROWS>;
  for (var row = 0u; row < ROWS; row++) {
    REDUCTIONS;
  }
  #endif
  @unroll for (var pass = 0u; pass < PASSES_OVER_K; pass++) {
    #if !ALL_ACTIVE
    if (pass * UNITS_PER_PASS * LANES + lane < PHASE_UNITS)
    #endif
    {
      #if PRODUCT
      // The initializer is required: naga may clear a variable without one only once, not in each iteration
      // (https://github.com/gfx-rs/wgpu/issues/9489).
      var acc = array<array<f32, ROWS>, SUMS>(); // [unit · GATES + gate][row]
      @unroll(WEIGHTS_IN_REGISTERS) for (var k = 0u; k < K4; k++) {
        MULTIPLY;
      }
      #if !FEW_CELLS
      var sums = acc; // a copy: an array with a computed index is not in registers
      #endif
      #endif

      @unroll(FEW_CELLS) for (var j = 0u; j < UNITS_PER_PASS; j++) {
        let unit = (pass * UNITS_PER_PASS + j) * LANES + lane;
        if (unit < PHASE_UNITS) {
          @unroll(FEW_CELLS) for (var row = 0u; row < ROWS; row++) {
            if (firstRow + row < params.rows) {
              let place = Place(firstRow + row, unit, step, chunkStep);
              #if PRODUCT
              var products: array<f32, GATES>;
              @unroll for (var g = 0u; g < GATES; g++) {
                #if FEW_CELLS
                products[g] = acc[j * GATES + g][row];
                #else
                products[g] = sums[j * GATES + g][row];
                #endif
                #if SCALED
                products[g] *= SCALES[pass * UNITS_PER_PASS + j][g];
                #endif
              }
              #endif
              #if READS_LIVE
              let live = isLive(place.row, step);
              #else
              const live = true;
              #endif

              #if CELL
              let before = states[(pass * UNITS_PER_PASS + j) * ROWS + row];
              var after = CELL_FUNCTION(
                #if READS_X
                loadX(place),
                #endif
                #if PRODUCT
                TO_GATES(products),
                #endif
                before,
                #if READS_PASSED
                passed[(pass * UNITS_PER_PASS + j) * ROWS + row],
                #endif
                #if PARAMETERS
                loadParameters(unit),
                #endif
                #if REDUCES
                sumsOfRow[row],
                #endif
              );
              #if PASSES
              passed[(pass * UNITS_PER_PASS + j) * ROWS + row] = after;
              #if SHARES_VECTOR
              passedShared[row * HIDDEN_STRIDE + unit] = after.NEXT_OPERAND;
              #endif
              #else
              #if PROJECTED
              // The projection multiplies the output of the cell, whether the row is live or not.
              passedShared[row * HIDDEN_STRIDE + unit] = after.OUTPUT_STATE;
              after.OUTPUT_STATE = before.OUTPUT_STATE;
              #elif OUTPUTS
              storeOutput(place, after.OUTPUT_STATE, live);
              #endif
              if (live) { states[(pass * UNITS_PER_PASS + j) * ROWS + row] = after; }
              #endif
              #else
              #if OUTPUTS
              storeOutput(place, products[0], live);
              #endif
              if (live) { states[(pass * UNITS_PER_PASS + j) * ROWS + row].OUTPUT_STATE = products[0]; }
              #endif
            }
          }
        }
      }
    }
  }
}
workgroupBarrier();
