// The part of one axis K in scatter.wgsl.
{
  let to = position(indices[tuple * DEPTH + AXIS], params.sizeK);
  isInside = isInside && to < params.sizeK;
  at += to * params.stepK;
}
