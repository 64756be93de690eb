// Writes h of a step to where others read it: Y, and in a stack the input of the layer above.
//
// Buffers    y             [T, D, B, O] or [B, T, D, O], by strides
//            layerOutputs  [LAYERS - 1, chunkSteps, B, O], h of the layers below the top

#if WRITES_Y
fn storeY(at: Place, h: f32, live: bool) {
  let t = timeOf(at.row, at.step);
  var value = h;
  #if MASKED
  value = select(0.0, h, live);
  #endif
  #if REPEATS
  // Keras: a masked step repeats the output before it in the order of processing, which is in Y
  // already; before the first step that is zero. Behind the end of a row Y is zero.
  if (!live && at.step > 0u && at.step < lengthOf(at.row)) {
    value = y[yAt(at, timeOf(at.row, at.step - 1u))];
  }
  #endif
  y[yAt(at, t)] = value;
}
fn yAt(at: Place, t: u32) -> u32 {
  #if WAVEFRONT
  return t * params.yT + at.row * params.yB + at.unit;
  #else
  return t * params.yT + at.row * params.yB + instance * params.yD + at.unit;
  #endif
}
#endif

fn storeOutput(at: Place, h: f32, live: bool) {
  #if WAVEFRONT
  if (instance < LAYERS - 1u) {
    // A row that has ended writes garbage here; the layer above masks the same rows.
    layerOutputs[((instance * params.chunkSteps + at.chunkStep) * params.rows + at.row) * OUTPUT + at.unit] = h;
    return;
  }
  #endif
  #if WRITES_Y
  storeY(at, h, live);
  #endif
}
