// Statements of row-reduce.wgsl: BODY for every element `x` of the invocation, at place `r` of its row. UNROLLED
// elements in an iteration while there are as many, because an iteration costs as much as an element.
if (isRow) {
  var r = lane;
  for (var i = 0u; i < MAX_TRIP_COUNT; i++) {
    if (r + params.lanes * (UNROLLED - 1u) >= params.size) { break; }
    @unroll for (var copy = 0u; copy < UNROLLED; copy++) {
      COLUMN_OFFSET;
      let x = data[row + col];
      BODY;
      r += params.lanes;
    }
  }
  for (var i = 0u; i < UNROLLED; i++) {
    if (r >= params.size) { break; }
    COLUMN_OFFSET;
    let x = data[row + col];
    BODY;
    r += params.lanes;
  }
}
