// Which side computes a call sooner: a GPU or the CPU's kernels. Pure arithmetic on what a call takes and what a machine gives.

/** What a call takes, on each side. */
export interface Work {
  /** Floating point operations, roughly. */
  readonly flops: number;
  /** Dispatches of the GPU's plan, those of loops counted each time. */
  readonly dispatches: number;
  /** Bytes of weights that the dispatches read. */
  readonly weightBytes: number;
  /** Kernels of the CPU's program. */
  readonly kernels: number;
  /** Numbers that nodes without a kernel of the CPU give, which the float64 code of their operators computes. */
  readonly hostElements: number;
}

/** What a machine gives. Times in milliseconds. */
export interface Calibration {
  readonly webgpu: {
    /** From a submit to its results in JavaScript, for no work at all. */
    readonly callMs: number;
    readonly dispatchMs: number;
    readonly flopsPerMs: number;
    readonly bytesPerMs: number;
  };
  readonly wasm: {
    readonly callMs: number;
    readonly kernelMs: number;
    readonly flopsPerMs: number;
  };
}

/** Milliseconds that a call is predicted to take. */
export interface Prediction {
  readonly webgpu: number;
  readonly wasm: number;
}

/** Names of the sides. */
export type Side = keyof Prediction;

/** The float64 code of an operator makes a number in about this time: closures, no SIMD. */
const HOST_ELEMENT_MS = 5e-5;

/** How much sooner the other side must be before a model changes. */
export const HYSTERESIS = 1.5;

/** Predicts how long a call takes. */
export function predict(work: Work, { webgpu, wasm }: Calibration): Prediction {
  const { flops, dispatches, weightBytes, kernels, hostElements } = work;
  const moved = Math.max(flops / webgpu.flopsPerMs, weightBytes / webgpu.bytesPerMs);
  return {
    webgpu: webgpu.callMs + dispatches * webgpu.dispatchMs + moved,
    wasm:
      wasm.callMs +
      kernels * wasm.kernelMs +
      flops / wasm.flopsPerMs +
      hostElements * HOST_ELEMENT_MS,
  };
}

/** The side for a call, given that of the calls before: the sooner one, but the same as long as it is not much later. */
export function choose({ webgpu, wasm }: Prediction, before: Side | undefined): Side {
  if (before === 'webgpu') return webgpu > HYSTERESIS * wasm ? 'wasm' : 'webgpu';
  if (before === 'wasm') return wasm > HYSTERESIS * webgpu ? 'webgpu' : 'wasm';
  return wasm <= webgpu ? 'wasm' : 'webgpu';
}

const figure = (ms: number): string => `${Number(ms.toPrecision(2))} ms`;

/** Why a side computes, in a sentence. */
export function reasonOf(side: Side, prediction: Prediction): string {
  const other = side === 'wasm' ? 'webgpu' : 'wasm';
  return `${side}: ${figure(prediction[side])} predicted against ${other} ${figure(prediction[other])}`;
}
