// Says every failure of the page in three parts: what happened, the engine's own words, what to do next.
import type { Denoiser } from './model.ts';

/** A message for the reader. */
export interface Notice {
  readonly tone: 'plain' | 'good' | 'warning' | 'error';
  readonly title: string;
  readonly next: string;
  /** Code, path and words of the error beneath. */
  readonly detail?: string;
}

const FILE = 'The built-in denoiser is still there. Drop another ONNX file to try again.';

const PROBLEMS: Readonly<Record<string, readonly [title: string, next: string]>> = {
  MODEL_MISFIT: ['This file does not fit as a streaming denoiser.', FILE],
  INVALID_MODEL: ['This file could not be read as an ONNX model.', FILE],
  SHAPE_MISMATCH: ['The model gives what its declaration does not say.', FILE],
  UNSUPPORTED_OPERATOR: ['This model needs what the engine lacks.', FILE],
  UNSUPPORTED_FEATURE: [
    'The audio thread cannot compute here.',
    'Open this page over https or from localhost, in a current browser with WebAssembly SIMD.',
  ],
  FETCH_FAILED: ['The denoiser did not arrive.', 'Check the connection and reload the page.'],
  RECORDING_MISSING: ['The sample did not arrive.', 'Check the connection and reload the page.'],
  OUTPUT_ABSENT: [
    'The browser opens no device for sound.',
    'Plug in or turn on a loudspeaker or headphones, then press “Start”.',
  ],
  MICROPHONE_DENIED: [
    'The microphone is not allowed.',
    'Allow it for this page in the address bar, then press “Start”. The sample needs no permission.',
  ],
  MICROPHONE_ABSENT: [
    'There is no microphone.',
    'Plug one in and press “Start”, or use the sample.',
  ],
  MICROPHONE_BUSY: [
    'The microphone is taken.',
    'Close the program that uses it, then press “Start”.',
  ],
  MICROPHONE_INSECURE: [
    'This page may not use a microphone.',
    'Open it over https or from localhost.',
  ],
  MICROPHONE_LOST: ['The microphone went away.', 'Plug it in again, then press “Start”.'],
};

/** The notice for a failure, whatever it is. */
export function noticeOf(error: unknown): Notice {
  const { code = '', path = '', message } = error as Error & { code?: string; path?: string };
  const [title, next] = PROBLEMS[code] ?? [
    'Something failed that this page did not expect.',
    'Press “Start” again, or reload the page.',
  ];
  // The messages of RnnError begin with the path; here it stands by itself.
  const words = path && message.startsWith(`${path}: `) ? message.slice(path.length + 2) : message;
  return { tone: 'error', title, next, detail: [code, path, words].filter(Boolean).join(' · ') };
}

/** The notice for a model that has cleaned the sample. */
export function noticeOfReady({ name, fit }: Denoiser): Notice {
  const per = ((1000 * fit.hop) / fit.sampleRate).toFixed(0);
  const states = Object.keys(fit.state).length;
  const kinds = { samples: 'samples', magnitudes: 'magnitudes', complex: 'complex spectra' };
  return {
    tone: 'good',
    title: `${name}: ready on the CPU, in the audio thread.`,
    next: `One step of the network every ${per} ms, on WebAssembly SIMD. No GPU and no server takes part.`,
    ...(states > 0 && {
      detail: `${kinds[fit.kind]} at ${fit.sampleRate} Hz · hop ${fit.hop} · ${states} named states fed back`,
    }),
  };
}

/** The notice for a block that took too long. */
export function noticeOfMiss(elapsed: number, deadline: number): Notice {
  return {
    tone: 'warning',
    title: 'A block came too late. The original is heard.',
    next: `It took ${elapsed.toFixed(0)} of ${deadline.toFixed(0)} ms. After a pause the network begins anew, and is faded in.`,
  };
}
