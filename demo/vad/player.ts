// Plays samples and tells how far it has come, so that the verdict falls when the sound is heard.
import { SAMPLE_RATE } from './framing.ts';

/** One playback. Must begin in a click or key press: browsers are silent without. */
export class Player {
  readonly #context = new AudioContext({ latencyHint: 'interactive' });
  readonly #seconds: number;
  readonly #wallStart = performance.now();
  #from = Number.NaN; // time of the context at which the sound begins

  constructor(samples: Float32Array<ArrayBuffer>) {
    this.#seconds = samples.length / SAMPLE_RATE;
    const sound = this.#context.createBuffer(1, samples.length, SAMPLE_RATE);
    sound.copyToChannel(samples, 0);
    const source = new AudioBufferSourceNode(this.#context, { buffer: sound });
    source.connect(this.#context.destination);
    this.#from = this.#context.currentTime + 0.05;
    source.start(this.#from);
    void this.#context.resume().catch(() => undefined);
  }

  /** Seconds of the sound that have been heard. */
  get position(): number {
    const { currentTime, outputLatency } = this.#context;
    const heard = currentTime - this.#from - (outputLatency || 0);
    // A machine without sound output may keep the clock of its context still: then the wall clock counts.
    const wall = (performance.now() - this.#wallStart) / 1000;
    const still = currentTime === 0 && wall > 0.5;
    return Math.max(0, Math.min(this.#seconds, still ? wall : heard));
  }

  /** Whether all of it has been heard. */
  get over(): boolean {
    return this.position >= this.#seconds;
  }

  stop(): void {
    void this.#context.close().catch(() => undefined);
  }
}
