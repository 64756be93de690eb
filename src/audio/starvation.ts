// When a model is too slow for its sound: what to do with the next frame.

/** How a frame is made: by the model; by it too, but heard is the input; or from the input alone. */
export type FrameMode = 'run' | 'warm' | 'bypass';

/** Lengths in frames. */
export interface StarvationOptions {
  /** Frames of the first pause; each that ends in another miss before long is followed by one of twice the length. */
  readonly pause: number;
  /** The longest pause. */
  readonly maxPause: number;
  /** Frames that a model computes after a pause before it is heard. */
  readonly warm: number;
}

/** What a frame has shown: that the model was late, or that it keeps up again. */
export type Verdict = 'starved' | 'recovered' | undefined;

/**
 * After a frame that took longer than its deadline the input is heard, and the model has a pause in which the thread can catch
 * up. Then it begins anew, unheard at first.
 */
export class Starvation {
  readonly #options: StarvationOptions;
  #mode: FrameMode = 'run';
  #left = 0;
  /** Frames of the latest pause; 0 before the first. */
  #pause = 0;
  /** Frames in a row without a miss. */
  #good = 0;

  constructor(options: StarvationOptions) {
    this.#options = options;
  }

  /** How the next frame is made. */
  get mode(): FrameMode {
    return this.#mode;
  }

  /** Frames of the latest pause; 0 before the first. */
  get pause(): number {
    return this.#pause;
  }

  /** Called after each frame of mode `run` or `warm`. */
  computed(isLate: boolean): Verdict {
    if (isLate) {
      const { maxPause, pause } = this.#options;
      const isAgain = this.#good < 4 * this.#pause; // the model cannot keep up, or only just
      this.#pause = isAgain ? Math.min(2 * this.#pause, maxPause) : pause;
      this.#good = 0;
      [this.#mode, this.#left] = ['bypass', this.#pause];
      return 'starved';
    }
    this.#good++;
    if (this.#mode !== 'warm' || --this.#left > 0) return undefined;
    this.#mode = 'run';
    return 'recovered';
  }

  /** Called after each frame of mode `bypass`: whether the model begins anew with the next. */
  bypassed(): boolean {
    if (--this.#left > 0) return false;
    [this.#mode, this.#left] = ['warm', this.#options.warm];
    return true;
  }
}
