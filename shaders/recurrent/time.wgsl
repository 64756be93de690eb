// The order of time: which position of the sequence a step of the recurrence reads and writes, and
// whether a batch row takes part in it.

#if READS_LENGTH
fn lengthOf(row: u32) -> u32 {
  #if LENGTHS
  return min(u32(max(lengths[row], 0)), params.steps);
  #else
  return params.steps;
  #endif
}
#endif

// A row that ends early is reversed within its length; behind its end the order does not matter.
#if READS_TIME
fn timeOf(row: u32, step: u32) -> u32 {
  #if FORWARD
  return step;
  #else
  let length = lengthOf(row);
  #if BIDIRECTIONAL
  return select(step, length - 1u - step, instance == 1u && step < length);
  #else
  return select(step, length - 1u - step, step < length);
  #endif
  #endif
}
#endif

#if READS_LIVE
fn isLive(row: u32, step: u32) -> bool {
  #if LENGTHS
  if (step >= lengthOf(row)) { return false; }
  #endif
  #if MASK
  return mask[timeOf(row, step) * params.maskT + row * params.maskB] != 0;
  #else
  return true;
  #endif
}
#endif
