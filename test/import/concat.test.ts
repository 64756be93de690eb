// Arrays joined end to end.
import { expect, it } from 'vitest';
import { concat } from '../../src/import/concat.ts';

it('joins parts in order; one part stays where it is', () => {
  const [a, b] = [Float32Array.of(1, 2), Float32Array.of(3)];
  expect(concat([a, new Float32Array(), b])).toEqual(Float32Array.of(1, 2, 3));
  expect(concat([Uint8Array.of(255), Uint8Array.of(0, 7)])).toEqual(Uint8Array.of(255, 0, 7));
  expect(concat([a])).toBe(a);
  expect(concat<Uint8Array>([])).toEqual(new Uint8Array());
  // A Buffer, which Node gives for a file, is pooled.
  expect(new Uint8Array(concat<Uint8Array>([Buffer.of(1), Buffer.of(2)]))).toEqual(
    Uint8Array.of(1, 2),
  );
});
