// The state of the page: which model, which sound, what runs. Knows nothing of the document.
import type { Starved } from 'webgpu-rnn';
import { Live, type Heard } from './live.ts';
import { clean, type Cleaned, type Denoiser } from './model.ts';
import { noisy, RATE, siSdr, type NoiseName, type Samples } from './sample.ts';

/** Where the sound comes from. */
export type Source = 'sample' | 'microphone';

/** The sample, made and cleaned. */
export interface Sample {
  readonly noisy: Samples;
  readonly cleaned: Cleaned;
  /** SI-SDR in dB; undefined where resampling moves sound by parts of a sample. */
  readonly gain: { readonly before: number; readonly after: number } | undefined;
}

/** What a session tells. */
export interface SessionEvents {
  /** The sample has been cleaned by the model at hand. */
  cleaned(sample: Sample, denoiser: Denoiser): void;
  /** What can be done has changed. */
  changed(): void;
  starved(event: Starved): void;
  recovered(): void;
  failed(error: unknown): void;
}

/** One model, one sound. */
export class Session {
  /** The sound that runs. */
  live: Live | undefined;
  /** Whether a sound or a model is on its way. */
  busy = true;
  source: Source = 'sample';
  heard: Heard = 'cleaned';
  /** Events of starvation since the start. */
  starvations = 0;
  sample: Sample | undefined;
  denoiser: Denoiser | undefined;
  readonly #events: SessionEvents;
  #voices: Samples | undefined;
  #latest = 0;

  constructor(events: SessionEvents) {
    this.#events = events;
  }

  /** Takes the voices of the sample. */
  provide(voices: Samples): void {
    this.#voices = voices;
  }

  /** Makes the sample, cleans it, and takes the model if that works. @returns whether it did */
  async make(noise: NoiseName, ratio: number, denoiser: Denoiser): Promise<boolean> {
    const number = ++this.#latest;
    const voices = this.#voices!;
    this.#set({ busy: true });
    try {
      const mixed = noisy(voices, noise, ratio);
      const cleaned = await clean(mixed, denoiser);
      if (number !== this.#latest) return false;
      const gain =
        denoiser.fit.sampleRate === RATE
          ? { before: siSdr(mixed, voices), after: siSdr(cleaned.samples, voices) }
          : undefined;
      const isOther = this.denoiser !== denoiser;
      this.denoiser = denoiser;
      this.sample = { noisy: mixed, cleaned, gain };
      if (isOther) this.stop();
      else if (this.source === 'sample') this.live?.replace(mixed);
      this.#events.cleaned(this.sample, denoiser);
      return true;
    } catch (error) {
      this.#events.failed(error);
      return false;
    } finally {
      if (number === this.#latest) this.#set({ busy: false });
    }
  }

  /** Takes another source. */
  choose(source: Source): void {
    this.stop();
    this.source = source;
    this.#events.changed();
  }

  /** Begins to run the sound through the audio thread. */
  async start(): Promise<void> {
    const { denoiser, sample } = this;
    if (this.busy || this.live || !denoiser || !sample) return;
    this.starvations = 0;
    this.#set({ busy: true });
    const { source } = this;
    try {
      const live = await Live.open(source === 'sample' ? sample.noisy : source, denoiser, {
        starved: (event) => {
          this.starvations++;
          this.#events.starved(event);
        },
        recovered: () => this.#events.recovered(),
        failed: (error) => {
          this.stop();
          this.#events.failed(error);
        },
      });
      // Another source may have been chosen while the browser asked.
      if (this.source !== source) return live.close();
      this.live = live;
      live.hear(this.heard);
    } catch (error) {
      this.#events.failed(error);
    } finally {
      this.#set({ busy: false });
    }
  }

  /** Lets the other one be heard. */
  hear(heard: Heard): void {
    this.heard = heard;
    this.live?.hear(heard);
    this.#events.changed();
  }

  /** Ends the sound. */
  stop(): void {
    this.live?.close();
    this.live = undefined;
    this.#events.changed();
  }

  #set({ busy }: { readonly busy: boolean }): void {
    this.busy = busy;
    this.#events.changed();
  }
}
