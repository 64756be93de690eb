// Statements of persistent-phase.wgsl, once for each sum over units: Σ TERM(unit) of one row.
{
  let valid = min(firstRow + row, params.rows - 1u);
  var part = 0.0;
  for (var m = 0u; m < UNITS; m++) {
    let unit = m * LANES + lane;
    if (unit < HIDDEN) {
      part += TERM(
        #if READS_X
        loadX(Place(valid, unit, step, chunkStep)),
        #endif
        #if READS_PASSED
        passed[m * ROWS + row],
        #endif
        sumsOfRow[row],
      );
    }
  }
  sumsOfRow[row].TERM = sumOverWorkgroup(part, lane);
}
