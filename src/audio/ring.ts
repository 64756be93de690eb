// A queue of samples in memory of a fixed size.
import { RnnError } from '../errors.ts';

/** Samples that were pushed and not yet pulled, oldest first. It allocates only when it is made. */
export class SampleRing {
  readonly #samples: Float32Array;
  #head = 0;
  #size = 0;

  /** @param capacity samples that it holds at most */
  constructor(capacity: number) {
    this.#samples = new Float32Array(capacity);
  }

  /** Samples in it. */
  get size(): number {
    return this.#size;
  }

  /**
   * Adds samples.
   *
   * @throws RnnError `INTERNAL` for more than there is room for
   */
  push(samples: Float32Array, count = samples.length): void {
    const { length } = this.#samples;
    if (this.#size + count > length) {
      const what = `got ${count} samples, expected at most ${length - this.#size}`;
      throw new RnnError('INTERNAL', 'ring', what);
    }
    let at = (this.#head + this.#size) % length;
    for (let i = 0; i < count; i++) {
      this.#samples[at] = samples[i]!;
      if (++at === length) at = 0;
    }
    this.#size += count;
  }

  /** Adds zeros. */
  pushSilence(count: number): void {
    for (let i = 0; i < count; i++)
      this.#samples[(this.#head + this.#size++) % this.#samples.length] = 0;
  }

  /**
   * Takes the oldest samples until `into` is full.
   *
   * @throws RnnError `INTERNAL` for more than it has
   */
  pull(into: Float32Array): void {
    const { length } = this.#samples;
    if (into.length > this.#size) {
      const what = `got a request for ${into.length} samples, expected at most ${this.#size}`;
      throw new RnnError('INTERNAL', 'ring', what);
    }
    let at = this.#head;
    for (let i = 0; i < into.length; i++) {
      into[i] = this.#samples[at]!;
      if (++at === length) at = 0;
    }
    this.#head = at;
    this.#size -= into.length;
  }
}
