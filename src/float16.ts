// The two 16-bit floats: widened to float32, which holds both exactly, and rounded to half precision.
// https://en.wikipedia.org/wiki/Half-precision_floating-point_format

/** Widens IEEE 754 half precision, given as its bits. */
export function fromFloat16(bits: Uint16Array): Float32Array<ArrayBuffer> {
  return widen(bits, (half) => {
    const sign = (half & 0x8000) << 16;
    const exponent = (half >> 10) & 0x1f;
    let fraction = half & 0x3ff;
    if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13); // infinity or NaN
    if (exponent !== 0) return sign | ((exponent + 112) << 23) | (fraction << 13); // bias 127 - 15
    if (fraction === 0) return sign;
    // A subnormal is normal as float32: shift until the leading one falls out.
    let shift = 0;
    for (; (fraction & 0x400) === 0; shift++) fraction <<= 1;
    return sign | ((113 - shift) << 23) | ((fraction & 0x3ff) << 13);
  });
}

/** Widens bfloat16, given as its bits: the upper half of a float32. */
export function fromBfloat16(bits: Uint16Array): Float32Array<ArrayBuffer> {
  return widen(bits, (half) => half << 16);
}

function widen(bits: Uint16Array, toFloat32: (half: number) => number): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = toFloat32(bits[i]!);
  return new Float32Array(words.buffer);
}

/**
 * Rounds to half precision, ties to even, and gives the bits.
 *
 * @param values below 65520 in size, which is what rounds to infinity
 */
export function float16Bits(values: Float32Array): Uint16Array<ArrayBuffer> {
  const halves = new Uint16Array(values.length);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const tiny = new Float32Array(1);
  const tinyBits = new Uint32Array(tiny.buffer);
  for (let i = 0; i < values.length; i++) {
    const sign = (bits[i]! >>> 16) & 0x8000;
    const size = bits[i]! & 0x7fffffff;
    if (size < 0x38800000) {
      // Below 2^-14 the steps of half precision are those that float32 has from a half up, 2^-24.
      tiny[0] = Math.abs(values[i]!) + 0.5;
      halves[i] = sign | (tinyBits[0]! - 0x3f000000);
    } else {
      // 13 bits go, half of their last place and then the exponents' difference of 127 and 15.
      const rounded = size + 0xfff + ((size >> 13) & 1);
      halves[i] = sign | ((rounded >> 13) - (112 << 10));
    }
  }
  return halves;
}

/** The nearest number that half precision holds, ties to even; infinite beyond its range. */
export function toHalf(x: number): number {
  const size = Math.abs(x);
  if (!(size < 65520)) return Math.sign(x) * (Number.isNaN(x) ? x : Infinity);
  const step = 2 ** (Math.max(Math.floor(Math.log2(size)), -14) - 10);
  return Math.sign(x) * roundHalfToEven(size / step) * step;
}

/** The nearest whole number; of two that are as near, the even one. */
export function roundHalfToEven(x: number): number {
  const floor = Math.floor(x);
  const fraction = x - floor;
  return fraction < 0.5 || (fraction === 0.5 && floor % 2 === 0) ? floor : floor + 1;
}
