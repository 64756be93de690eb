// The discrete Fourier transform of real numbers, for sizes that have the factors 2, 3 and 5.
import { RnnError } from '../errors.ts';

const RADICES = [4, 2, 3, 5] as const;

/** The factors of a size, largest transform first. */
function factorsOf(size: number): number[] | undefined {
  const factors: number[] = [];
  let left = size;
  for (const radix of RADICES) for (; left % radix === 0; left /= radix) factors.push(radix);
  return left === 1 ? factors : undefined;
}

/** A complex transform in the self-sorting form of Stockham, in float64. */
class ComplexFft {
  readonly #size: number;
  readonly #factors: readonly number[];
  readonly #cos: Float64Array;
  readonly #sin: Float64Array;
  /** Where the stages write alternately: real parts, then imaginary parts. */
  #from: Float64Array;
  #to: Float64Array;

  constructor(size: number, factors: readonly number[]) {
    this.#size = size;
    this.#factors = factors;
    this.#cos = Float64Array.from({ length: size }, (_, k) => Math.cos((2 * Math.PI * k) / size));
    this.#sin = Float64Array.from({ length: size }, (_, k) => -Math.sin((2 * Math.PI * k) / size));
    this.#from = new Float64Array(2 * size);
    this.#to = new Float64Array(2 * size);
  }

  /** Real parts, then imaginary parts: of the input before {@link ComplexFft.run}, of the output after it. */
  get values(): Float64Array {
    return this.#from;
  }

  /** Transforms the values. */
  run(): void {
    let [length, stride] = [this.#size, 1];
    for (const radix of this.#factors) {
      length /= radix;
      this.#stage(radix, length, stride);
      stride *= radix;
      [this.#from, this.#to] = [this.#to, this.#from];
    }
  }

  /** `stride` interleaved transforms of `radix · length` numbers become `radix · stride` of `length`. */
  #stage(radix: number, length: number, stride: number): void {
    const [n, from, to, cos, sin] = [this.#size, this.#from, this.#to, this.#cos, this.#sin];
    const rotation = n / radix;
    for (let p = 0; p < length; p++) {
      for (let k = 0; k < radix; k++) {
        const [twist, write] = [p * k * stride, stride * (radix * p + k)];
        for (let s = 0; s < stride; s++) {
          let [re, im] = [0, 0];
          for (let j = 0; j < radix; j++) {
            const read = s + stride * (p + length * j);
            const w = (j * k * rotation + twist) % n;
            re += from[read]! * cos[w]! - from[n + read]! * sin[w]!;
            im += from[read]! * sin[w]! + from[n + read]! * cos[w]!;
          }
          to[write + s] = re;
          to[n + write + s] = im;
        }
      }
    }
  }
}

/**
 * The transform of `size` real numbers, `size / 2 + 1` complex ones, and its inverse: an even size whose only prime
 * factors are 2, 3 and 5. It allocates only when it is made.
 */
export class RealFft {
  readonly #half: number;
  readonly #fft: ComplexFft;
  readonly #cos: Float64Array;
  readonly #sin: Float64Array;

  /** @throws RnnError `INVALID_ARGUMENT` for another size */
  constructor(size: number) {
    const isEven = Number.isSafeInteger(size) && size >= 2 && size % 2 === 0;
    const half = size / 2;
    const factors = isEven ? factorsOf(half) : undefined;
    if (!factors) {
      const what = `got ${size}, expected an even number whose prime factors are 2, 3 and 5`;
      throw new RnnError('INVALID_ARGUMENT', 'spectrum.size', what);
    }
    this.#half = half;
    this.#fft = new ComplexFft(half, factors);
    const angle = (k: number): number => (2 * Math.PI * k) / size;
    this.#cos = Float64Array.from({ length: half + 1 }, (_, k) => Math.cos(angle(k)));
    this.#sin = Float64Array.from({ length: half + 1 }, (_, k) => Math.sin(angle(k)));
  }

  /** `re[k] + i·im[k]` = the sum over j of `x[j] · e^(-2πi·jk/size)`, for k = 0 … size / 2. */
  forward(x: ArrayLike<number>, re: Float32Array, im: Float32Array): void {
    // Even numbers as real parts, odd ones as imaginary parts: one transform of half the size.
    const half = this.#half;
    const input = this.#fft.values;
    for (let k = 0; k < half; k++) {
      input[k] = x[2 * k]!;
      input[half + k] = x[2 * k + 1]!;
    }
    this.#fft.run();
    const z = this.#fft.values;
    for (let k = 0; k <= half; k++) {
      const [a, b] = [k % half, (half - k) % half];
      const [evenRe, evenIm] = [(z[a]! + z[b]!) / 2, (z[half + a]! - z[half + b]!) / 2];
      const [oddRe, oddIm] = [(z[half + a]! + z[half + b]!) / 2, (z[b]! - z[a]!) / 2];
      const [cos, sin] = [this.#cos[k]!, this.#sin[k]!];
      re[k] = evenRe + oddRe * cos + oddIm * sin;
      im[k] = evenIm + oddIm * cos - oddRe * sin;
    }
  }

  /** The inverse of {@link RealFft.forward}; the imaginary parts of the first and the last number do not count. */
  inverse(re: ArrayLike<number>, im: ArrayLike<number>, x: Float64Array): void {
    const half = this.#half;
    const input = this.#fft.values;
    for (let k = 0; k < half; k++) {
      const other = half - k;
      const isEdge = k === 0;
      const [aIm, bIm] = isEdge ? [0, 0] : [im[k]!, im[other]!];
      const [evenRe, evenIm] = [(re[k]! + re[other]!) / 2, (aIm - bIm) / 2];
      const [diffRe, diffIm] = [(re[k]! - re[other]!) / 2, (aIm + bIm) / 2];
      const [cos, sin] = [this.#cos[k]!, this.#sin[k]!];
      const [oddRe, oddIm] = [diffRe * cos - diffIm * sin, diffRe * sin + diffIm * cos];
      // The conjugate, so that the forward transform is the inverse.
      input[k] = evenRe - oddIm;
      input[half + k] = -(evenIm + oddRe);
    }
    this.#fft.run();
    const z = this.#fft.values;
    for (let k = 0; k < half; k++) {
      x[2 * k] = z[k]! / half;
      x[2 * k + 1] = -z[half + k]! / half;
    }
  }
}
