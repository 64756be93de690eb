// Convolutions whose filters are a windowed Fourier basis, as the front ends of many speech models have them: their
// results are computed by fast transforms.
import type { Value } from '../../plan/specialize/infer.ts';
import * as id from '../assembly/ids.ts';
import { isKnown, knownWords } from '../builder.ts';
import { float, sizeOf } from '../lowering.ts';
import type { LowerOf, Lowering } from '../lowering.ts';

/** Filters that are a windowed Fourier basis: cosines and sines of the frequencies from 0 up. */
export interface FourierBasis {
  /** Numbers of a window: a power of two. */
  readonly size: number;
  /** Frequencies. */
  readonly bins: number;
  /** Filters from one frequency to the next, and from the real part of one to its imaginary part. */
  readonly binStep: number;
  readonly imaginary: number;
  /** 1 for sines that are negative, as in e^-iωt, else -1. */
  readonly sign: 1 | -1;
}

/** How far an element may be from window times cosine, relative to the window: half of it is what rounding to float32 makes. */
const ROUNDING = 2 ** -23;

/** Windows below this are too short to gain. */
const MIN_SIZE = 16;

/** The fractions of a circle at which the cosine is 0, 1 or -1 are exact. */
const cosine = (step: number, size: number): number =>
  step * 4 === size || step * 4 === 3 * size ? 0 : Math.cos((2 * Math.PI * step) / size);

/** cos and -sin of each of `size` steps around a circle, alternately. */
const twiddlesOf = (size: number): Float64Array =>
  Float64Array.from({ length: 2 * size }, (_, k) =>
    k % 2 === 0 ? cosine(k >> 1, size) : -cosine(((k >> 1) + size - size / 4) % size, size),
  );

/** Whether filters [filters, size] are window times cosines and sines in a given order; the window is the first filter. */
function isBasis(words: ArrayLike<number>, twiddles: Float64Array, basis: FourierBasis): boolean {
  const { size, bins, binStep, imaginary, sign } = basis;
  for (let k = 0; k < bins; k++) {
    const [re, im] = [k * binStep * size, (k * binStep + imaginary) * size];
    for (let n = 0, angle = 0; n < size; n++, angle = (angle + 2 * k) % (2 * size)) {
      const window = words[n]!;
      const allowed = Math.abs(window) * ROUNDING;
      if (!(Math.abs(words[re + n]! - window * twiddles[angle]!) <= allowed)) return false;
      if (!(Math.abs(words[im + n]! - sign * window * twiddles[angle + 1]!) <= allowed))
        return false;
    }
  }
  return true;
}

/**
 * Finds out whether filters are a windowed Fourier basis, exactly but for their rounding to float32. All cosines may
 * come first, or each sine after its cosine.
 *
 * @param words [filters, size]
 */
export function fourierBasis(
  words: ArrayLike<number>,
  filters: number,
  size: number,
): FourierBasis | undefined {
  const bins = filters / 2;
  const isPower = size >= MIN_SIZE && (size & (size - 1)) === 0;
  // A transform takes about log2(size) sums for each number, whatever the frequencies that are wanted.
  const isWorth = bins > 2 * Math.log2(size);
  if (!isPower || !isWorth || !Number.isInteger(bins) || bins > size / 2 + 1) return undefined;
  const twiddles = twiddlesOf(size);
  for (const [binStep, imaginary] of [
    [1, bins],
    [2, 1],
  ] as const)
    for (const sign of [1, -1] as const) {
      const basis = { size, bins, binStep, imaginary, sign };
      if (isBasis(words, twiddles, basis)) return basis;
    }
  return undefined;
}

/** Bases by the constant that holds them: many plans ask for the same one. */
const known = new WeakMap<object, FourierBasis | 'none'>();

function basisOf(weights: Value): FourierBasis | undefined {
  if (!weights.constant || !isKnown(weights)) return undefined;
  const key = weights.tensor ?? weights.host!;
  let found = known.get(key);
  if (!found) {
    const [filters, , size] = weights.dims as [number, number, number];
    found = fourierBasis(knownWords(weights), filters, size) ?? 'none';
    known.set(key, found);
  }
  return found === 'none' ? undefined : found;
}

/** A convolution over one axis of one channel, without bias, padding and dilation, by fast transforms. */
export const fourier: LowerOf<'Conv'> = (ctx) => {
  const { groups, strides, dilations, before, after } = ctx.params;
  const [x, weights] = [ctx.input(0), ctx.input(1)];
  const [stride] = strides;
  const isPlain = [...before, ...after].every((n) => n === 0) && dilations.every((n) => n === 1);
  if (weights.dims.length !== 3 || weights.dims[1] !== 1 || groups !== 1) return false;
  if (ctx.inputs[2] || !isPlain || sizeOf(ctx.outputs[0]!.dims) === 0) return false;
  const basis = basisOf(weights);
  if (!basis) return false;
  const { size, bins, binStep, imaginary, sign } = basis;
  const table = (ctx as Lowering<never>).made('fourier', 3 * size, weights, (words) => {
    const made = new Float32Array(3 * size);
    for (let n = 0; n < size; n++) made[n] = words[n]! / 2;
    made.set(twiddlesOf(size), size);
    return made;
  });
  ctx.emit(
    id.FOURIER,
    [x.dims[0]!, x.dims[2]!, ctx.outputs[0]!.dims[2]!, stride!],
    [size, bins, binStep, imaginary, float(sign)],
    [ctx.read(0), table, ctx.write(), ctx.scratch(8 * size, 'spectra')],
  );
  return true;
};
