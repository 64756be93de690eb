// The two 16-bit floats that weights come in, widened to float32, which holds both exactly.

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
