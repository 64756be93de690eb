// Runs on the audio thread: the processor that computes, and one that holds the thread up when the page asks for it.
import { registerRnnProcessor } from 'webgpu-rnn/worklet';
import { fitIn } from './fit.ts';
import { frameOf } from './frame.ts';

// The global scope of AudioWorklet, which TypeScript's libraries leave out.
declare const registerProcessor: (name: string, processor: new () => object) => void;
declare const AudioWorkletProcessor: new () => { readonly port: MessagePort };

const fit = fitIn(import.meta.url);
const compute = frameOf(fit);
/** Milliseconds by which the next block is held up. */
let strain = 0;

registerRnnProcessor('denoise', {
  sampleRate: fit.sampleRate,
  hop: fit.hop,
  ...(fit.size > 0 && { spectrum: { size: fit.size, window: fit.window } }),
  stream: { state: fit.state },
  frame: (frame, model) => {
    compute(frame, model);
    if (strain === 0) return;
    const until = Date.now() + strain;
    strain = 0;
    while (Date.now() < until);
  },
});

/** Makes the next block take longer than it may. */
class Strain extends AudioWorkletProcessor {
  constructor() {
    super();
    this.port.addEventListener('message', ({ data }: MessageEvent<number>) => {
      strain = data;
    });
    this.port.start();
  }

  process(): boolean {
    return true;
  }
}

registerProcessor('strain', Strain);
