// WGSL functions that only some elementwise expressions need.
import { MATH } from './math.ts';
import { wgsl } from './wgsl.ts';

// Drivers promise 2^-11 for sin and cos and nothing for large x, hence our own: x = (k + shift)·π + r,
// the multiple of π taken off in three parts, then the Taylor series up to r^11 (|error| <= 6e-8).
const TRIGONOMETRY = wgsl`
fn wave(x: f32, k: f32) -> f32 {
  let r = fma(-k, 1.5099579e-7, fma(-k, 9.67502594e-4, fma(-k, 3.140625, x)));
  let s = r * r;
  return r + r * s * (-0.16666667 + s * (8.3333333e-3 + s * (-1.9841270e-4
    + s * (2.7557319e-6 - s * 2.5052108e-8))));
}
fn flip(y: f32, k: f32) -> f32 { return select(y, -y, k != 2.0 * floor(k * 0.5)); }
fn sine(x: f32) -> f32 {
  let k = round(x * 0.31830989);
  return flip(wave(x, k), k);
}
fn cosine(x: f32) -> f32 {
  let k = floor(x * 0.31830989);
  return -flip(wave(x, k + 0.5), k);
}`;

// pow() of WGSL knows no negative base, and loses digits to the logarithm where a product is exact.
const POWERS = wgsl`
fn power(x: f32, y: f32) -> f32 {
  let whole = y == floor(y);
  if (whole && abs(y) <= 8.0) {
    var p = 1.0;
    for (var n = 0; n < 8; n++) { p *= select(1.0, x, n < i32(abs(y))); }
    return select(p, 1.0 / p, y < 0.0);
  }
  if (y == 0.5) { return sqrt(x); }
  let p = pow(select(x, abs(x), whole), y);
  return select(p, -p, whole && x < 0.0 && y != 2.0 * floor(y * 0.5));
}
fn intPower(x: i32, y: i32) -> i32 {
  var p = 1;
  var square = x;
  for (var bit = 0u; bit < 31u; bit++) {
    p *= select(1, square, ((y >> bit) & 1) == 1);
    square *= square;
  }
  return p;
}`;

// By hand: which way pack2x16float rounds, and what it makes of numbers beyond its range, is left open.
const HALVES = wgsl`
fn toHalf(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  let sign = bits & 0x80000000u;
  let size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) { return x; } // NaN
  if (size >= 0x477ff000u) { return bitcast<f32>(sign | 0x7f800000u); } // 65520 and beyond
  if (size < 0x38800000u) { return round(x * 16777216.0) * 5.9604644775390625e-8; } // steps of 2^-24
  return bitcast<f32>(sign | ((size + 0xfffu + ((size >> 13u) & 1u)) & 0xffffe000u));
}`;

const MODULES: readonly (readonly [needs: RegExp, text: string])[] = [
  [/\b(sigmoid|safeTanh|softplus|erf)\(/, MATH],
  [/\b(sine|cosine)\(/, TRIGONOMETRY],
  [/\b(power|intPower)\(/, POWERS],
  [/\btoHalf\(/, HALVES],
];

/** WGSL of the functions that an expression calls. */
export const functionsFor = (expression: string): string =>
  MODULES.filter(([needs]) => needs.test(expression))
    .map(([, text]) => text)
    .join('\n');
