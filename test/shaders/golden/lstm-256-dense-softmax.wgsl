// Reductions, softmax and normalizations: reduces the elements of each row, one reduction after another, and
// then writes one result for the row or one for each of its elements.
//
//   REDUCTIONS  for each reduction the passes of row-reduce-elements.wgsl over the row, and the tree over the
//               invocations of row-reduce-tree.wgsl
//   RESULT      the result of the row, or the statements of row-reduce-elements.wgsl that write each element
//
// Grid        flat: workgroups of INVOCATIONS / `lanes` rows
// Workgroup   INVOCATIONS; `lanes` of them, a power of two, have one row: neighbours have neighbouring
//             elements
// Registers   one partial result of each reduction
// Buffers     data  by the strides row0, row1 … of its `rows` rows and col0, col1 … of the `size` elements of a
//                   row
//             out   [rows], or the layout of data with a result for each element
const LOG2_INVOCATIONS = 6u;
const INVOCATIONS = 64u;
const MAX_TRIP_COUNT = 1073741824u;
const UNROLLED = 4u;
struct Params { rows: u32, size: u32, lanes: u32, rrank: u32, rd1: u32, rd2: u32, rd3: u32, row0: u32, row1: u32, row2: u32, row3: u32, col0: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> data: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
fn isNan(x: f32) -> bool { return (bitcast<i32>(x) & 0x7fffffff) > 0x7f800000; }
fn orNan(value: f32, x: f32) -> f32 { return select(value, x, isNan(x)); }
var<workgroup> partials_f32: array<f32, INVOCATIONS>;
fn combine0(p: f32, q: f32) -> f32 { return max(p, q); }
fn reduce0(own: f32, t: u32, lane: u32) -> f32 {
  if (params.lanes == 1u) { return own; }
  workgroupBarrier();
  partials_f32[t] = own;
  workgroupBarrier();
  for (var level = 1u; level <= LOG2_INVOCATIONS; level++) {
    let far = params.lanes >> level;
    if (far == 0u) { break; }
    if (lane < far) { partials_f32[t] = combine0(partials_f32[t], partials_f32[t + far]); }
    workgroupBarrier();
  }
  return partials_f32[t - lane];
}
fn combine1(p: f32, q: f32) -> f32 { return p + q; }
fn reduce1(own: f32, t: u32, lane: u32) -> f32 {
  if (params.lanes == 1u) { return own; }
  workgroupBarrier();
  partials_f32[t] = own;
  workgroupBarrier();
  for (var level = 1u; level <= LOG2_INVOCATIONS; level++) {
    let far = params.lanes >> level;
    if (far == 0u) { break; }
    if (lane < far) { partials_f32[t] = combine1(partials_f32[t], partials_f32[t + far]); }
    workgroupBarrier();
  }
  return partials_f32[t - lane];
}
@compute @workgroup_size(INVOCATIONS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) t: u32,
) {
  let lane = t % params.lanes;
  let index = (group.x + group.y * groups.x) * (INVOCATIONS / params.lanes) + t / params.lanes;
  let isRow = index < params.rows; // invocations without a row take part in the barriers only
  var remainingR = index;
  var row = 0u;
  if (params.rrank > 1u) { if (params.rrank > 2u) { if (params.rrank > 3u) {
        let at = remainingR % params.rd3; remainingR /= params.rd3; row += at * params.row3; }
      let at = remainingR % params.rd2; remainingR /= params.rd2; row += at * params.row2; }
    let at = remainingR % params.rd1; remainingR /= params.rd1; row += at * params.row1; }
  row += remainingR * params.row0;;
  var own0 = f32(bitcast<f32>(0xff800000u | (params.size >> 31u)));
  if (isRow) {
    var r = lane;
    for (var i = 0u; i < MAX_TRIP_COUNT; i++) {
      if (r + params.lanes * (UNROLLED - 1u) >= params.size) { break; }
      {
        let col = r * params.col0;
        let x = data[row + col];
        own0 = combine0(own0, x);
        r += params.lanes;
      }
      {
        let col = r * params.col0;
        let x = data[row + col];
        own0 = combine0(own0, x);
        r += params.lanes;
      }
      {
        let col = r * params.col0;
        let x = data[row + col];
        own0 = combine0(own0, x);
        r += params.lanes;
      }
      {
        let col = r * params.col0;
        let x = data[row + col];
        own0 = combine0(own0, x);
        r += params.lanes;
      }
    }
    for (var i = 0u; i < UNROLLED; i++) {
      if (r >= params.size) { break; }
      let col = r * params.col0;
      let x = data[row + col];
      own0 = combine0(own0, x);
      r += params.lanes;
    }
  }
  let rowMax = reduce0(own0, t, lane);
  var own1 = f32(0);
  if (isRow) {
    var r = lane;
    for (var i = 0u; i < MAX_TRIP_COUNT; i++) {
      if (r + params.lanes * (UNROLLED - 1u) >= params.size) { break; }
      {
        let col = r * params.col0;
        let x = data[row + col];
        own1 = combine1(own1, orNan(exp(max(x - rowMax, -87.0)), x - rowMax));
        r += params.lanes;
      }
      {
        let col = r * params.col0;
        let x = data[row + col];
        own1 = combine1(own1, orNan(exp(max(x - rowMax, -87.0)), x - rowMax));
        r += params.lanes;
      }
      {
        let col = r * params.col0;
        let x = data[row + col];
        own1 = combine1(own1, orNan(exp(max(x - rowMax, -87.0)), x - rowMax));
        r += params.lanes;
      }
      {
        let col = r * params.col0;
        let x = data[row + col];
        own1 = combine1(own1, orNan(exp(max(x - rowMax, -87.0)), x - rowMax));
        r += params.lanes;
      }
    }
    for (var i = 0u; i < UNROLLED; i++) {
      if (r >= params.size) { break; }
      let col = r * params.col0;
      let x = data[row + col];
      own1 = combine1(own1, orNan(exp(max(x - rowMax, -87.0)), x - rowMax));
      r += params.lanes;
    }
  }
  let total = reduce1(own1, t, lane);
  if (isRow) {
    var r = lane;
    for (var i = 0u; i < MAX_TRIP_COUNT; i++) {
      if (r + params.lanes * (UNROLLED - 1u) >= params.size) { break; }
      {
        let col = r * params.col0;
        let x = data[row + col];
        out[row + col] = orNan(exp(max(x - rowMax, -87.0)), x - rowMax) / total;
        r += params.lanes;
      }
      {
        let col = r * params.col0;
        let x = data[row + col];
        out[row + col] = orNan(exp(max(x - rowMax, -87.0)), x - rowMax) / total;
        r += params.lanes;
      }
      {
        let col = r * params.col0;
        let x = data[row + col];
        out[row + col] = orNan(exp(max(x - rowMax, -87.0)), x - rowMax) / total;
        r += params.lanes;
      }
      {
        let col = r * params.col0;
        let x = data[row + col];
        out[row + col] = orNan(exp(max(x - rowMax, -87.0)), x - rowMax) / total;
        r += params.lanes;
      }
    }
    for (var i = 0u; i < UNROLLED; i++) {
      if (r >= params.size) { break; }
      let col = r * params.col0;
      let x = data[row + col];
      out[row + col] = orNan(exp(max(x - rowMax, -87.0)), x - rowMax) / total;
      r += params.lanes;
    }
  }
}
