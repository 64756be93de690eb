// Every 16-bit float becomes the float32 of the same value.
import { expect, it } from 'vitest';
import { fromBfloat16, fromFloat16 } from '../src/float16.ts';

const ALL = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);

/** The value of a float with so many bits of exponent and fraction, by the definition. */
function valueOf(bits: number, exponentBits: number, fractionBits: number): number {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> fractionBits) & (2 ** exponentBits - 1);
  const fraction = (bits & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias);
  return sign * (1 + fraction) * 2 ** (exponent - bias);
}

it.each([
  ['float16', fromFloat16, 5, 10],
  ['bfloat16', fromBfloat16, 8, 7],
] as const)('%s', (_, widen, exponentBits, fractionBits) => {
  const widened = widen(ALL);
  const wrong = [...ALL].filter(
    (bits) => !Object.is(widened[bits], valueOf(bits, exponentBits, fractionBits)),
  );
  expect(wrong).toEqual([]);
});
