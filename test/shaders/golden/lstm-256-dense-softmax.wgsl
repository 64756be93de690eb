struct Params { rows: u32, size: u32, lanes: u32, rrank: u32, rd1: u32, rd2: u32, rd3: u32, row0: u32, row1: u32, row2: u32, row3: u32, col0: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> data: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
// Functions that WGSL lacks, or whose precision far from zero it leaves open. Each is printed into a
// kernel only where the kernel calls it.
//
// exp and tanh: a driver with fast math may return NaN or lose all digits for large arguments, as tanh
// does on Metal (https://github.com/gpuweb/gpuweb/issues/4458), so the arguments are limited to where
// the result no longer changes.
//
// NaN: clamp, min and max may return either operand where one is NaN, and a compiler may assume that no
// operand is (https://www.w3.org/TR/WGSL/#floating-point-evaluation); exp and log of SwiftShader return numbers.
// So NaN is recognised by its bits, which no such assumption reaches, and put back behind whatever may have
// dropped it.
fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
// `value`, or x where x is NaN.
fn orNan(value: f32, x: f32) -> f32 { return select(value, x, isNan(x)); }
// The larger and the smaller of two numbers; NaN where either is NaN.
var<workgroup> f32Parts: array<f32, 64>;
fn combine0(p: f32, q: f32) -> f32 { return max(p, q); }
fn fold0(mine: f32, t: u32, lane: u32) -> f32 {
  if (params.lanes == 1u) { return mine; }
  workgroupBarrier();
  f32Parts[t] = mine;
  workgroupBarrier();
  for (var lap = 1u; lap < 7u; lap++) {
    let far = params.lanes >> lap;
    if (far == 0u) { break; }
    if (lane < far) {
      f32Parts[t] = combine0(f32Parts[t], f32Parts[t + far]);
    }
    workgroupBarrier();
  }
  return f32Parts[t - lane];
}
fn combine1(p: f32, q: f32) -> f32 { return p + q; }
fn fold1(mine: f32, t: u32, lane: u32) -> f32 {
  if (params.lanes == 1u) { return mine; }
  workgroupBarrier();
  f32Parts[t] = mine;
  workgroupBarrier();
  for (var lap = 1u; lap < 7u; lap++) {
    let far = params.lanes >> lap;
    if (far == 0u) { break; }
    if (lane < far) {
      f32Parts[t] = combine1(f32Parts[t], f32Parts[t + far]);
    }
    workgroupBarrier();
  }
  return f32Parts[t - lane];
}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) t: u32) {
  let lane = t % params.lanes;
  let index = (group.x + group.y * groups.x) * (64u / params.lanes) + t / params.lanes;
  let live = index < params.rows; // the others take part in the barriers only
  var rrest = index;
  var row = 0u;
  if (params.rrank > 1u) { if (params.rrank > 2u) { if (params.rrank > 3u) {
        let at = rrest % params.rd3; rrest /= params.rd3; row += at * params.row3; }
      let at = rrest % params.rd2; rrest /= params.rd2; row += at * params.row2; }
    let at = rrest % params.rd1; rrest /= params.rd1; row += at * params.row1; }
  row += rrest * params.row0;
  var own0 = f32(bitcast<f32>(0xff800000u | (params.size >> 31u)));
  if (live) {
    var r = lane;
    for (var lap = 0u; lap < 0x40000000u; lap++) {
      if (r + params.lanes * 3u >= params.size) { break; }
      {
        let col = r * params.col0;
        let x = data[row + col];
        own0 = combine0(own0, x);
        r += params.lanes;
      }{
        let col = r * params.col0;
        let x = data[row + col];
        own0 = combine0(own0, x);
        r += params.lanes;
      }{
        let col = r * params.col0;
        let x = data[row + col];
        own0 = combine0(own0, x);
        r += params.lanes;
      }{
        let col = r * params.col0;
        let x = data[row + col];
        own0 = combine0(own0, x);
        r += params.lanes;
      }
    }
    for (var lap = 0u; lap < 4u; lap++) {
      if (r >= params.size) { break; }
      {
        let col = r * params.col0;
        let x = data[row + col];
        own0 = combine0(own0, x);
        r += params.lanes;
      }
    }
  }
  let rowMax = fold0(own0, t, lane);
  var own1 = f32(0);
  if (live) {
    var r = lane;
    for (var lap = 0u; lap < 0x40000000u; lap++) {
      if (r + params.lanes * 3u >= params.size) { break; }
      {
        let col = r * params.col0;
        let x = data[row + col];
        own1 = combine1(own1, orNan(exp(max(x - rowMax, -87.0)), x - rowMax));
        r += params.lanes;
      }{
        let col = r * params.col0;
        let x = data[row + col];
        own1 = combine1(own1, orNan(exp(max(x - rowMax, -87.0)), x - rowMax));
        r += params.lanes;
      }{
        let col = r * params.col0;
        let x = data[row + col];
        own1 = combine1(own1, orNan(exp(max(x - rowMax, -87.0)), x - rowMax));
        r += params.lanes;
      }{
        let col = r * params.col0;
        let x = data[row + col];
        own1 = combine1(own1, orNan(exp(max(x - rowMax, -87.0)), x - rowMax));
        r += params.lanes;
      }
    }
    for (var lap = 0u; lap < 4u; lap++) {
      if (r >= params.size) { break; }
      {
        let col = r * params.col0;
        let x = data[row + col];
        own1 = combine1(own1, orNan(exp(max(x - rowMax, -87.0)), x - rowMax));
        r += params.lanes;
      }
    }
  }
  let total = fold1(own1, t, lane);
  if (live) {
    var r = lane;
    for (var lap = 0u; lap < 0x40000000u; lap++) {
      if (r + params.lanes * 3u >= params.size) { break; }
      {
        let col = r * params.col0;
        let x = data[row + col];
        out[row + col] = orNan(exp(max(x - rowMax, -87.0)), x - rowMax) / total;
        r += params.lanes;
      }{
        let col = r * params.col0;
        let x = data[row + col];
        out[row + col] = orNan(exp(max(x - rowMax, -87.0)), x - rowMax) / total;
        r += params.lanes;
      }{
        let col = r * params.col0;
        let x = data[row + col];
        out[row + col] = orNan(exp(max(x - rowMax, -87.0)), x - rowMax) / total;
        r += params.lanes;
      }{
        let col = r * params.col0;
        let x = data[row + col];
        out[row + col] = orNan(exp(max(x - rowMax, -87.0)), x - rowMax) / total;
        r += params.lanes;
      }
    }
    for (var lap = 0u; lap < 4u; lap++) {
      if (r >= params.size) { break; }
      {
        let col = r * params.col0;
        let x = data[row + col];
        out[row + col] = orNan(exp(max(x - rowMax, -87.0)), x - rowMax) / total;
        r += params.lanes;
      }
    }
  }
}
