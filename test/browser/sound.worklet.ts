// The processors of worklet.test.ts. An audio thread loads this module, and nothing after it.
import { registerRnnProcessor } from '../../src/worklet.ts';

registerRnnProcessor('sound', { sampleRate: 48000, hop: 96 });

registerRnnProcessor('spectrum', {
  sampleRate: 16000,
  hop: 64,
  spectrum: { size: 128, window: 'sqrt-hann' },
});

// Blocks 20 and 21 take 50 ms by this clock, each other 1 ms.
let [time, reads] = [0, 0];
registerRnnProcessor('slow', {
  sampleRate: 48000,
  hop: 96,
  clock: () => {
    const block = Math.floor(reads / 2);
    if (reads++ % 2 === 1) time += block === 20 ? 50 : 1;
    return time;
  },
});

// What the thread lacks, for the test to see that it is really without.
const lacking = ['TextDecoder', 'atob', 'fetch', 'URL', 'AbortController', 'performance'];
registerRnnProcessor('speaking', {
  sampleRate: 48000,
  hop: 96,
  frame: ({ block }, model) => {
    if (block !== 0) return;
    model.post({
      missing: lacking.filter((name) => !(name in globalThis)),
      inputs: model.inputs.map(({ name }) => name),
    });
  },
});
