// Index arithmetic of the lowerings, by itself: merged axes visit the same elements in the same order.
import { expect, it } from 'vitest';
import { offsetValues } from '../../shaders/strided-offset.ts';
import { broadcastStrides, forEachIndex, offsetOf, stridesOf } from '../../src/ops/indexing.ts';
import { collapse } from '../../src/plan/lower/collapse-axes.ts';
import { type Random, randomOf } from '../support/random.ts';
import { SEED } from '../support/settings.ts';

/** Offsets in the order of the flat index. */
function offsets(dims: readonly number[], strides: readonly number[]): number[] {
  const found: number[] = [];
  forEachIndex(dims, (index) => found.push(offsetOf(index, strides)));
  return found;
}

/** What the WGSL of `stridedOffsets` computes, from the uniforms that it reads. */
function offsetAt(uniforms: Readonly<Record<string, number>>, rank: number, i: number): number {
  let [rest, at] = [i, 0];
  for (let k = rank - 1; k > 0; k--) {
    if (uniforms['rank']! <= k) continue;
    at += (rest % uniforms[`d${k}`]!) * uniforms[`s${k}`]!;
    rest = Math.floor(rest / uniforms[`d${k}`]!);
  }
  return (at + rest * uniforms['s0']!) | 0; // u32 that wrap
}

const randomDims = (random: Random): number[] =>
  Array.from({ length: random.int(0, 5) }, () => random.int(1, 4));

it(`collapse preserves the elements and their order, seed ${SEED}`, () => {
  const random = randomOf(SEED);
  for (let n = 0; n < 300; n++) {
    const dims = randomDims(random);
    const narrow = dims.map((dim) => (random.chance(0.4) ? 1 : dim));
    const order = random.permutation(dims.length);
    const dense = stridesOf(order.map((axis) => dims[axis]!));
    const transposed = dims.map(
      (_, axis) => dense[order.indexOf(axis)]! * (random.chance(0.2) ? -1 : 1),
    );
    const given = { a: stridesOf(dims), b: broadcastStrides(narrow, dims), c: transposed };
    const simple = collapse(dims, given);
    const label = `[${dims.join()}] b [${narrow.join()}] c [${transposed.join()}]`;
    expect(simple.dims.length, label).toBeLessThanOrEqual(dims.length);
    for (const name of ['a', 'b', 'c'] as const) {
      const want = offsets(dims, given[name]);
      expect(offsets(simple.dims, simple.strides[name]), `${label}: ${name}`).toEqual(want);
      const uniforms = offsetValues(5, simple.dims, { s: simple.strides[name] });
      const got = want.map((_, i) => offsetAt(uniforms, 5, i));
      expect(got, `${label}: ${name} by uniforms`).toEqual(want.map((offset) => offset + 0));
    }
  }
});

it('collapse merges what is dense, and only that', () => {
  expect(collapse([2, 3, 4], { a: [12, 4, 1] }).dims).toEqual([24]);
  expect(collapse([2, 1, 4], { a: [4, 9, 1] }).dims).toEqual([8]);
  expect(collapse([2, 3, 4], { a: [12, 4, 1], b: [0, 4, 1] }).dims).toEqual([2, 12]);
  expect(collapse([2, 3], { a: [3, 1], b: [1, 2] }).dims).toEqual([2, 3]);
  expect(collapse([1, 1], { a: [0, 0] }).dims).toEqual([]);
});
