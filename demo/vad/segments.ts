// From probabilities to speech: where somebody starts and stops speaking.
import { FRAME_SECONDS } from './framing.ts';

/** A passage of speech, in seconds from the start. */
export interface Segment {
  readonly start: number;
  readonly end: number;
}

// The rule of Silero's own get_speech_timestamps: one threshold to begin, a lower one to end, so that a probability
// near the threshold does not flicker. Its pauses of 100 ms are lengthened: people pause between words.
const HYSTERESIS = 0.15;
const MIN_SILENCE = 8; // frames, 256 ms
const MIN_SPEECH = 8;

/** Takes one probability after the other. */
export class Segmenter {
  readonly #threshold: number;
  readonly #ended: Segment[] = [];
  #frames = 0;
  #start = -1; // first frame of the speech that goes on; -1 in silence
  #quiet = -1; // first frame of the silence within it

  constructor(threshold: number) {
    this.#threshold = threshold;
  }

  /** Whether somebody speaks now. A pause within speech counts as speech until it has lasted. */
  get speaking(): boolean {
    return this.#start >= 0;
  }

  /** All speech so far, the passage that goes on included. */
  get segments(): readonly Segment[] {
    const open = this.#segment(this.#quiet < 0 ? this.#frames : this.#quiet);
    return open ? [...this.#ended, open] : this.#ended;
  }

  /** The probability of the next frame. */
  push(probability: number): void {
    const frame = this.#frames++;
    if (probability >= this.#threshold) {
      if (this.#start < 0) this.#start = frame;
      this.#quiet = -1;
    } else if (this.#start >= 0 && probability < Math.max(0.01, this.#threshold - HYSTERESIS)) {
      if (this.#quiet < 0) this.#quiet = frame;
      if (frame - this.#quiet + 1 < MIN_SILENCE) return;
      const segment = this.#segment(this.#quiet);
      if (segment) this.#ended.push(segment);
      this.#start = -1;
      this.#quiet = -1;
    }
  }

  #segment(end: number): Segment | undefined {
    if (this.#start < 0 || end - this.#start < MIN_SPEECH) return undefined;
    return { start: this.#start * FRAME_SECONDS, end: end * FRAME_SECONDS };
  }
}
