// What Silero VAD says of the demo's recording, by ONNX Runtime: no code of ours but the reading of a WAV file.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const file = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url));

/** The recording. */
export const recordingPath = file('demo/assets/speech.wav');

/** What is heard in the recording, and when. */
export const { heard } = JSON.parse(readFileSync(file('demo/assets/speech.json'), 'utf8')) as {
  heard: { start: number; end: number; speech: boolean; text: string }[];
};

/** Samples of the recording, as browsers decode 16 bits: full scale is 1 on either side of zero. */
export function recordingSamples(): Float32Array {
  const bytes = readFileSync(recordingPath);
  const start = bytes.indexOf('data') + 8;
  return Float32Array.from({ length: (bytes.length - start) / 2 }, (_, i) => {
    const sample = bytes.readInt16LE(start + 2 * i);
    return sample / (sample < 0 ? 32768 : 32767);
  });
}

/** One probability for each 512 samples: the frame is those behind the 64 before them. */
export async function probabilities(samples: Float32Array): Promise<number[]> {
  const model = file('node_modules/@ricky0123/vad-web/dist/silero_vad_v5.onnx');
  const session = await InferenceSession.create(model, {
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  const sr = new Tensor('int64', BigInt64Array.of(16000n), []);
  let state = new Tensor('float32', new Float32Array(2 * 128), [2, 1, 128]);
  const results: number[] = [];
  const padded = new Float32Array(64 + Math.ceil(samples.length / 512) * 512);
  padded.set(samples, 64);
  for (let from = 0; from + 576 <= padded.length; from += 512) {
    const input = new Tensor('float32', padded.slice(from, from + 576), [1, 576]);
    const { output, stateN } = await session.run({ input, state, sr });
    state = stateN as typeof state;
    results.push(Number(output!.data[0]));
  }
  await session.release();
  return results;
}
