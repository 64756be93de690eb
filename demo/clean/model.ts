// The model of the page: the built-in one or the visitor's, and a sound through it at once.
import { createRnnNode, inspect, type WorkletModel } from 'webgpu-rnn';
// oxlint-disable-next-line import/default -- the query makes it a URL
import workletUrl from './denoise.worklet.ts?worker&url';
import { addressOf, fitOf, MisfitError, type Fit, type Framing } from './fit.ts';
import { RATE, type Samples } from './sample.ts';

/** Name of the processor. */
export const PROCESSOR = 'denoise';

/** A model, and how it is fed. */
export interface Denoiser {
  readonly name: string;
  readonly model: WorkletModel;
  readonly fit: Fit;
}

/** Adds the module of the audio thread, which reads in its address what the model takes. */
export const addModule = (context: BaseAudioContext, fit: Fit): Promise<void> =>
  context.audioWorklet.addModule(addressOf(workletUrl, fit));

/** A sound that went through a model. */
export interface Cleaned {
  readonly samples: Samples;
  /** Seconds from input to output, which are taken away from the samples. */
  readonly latency: number;
  /** Milliseconds of a block, with all that the thread does besides: what live blocks take, without a clock in the thread. */
  readonly blockMs: number;
}

/** Runs a sound at 16 kHz through a model, in an audio thread that waits for it. @throws RnnError */
export async function clean(sound: Samples, { model, fit }: Denoiser): Promise<Cleaned> {
  const seconds = 1; // more than the latency, so that the end comes out
  const context = new OfflineAudioContext(1, sound.length + seconds * RATE, RATE);
  await addModule(context, fit);
  let failure: Error | undefined;
  const onError = (error: Error): void => void (failure = error);
  const { node, latency } = await createRnnNode(context, { processor: PROCESSOR, model, onError });
  const buffer = new AudioBuffer({ length: sound.length, sampleRate: RATE });
  buffer.copyToChannel(sound, 0);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(node).connect(context.destination);
  source.start();
  const begin = performance.now();
  const output = (await context.startRendering()).getChannelData(0);
  const blocks = (output.length * fit.sampleRate) / (RATE * fit.hop);
  const blockMs = (performance.now() - begin) / blocks;
  if (failure) throw failure;
  const delay = Math.round(latency * RATE);
  return { samples: output.slice(delay, delay + sound.length) as Samples, latency, blockMs };
}

/** Reads a visitor's file. @throws MisfitError, and RnnError for a file that is no model */
export async function readDenoiser(file: File, framing: Framing): Promise<Denoiser> {
  const model = new Uint8Array(await file.arrayBuffer());
  const { inputs, outputs, unsupported } = await inspect(
    { [file.name]: model },
    { format: 'onnx' },
  );
  if (unsupported.length > 0) {
    const names = [...new Set(unsupported.map(({ op }) => op))].join(', ');
    throw new MisfitError(`This engine lacks operators of the file: ${names}.`);
  }
  return { name: file.name, model, fit: fitOf(inputs, outputs, framing) };
}
