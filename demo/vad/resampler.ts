// Takes sound from the rate of a device to a lower one, block by block. For browsers whose AudioContext will not take
// a microphone at another rate than its own.

const ZERO_CROSSINGS = 16; // on each side; enough to keep what folds back 60 dB down
const STEPS = 256; // table entries per zero crossing

/** One side of a sinc under a Blackman window. */
const kernel = Float32Array.from({ length: ZERO_CROSSINGS * STEPS + 1 }, (_, i) => {
  const x = i / STEPS;
  const w = (Math.PI * x) / ZERO_CROSSINGS;
  const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
  return sinc * (0.42 + 0.5 * Math.cos(w) + 0.08 * Math.cos(2 * w));
});

/** A low-pass filter and a sampler in one: each output sample is a windowed sinc over the input around it. */
export class Resampler {
  readonly #step: number; // input samples from one output sample to the next
  readonly #cutoff: number; // of the input rate's half
  readonly #reach: number; // input samples on each side
  #input = new Float32Array(0);
  #place: number; // of the next output sample within #input

  constructor(from: number, to: number) {
    this.#step = from / to;
    this.#cutoff = Math.min(1, (0.92 * to) / from); // the filter needs some room to fall
    this.#reach = Math.ceil(ZERO_CROSSINGS / this.#cutoff);
    this.#input = new Float32Array(this.#reach); // silence before the start
    this.#place = this.#reach;
  }

  /** The samples that are known once `block` is: they lag by the reach of the filter, 1 ms. */
  push(block: Float32Array): Float32Array {
    const input = new Float32Array(this.#input.length + block.length);
    input.set(this.#input);
    input.set(block, this.#input.length);
    const last = input.length - 1 - this.#reach;
    const count = Math.max(0, Math.floor((last - this.#place) / this.#step) + 1);
    const output = new Float32Array(count);
    for (let i = 0; i < count; i++) output[i] = this.#sample(input, this.#place + i * this.#step);
    this.#place += count * this.#step;
    const past = Math.max(0, Math.floor(this.#place) - this.#reach);
    this.#input = input.slice(past);
    this.#place -= past;
    return output;
  }

  #sample(input: Float32Array, place: number): number {
    let sum = 0;
    const first = Math.max(0, Math.ceil(place - this.#reach));
    for (let k = first; k <= place + this.#reach; k++) {
      const at = Math.abs(k - place) * this.#cutoff * STEPS;
      const below = Math.floor(at);
      if (below + 1 >= kernel.length) continue;
      const weight = kernel[below]! + (kernel[below + 1]! - kernel[below]!) * (at - below);
      sum += weight * input[k]!;
    }
    return sum * this.#cutoff;
  }
}
