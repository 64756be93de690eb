// The part of one axis K in pad.wgsl, last axis first.
{
  let size = params.sizeK;
  let p = i32(remaining % params.outK) - params.beforeK;
  remaining /= params.outK;
  inside = inside && p >= 0 && p < size;
  s += u32(PLACE) * params.sK;
}
