// Short-time Fourier transforms of a stream, and back by overlap-add.
import { RnnError } from '../errors.ts';
import { RealFft } from './fft.ts';

/** Windows by name, periodic as in `torch.hann_window`; `'sqrt-hann'` and `'vorbis'` for analysis and synthesis alike. */
export type WindowName = 'hann' | 'sqrt-hann' | 'hamming' | 'vorbis' | 'rectangular';

/** How frames become spectra. */
export interface SpectrumOptions {
  /** Samples of a transform: even, with the prime factors 2, 3 and 5, and at least the hop. */
  readonly size: number;
  /** Window before the transform, by name or as `size` numbers. Default `'hann'`. */
  readonly window?: WindowName | Float32Array;
  /** Window after the inverse transform. Default: the same. */
  readonly synthesis?: WindowName | Float32Array;
}

const WINDOWS: Readonly<Record<WindowName, (x: number) => number>> = {
  hann: (x) => Math.sin(Math.PI * x) ** 2,
  'sqrt-hann': (x) => Math.sin(Math.PI * x),
  hamming: (x) => 0.54 - 0.46 * Math.cos(2 * Math.PI * x),
  vorbis: (x) => Math.sin((Math.PI / 2) * Math.sin(Math.PI * x) ** 2),
  rectangular: () => 1,
};

function windowOf(given: WindowName | Float32Array, size: number, path: string): Float64Array {
  if (typeof given === 'string' && Object.hasOwn(WINDOWS, given)) {
    // vorbis is symmetric around half samples, the others are periodic.
    const shift = given === 'vorbis' ? 0.5 : 0;
    return Float64Array.from({ length: size }, (_, k) => WINDOWS[given]((k + shift) / size));
  }
  if (given instanceof Float32Array && given.length === size && given.every(Number.isFinite)) {
    return Float64Array.from(given);
  }
  const got = given instanceof Float32Array ? `${given.length} numbers` : `'${String(given)}'`;
  const what = `got ${got}, expected ${Object.keys(WINDOWS).join(', ')} or ${size} finite numbers`;
  throw new RnnError('INVALID_ARGUMENT', path, what);
}

/** Where the windows overlap to less than this part of their maximum, what a model changes would be blown up. */
const MIN_OVERLAP = 1e-3;

/** What the windows of all frames that overlap at a sample add up to, for each place in a hop. */
function overlap(analysis: Float64Array, synthesis: Float64Array, hop: number): Float64Array {
  const sums = new Float64Array(hop);
  analysis.forEach((weight, k) => (sums[k % hop]! += weight * synthesis[k]!));
  const [min, max] = [Math.min(...sums), Math.max(...sums)];
  if (!(max > 0) || min < MIN_OVERLAP * max) {
    const what = `got windows of ${analysis.length} samples that add up to ${min} … ${max} every ${hop}`;
    throw new RnnError('INVALID_ARGUMENT', 'spectrum', `${what}, expected no gap among them`);
  }
  return sums;
}

/**
 * Spectra of the last `size` samples, every `hop` samples. Spectra that nobody changes come back as the samples, `latency`
 * later, for all windows that leave no gap. It allocates only when it is made.
 */
export class Stft {
  /** Samples from input to output. */
  readonly latency: number;
  /** Real parts of the spectrum, `size / 2 + 1`. */
  readonly re: Float32Array;
  /** Imaginary parts of the spectrum. */
  readonly im: Float32Array;
  readonly #fft: RealFft;
  readonly #hop: number;
  readonly #analysis: Float64Array;
  readonly #synthesis: Float64Array;
  readonly #history: Float64Array;
  readonly #overlapped: Float64Array;
  readonly #work: Float64Array;

  /** @throws RnnError `INVALID_ARGUMENT` for sizes and windows that cannot be inverted */
  constructor({ size, window = 'hann', synthesis = window }: SpectrumOptions, hop: number) {
    this.#fft = new RealFft(size);
    if (hop > size) {
      const what = `got ${size}, expected at least the hop, ${hop}`;
      throw new RnnError('INVALID_ARGUMENT', 'spectrum.size', what);
    }
    this.#hop = hop;
    this.latency = size - hop;
    [this.re, this.im] = [new Float32Array(size / 2 + 1), new Float32Array(size / 2 + 1)];
    this.#analysis = windowOf(window, size, 'spectrum.window');
    this.#synthesis = windowOf(synthesis, size, 'spectrum.synthesis');
    const sums = overlap(this.#analysis, this.#synthesis, hop);
    this.#synthesis.forEach((weight, k) => (this.#synthesis[k] = weight / sums[k % hop]!));
    this.#history = new Float64Array(size);
    this.#overlapped = new Float64Array(size);
    this.#work = new Float64Array(size);
  }

  /** Takes `hop` samples and fills the spectrum. */
  analyse(samples: Float32Array): void {
    const [history, work, hop] = [this.#history, this.#work, this.#hop];
    history.copyWithin(0, hop);
    history.set(samples, history.length - hop);
    for (let k = 0; k < work.length; k++) work[k] = history[k]! * this.#analysis[k]!;
    this.#fft.forward(work, this.re, this.im);
  }

  /** Gives the `hop` samples that the spectrum completes. */
  synthesise(samples: Float32Array): void {
    const [sum, work, hop] = [this.#overlapped, this.#work, this.#hop];
    this.#fft.inverse(this.re, this.im, work);
    for (let k = 0; k < work.length; k++) sum[k]! += work[k]! * this.#synthesis[k]!;
    for (let k = 0; k < hop; k++) samples[k] = sum[k]!;
    sum.copyWithin(0, hop);
    sum.fill(0, sum.length - hop);
  }
}
