// What the page and its worker say to each other.

/** The backends that the page offers. */
export type Device = 'auto' | 'webgpu' | 'wasm' | 'reference';

/** An error as it travels: a class does not survive postMessage. */
export interface Failure {
  /** An RnnErrorCode, or a code of this page. */
  readonly code: string;
  /** Where in the model or the call; may be empty. */
  readonly path: string;
  readonly message: string;
}

/** From the page. A session is one piece of sound from its start; answers to an earlier one are out of date. */
export type Request =
  | { readonly type: 'load'; readonly url: string; readonly device: Device }
  | { readonly type: 'begin'; readonly session: number }
  | { readonly type: 'samples'; readonly session: number; readonly samples: Float32Array }
  | { readonly type: 'end'; readonly session: number };

/** Where the model runs. */
export interface Placement {
  readonly backend: string;
  readonly adapter: string;
  readonly reason: string;
  /** Milliseconds until the first frame was judged: download, import, shaders. */
  readonly startMs: number;
  /** Why WebGPU was given up, where it was there and failed. */
  readonly gaveUp?: Failure;
}

/** From the worker. */
export type Answer =
  | { readonly type: 'loading'; readonly loaded: number; readonly total: number | undefined }
  | { readonly type: 'compiling' }
  | { readonly type: 'ready'; readonly placement: Placement }
  /** The GPU went away; `recovered` or `failed` follows. */
  | { readonly type: 'lost'; readonly failure: Failure }
  /** The model goes on, on this adapter. */
  | { readonly type: 'recovered'; readonly adapter: string }
  | {
      readonly type: 'judged';
      readonly session: number;
      readonly probabilities: Float32Array;
      /** Milliseconds each of these frames took, from feed to number. */
      readonly times: Float32Array;
      /** Whole frames that wait. */
      readonly waiting: number;
    }
  | { readonly type: 'done'; readonly session: number }
  | { readonly type: 'failed'; readonly during: 'load' | 'judge'; readonly failure: Failure };
