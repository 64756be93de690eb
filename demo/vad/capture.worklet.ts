// Runs on the audio thread: collects microphone samples into frames' worth and posts them. WebGPU does not exist here.
import { HOP, SAMPLE_RATE } from './framing.ts';
import { Resampler } from './resampler.ts';

// The global scope of AudioWorklet, which TypeScript's libraries leave out.
declare const sampleRate: number;
declare const registerProcessor: (name: string, processor: new () => object) => void;
declare const AudioWorkletProcessor: new () => { readonly port: MessagePort };

class Capture extends AudioWorkletProcessor {
  readonly #resampler =
    sampleRate === SAMPLE_RATE ? undefined : new Resampler(sampleRate, SAMPLE_RATE);
  #frame = new Float32Array(HOP);
  #filled = 0;

  process([channels]: Float32Array[][]): boolean {
    const block = channels?.[0];
    if (block) this.#collect(this.#resampler?.push(block) ?? block);
    return true;
  }

  #collect(samples: Float32Array): void {
    for (let from = 0; from < samples.length;) {
      const part = samples.subarray(from, from + HOP - this.#filled);
      this.#frame.set(part, this.#filled);
      this.#filled += part.length;
      from += part.length;
      if (this.#filled < HOP) continue;
      this.port.postMessage(this.#frame, [this.#frame.buffer]);
      this.#frame = new Float32Array(HOP);
      this.#filled = 0;
    }
  }
}

registerProcessor('capture', Capture);
