// Cuts sound into what Silero VAD takes: 512 new samples behind the last 64 of the frame before.

/** Samples a second. */
export const SAMPLE_RATE = 16_000;
/** New samples of a frame. */
export const HOP = 512;
/** Samples that a frame repeats of the one before. */
export const CONTEXT = 64;
/** Seconds of sound that a frame adds. */
export const FRAME_SECONDS = HOP / SAMPLE_RATE;

/** How many frames a piece of sound makes; the last one is filled up with silence. */
export const framesIn = (samples: number): number => Math.ceil(samples / HOP);

/** Takes samples in pieces of any length, and gives frames. */
export class Framer {
  readonly #frame = new Float32Array(CONTEXT + HOP);
  #pieces: Float32Array[] = [];
  #offset = 0; // into the first piece
  #waiting = 0; // samples in all pieces

  /** Whole frames that are ready. */
  get ready(): number {
    return Math.floor(this.#waiting / HOP);
  }

  /** Adds samples; they are kept, not copied. */
  push(samples: Float32Array): void {
    if (samples.length === 0) return;
    this.#pieces.push(samples);
    this.#waiting += samples.length;
  }

  /** Fills the last frame up with silence. */
  end(): void {
    const rest = this.#waiting % HOP;
    if (rest > 0) this.push(new Float32Array(HOP - rest));
  }

  /** The next frame, or undefined until enough samples are there. Each call reuses its memory. */
  next(): Float32Array | undefined {
    if (this.ready === 0) return undefined;
    const frame = this.#frame;
    frame.copyWithin(0, HOP);
    for (let filled = CONTEXT; filled < frame.length;) {
      const piece = this.#pieces[0]!;
      const part = piece.subarray(this.#offset, this.#offset + frame.length - filled);
      frame.set(part, filled);
      filled += part.length;
      this.#offset += part.length;
      if (this.#offset === piece.length) {
        this.#pieces.shift();
        this.#offset = 0;
      }
    }
    this.#waiting -= HOP;
    return frame;
  }

  /** Forgets all samples, the context too. */
  clear(): void {
    this.#pieces = [];
    this.#offset = 0;
    this.#waiting = 0;
    this.#frame.fill(0);
  }
}
