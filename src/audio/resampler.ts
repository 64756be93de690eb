// From one sample rate to another, block by block: a windowed sinc in polyphase form
// (Smith, Digital Audio Resampling, https://ccrma.stanford.edu/~jos/resample/).
import { RnnError } from '../errors.ts';

/** Zero crossings of the sinc on each side, at the lower of the two rates. */
const ZERO_CROSSINGS = 32;
/** What is beyond half of the lower rate is damped by this many decibels. */
const ATTENUATION_DB = 80;
/** Elements of the table of filters: rates with hardly a common divisor need a filter for each sample. */
const MAX_TABLE = 2 ** 21;

// Kaiser's formulas for the shape of his window and the width of the transition, as a part of half the rate.
const BETA = 0.1102 * (ATTENUATION_DB - 8.7);
const TRANSITION = (ATTENUATION_DB - 8) / (2.285 * 2 * ZERO_CROSSINGS * Math.PI);
const CUTOFF = 1 - TRANSITION / 2;

/** The part of half of the lower rate up to which sound goes through unchanged. */
export const PASSBAND = 1 - TRANSITION;

/** The modified Bessel function of the first kind, order 0. */
function bessel(x: number): number {
  let [sum, term] = [1, 1];
  for (let k = 1; term > sum * 1e-17; k++) sum += term *= (x / (2 * k)) ** 2;
  return sum;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** The ratio of two rates in lowest terms. */
export function ratioOf(from: number, to: number): readonly [p: number, q: number] {
  const divisor = gcd(from, to);
  return [to / divisor, from / divisor];
}

/** One filter for each place of an output between two inputs, each with a sum of 1. */
function makeFilters(p: number, q: number, delay: number): Float32Array {
  const taps = 2 * delay + 1;
  const cutoff = CUTOFF * Math.min(1, p / q);
  const table = new Float32Array(p * taps);
  const filter = new Float64Array(taps);
  for (let phase = 0; phase < p; phase++) {
    let sum = 0;
    for (let k = 0; k < taps; k++) {
      const x = phase / p + k - delay;
      const angle = Math.PI * cutoff * x;
      const side = 1 - (x / delay) ** 2;
      const sinc = angle === 0 ? 1 : Math.sin(angle) / angle;
      sum += filter[k] = side < 0 ? 0 : sinc * bessel(BETA * Math.sqrt(side));
    }
    for (let k = 0; k < taps; k++) table[phase * taps + k] = filter[k]! / sum;
  }
  return table;
}

/**
 * Resamples one channel. After `n` input samples it has given `ceil(n · to / from)`, of which number `m` is the input at the
 * time `m · from / to - delay`, in input samples. It allocates only when it is made.
 */
export class Resampler {
  /** Input samples by which the output lags. */
  readonly delay: number;
  readonly #p: number;
  readonly #q: number;
  readonly #taps: number;
  readonly #filters: Float32Array;
  /** The last `2 · delay` inputs, then the block. */
  readonly #input: Float32Array;
  readonly #output: Float32Array;
  readonly #maxBlock: number;
  /** The next output: after which input of the block, and how many p-th parts behind it. */
  #at = 0;
  #phase = 0;

  /**
   * @param from rate of the input, a whole number of Hz
   * @param to rate of the output, a whole number of Hz
   * @param maxBlock input samples of a block at most
   * @throws RnnError `LIMIT_EXCEEDED` for rates whose ratio has no short form
   */
  constructor(from: number, to: number, maxBlock: number) {
    const [p, q] = ratioOf(from, to);
    [this.#p, this.#q, this.#maxBlock] = [p, q, maxBlock];
    this.delay = Math.ceil(ZERO_CROSSINGS * Math.max(1, q / p));
    this.#taps = 2 * this.delay + 1;
    if (p * this.#taps > MAX_TABLE) {
      const what = `got ${from} Hz, whose ratio to ${to} Hz is ${q} / ${p}, expected one of smaller numbers`;
      throw new RnnError('LIMIT_EXCEEDED', 'sampleRate', what);
    }
    this.#filters = makeFilters(p, q, this.delay);
    this.#input = new Float32Array(2 * this.delay + maxBlock);
    this.#output = new Float32Array(Math.ceil((maxBlock * p) / q) + 1);
  }

  /**
   * Takes a block and gives what it makes known.
   *
   * @returns a view that is valid until the next call
   * @throws RnnError `INTERNAL` for a block that is too long
   */
  push(block: Float32Array): Float32Array {
    if (block.length > this.#maxBlock) {
      const what = `got ${block.length} samples, expected at most ${this.#maxBlock}`;
      throw new RnnError('INTERNAL', 'resampler', what);
    }
    const past = 2 * this.delay;
    const [taps, filters, input] = [this.#taps, this.#filters, this.#input];
    input.set(block, past);
    let count = 0;
    while (this.#at < block.length) {
      const filter = this.#phase * taps;
      const newest = this.#at + past;
      let sum = 0;
      for (let k = 0; k < taps; k++) sum += filters[filter + k]! * input[newest - k]!;
      this.#output[count++] = sum;
      this.#phase += this.#q;
      const whole = Math.floor(this.#phase / this.#p);
      this.#at += whole;
      this.#phase -= whole * this.#p;
    }
    this.#at -= block.length;
    input.copyWithin(0, block.length, block.length + past);
    return this.#output.subarray(0, count);
  }
}
