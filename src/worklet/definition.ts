// What an app says of the model that a processor runs.
import type { SpectrumOptions } from '../audio/stft.ts';
import type { Tensors } from '../backends/backend.ts';
import { RnnError } from '../errors.ts';
import type { ValueInfo } from '../graph.ts';
import type { StreamOptions } from '../load-options.ts';
import type { Tensor } from '../tensor.ts';

/** One block of sound, at the rate of the model. The arrays are the same in every call. */
export interface RnnFrame {
  /** `hop` samples: the input, and in place of it the output. Not used where there is a spectrum. */
  readonly samples: Float32Array;
  /** Real parts of the spectrum, `size / 2 + 1`: of the input, and in place of it of the output. Else empty. */
  readonly re: Float32Array;
  /** Imaginary parts of the spectrum. */
  readonly im: Float32Array;
  /** Number of the block, from 0 on; -1 for the silence that makes everything ready. */
  readonly block: number;
}

/** The model of a processor, in the audio thread. */
export interface RnnFrameModel {
  /** Name, element type and shape of each input. */
  readonly inputs: readonly ValueInfo[];
  /** Name, element type and shape of each output. */
  readonly outputs: readonly ValueInfo[];
  /** Moves the stream on by a step, as `stream.stepSync` does. */
  step(feeds: Tensors): Record<string, Tensor>;
  /** Sends something to `onMessage` of the node, as `postMessage` would. */
  post(data: unknown): void;
}

/** What {@link registerRnnProcessor} needs to know of a model. */
export interface RnnProcessorDefinition {
  /** Samples a second that the model is made for, a whole number. A context of another rate is resampled. */
  readonly sampleRate: number;
  /** New samples of a block, at that rate: how far a step of the model goes. */
  readonly hop: number;
  /** For models of spectra: a transform of the last `size` samples, every hop. */
  readonly spectrum?: SpectrumOptions;
  /** Options of the stream: which outputs are fed back, and more. */
  readonly stream?: StreamOptions;
  /**
   * Computes a block in place of what is done without it: the only input that is no state takes the `hop` samples, or the
   * magnitudes of the spectrum, and the first output that is no state gives `hop` samples, or factors of the spectrum.
   */
  readonly frame?: (frame: RnnFrame, model: RnnFrameModel) => void;
  /** Other inputs, the same in every step. For blocks that are computed without `frame`. */
  readonly feeds?: Tensors;
  /** Reads milliseconds, where the thread has a better clock than its own `Date.now`; for tests. */
  readonly clock?: () => number;
}

const NAMES: Record<keyof RnnProcessorDefinition, true> = {
  sampleRate: true,
  hop: true,
  spectrum: true,
  stream: true,
  frame: true,
  feeds: true,
  clock: true,
};

/** @throws RnnError `INVALID_ARGUMENT` */
export function checkDefinition(definition: RnnProcessorDefinition): void {
  const fail = (path: string, got: unknown, expected: string): never => {
    const what = `got ${String(got)}, expected ${expected}`;
    throw new RnnError('INVALID_ARGUMENT', `definition.${path}`, what);
  };
  for (const name of Object.keys(definition)) {
    if (!Object.hasOwn(NAMES, name)) fail(name, 'it', `one of ${Object.keys(NAMES).join(', ')}`);
  }
  for (const name of ['sampleRate', 'hop'] as const) {
    const value = definition[name];
    if (!Number.isSafeInteger(value) || value < 1) fail(name, value, 'a whole number from 1 up');
  }
  for (const name of ['frame', 'clock'] as const) {
    const value = definition[name];
    if (value !== undefined && typeof value !== 'function') fail(name, typeof value, 'a function');
  }
}
