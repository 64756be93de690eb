// The options of a load and of a stream, and what is refused among them.
import { RnnError } from './errors.ts';
import { checkOptions } from './backends/check-options.ts';
import type { Cell } from './cells/index.ts';
import type { ModelFormat } from './import/formats.ts';
import type { Integrity } from './import/integrity.ts';
import type { ImportLimits } from './import/limits.ts';
import type { PyTorchArchitecture } from './import/pytorch/architecture.ts';
import type { Progress } from './import/source.ts';
import type { RecurrentVariant } from './plan/select/variants.ts';

/** How often a model that has lost its device asks for another one, see {@link LoadOptions.recovery}. */
export interface Recovery {
  /**
   * Devices to ask for before the model gives up, 1 or more; default 5. Counted anew once a call has succeeded,
   * so that a device that is lost at every call ends it too. Each attempt may take `timeout`.
   */
  readonly attempts?: number;
  /**
   * Milliseconds before the second attempt, 0 to 60 000; default 250. The first attempt begins at once, and
   * each pause is twice the one before, up to a minute.
   */
  readonly delay?: number;
}

/** A loss of the GPU, as {@link LoadOptions.onDeviceLost} is told. */
export interface DeviceLoss {
  /** As WebGPU says it: `'destroyed'` where the device was destroyed on purpose, else `'unknown'`. */
  readonly reason: 'unknown' | 'destroyed';
  /** What the browser says. */
  readonly message: string;
  /**
   * Resolves when the model has another device. Rejects with `DEVICE_LOST` when it has given up, and with
   * `DISPOSED` when it is disposed of before. Nobody has to wait for it.
   */
  readonly recovered: Promise<void>;
}

/** Options of {@link loadModel}. */
export interface LoadOptions {
  /**
   * Where to compute: `'webgpu'`; `'wasm'`, float32 on the CPU with SIMD; `'js'`, the same in plain JavaScript,
   * for pages that refuse WebAssembly, such as those with a content security policy without
   * `'wasm-unsafe-eval'`; `'reference'`, slow and exact in float64; `'auto'` (default), for each run, and each
   * stream at its first step, the one of webgpu and wasm that is predicted to be sooner, the one that is there
   * where only one is, and js where both are missing; or a GPUDevice of the app, which is never destroyed here,
   * nor made again when it is lost.
   * `model.backend` and `model.reason` say what it came to. With an option for GPUs (`weights`, `arithmetic`, `tune`,
   * `recurrentKernel`, `wavefront`, `subgroups`, `selfCheck`) `'auto'` takes webgpu where there is an adapter.
   */
  readonly device?: 'auto' | 'webgpu' | 'wasm' | 'js' | 'reference' | GPUDevice;
  /** The format to insist on; found out from the bytes when left out. */
  readonly format?: ModelFormat;
  /**
   * The layers of a file that has weights only, safetensors or a state_dict of PyTorch. Found out from names and
   * shapes where those leave nothing open.
   */
  readonly architecture?: PyTorchArchitecture;
  /**
   * Cells of `defineCell` that a file of `saveModel` may have: the file has what of them is data, and their steps are
   * code. The load is refused where one of the file is missing here or differs, with the path of the difference.
   * Those that it does not need are left alone.
   */
  readonly cells?: readonly Cell[];
  /**
   * How the weights of recurrent layers (W, R, projection) are stored: `'f32'` (default);
   * `'f16'`, half the memory, each weight rounded to 11 bits; `'int8'`, a quarter, each rounded to
   * 1/127 of the largest of its row, which one gate of one unit has. Sums, states, biases and
   * peepholes are float32 always, and so are the weights of other operators (MatMul, Gemm, Conv)
   * and weights that are inputs of the graph. `model.usage.weightBytes` says what it came to. The
   * first run refuses a weight that cannot be stored so with `LIMIT_EXCEEDED`.
   *
   * On wasm `'int8'` is faster too, on js it costs time: both multiply inputs and states of 16 bits, each
   * number off by at most 1/65534 of the largest of its row. `'f16'` gives on both what float32 weights of the
   * same numbers give, bit by bit, and costs time. The reference computes with the weights as given.
   */
  readonly weights?: 'f32' | 'f16' | 'int8';
  /**
   * What a GPU multiplies the weights of recurrent layers in: `'f32'` (default); `'f16'`, for weights that
   * are stored as f16, and so are they then when `weights` is left out. States and inputs are rounded to
   * 11 bits and four products added up in f16, beyond 65504 to infinity; sums of these are float32, as is
   * all else. It needs a device with the feature `shader-f16`, else the load throws `UNSUPPORTED_FEATURE`.
   * The wasm backend computes in float32, the reference in float64.
   */
  readonly arithmetic?: 'f32' | 'f16';
  /** Ends the load with the reason of the signal. */
  readonly signal?: AbortSignal;
  /**
   * Milliseconds that each wait on the platform may take, `TIMEOUT` beyond: for an adapter, a device, a
   * kernel to compile, results to arrive. Default 120 000, two minutes, which a slow driver may need for
   * a kernel; Infinity never ends a wait.
   */
  readonly timeout?: number;
  /**
   * What the model does when it loses a device that this package made: by default it asks for another one, and
   * goes on with it. False has it reject its calls from then on. It does so too with a `GPUDevice` of the app,
   * which only the app can replace.
   */
  readonly recovery?: false | Recovery;
  /**
   * Called once for each loss of the device, before the calls under way reject. What it throws is reported as
   * an uncaught error, and disturbs nothing.
   */
  readonly onDeviceLost?: (loss: DeviceLoss) => void;
  /** Called while bytes arrive. */
  readonly onProgress?: (progress: Progress) => void;
  /** Caps of what a file may ask for, see {@link ImportLimits}. */
  readonly limits?: Partial<ImportLimits>;
  /**
   * Hashes that the files must have, in the form of subresource integrity: `'sha256-…'` for a model of
   * one file, else one for each file by name. A file with another hash is refused with `INVALID_MODEL`
   * before it is parsed.
   */
  readonly integrity?: Integrity;
  /**
   * Whether to time which kernel is the fastest for a recurrent layer, by running every candidate for
   * 60 ms or more with the feeds of the first call of each shape, which waits for it; states of streams
   * stay as they are. What is found serves all models for as long as the page lives, and
   * `model.usage.kernels` shows it. Off by default: a cost model of such devices then selects.
   */
  readonly tune?: boolean;
  /**
   * The recurrent kernel, or one variant of it, to use wherever the device allows it, from the first call
   * on and without timing; for tests and benchmarks.
   */
  readonly recurrentKernel?: 'step' | 'persistent' | RecurrentVariant;
  /**
   * Whether equal layers on top of each other run concurrently as a wavefront, each some time steps behind
   * the one below: true wherever it is legal, false never; chosen for the adapter when left out.
   */
  readonly wavefront?: boolean;
  /**
   * Whether each kind of recurrent kernel computes a small layer with a known result before a model uses it,
   * once for each adapter as long as the page lives. One with another result is not used, a line on the
   * console names it, and the next best takes its place. On by default on GPUs, where it compiles one or two
   * small kernels for each kind; off where a CPU stands in for the GPU.
   */
  readonly selfCheck?: boolean;
  /** False does without subgroups on a device that has them: for comparing, or where a driver fails. */
  readonly subgroups?: boolean;
}

/**
 * Options of {@link Model.stream}.
 *
 * Without any, the outputs of all chunks, one after the other along time, are those of `run` on the whole
 * sequence, and an output without time (a last state) is that of the sequence so far; a model for which that
 * cannot be had is refused. Time is the axis along which recurrent layers run, else a free dimension whose
 * name says so (`time`, `seq`, `frames` …).
 */
export interface StreamOptions {
  /** Batch rows, for models whose state has a free dimension that no input names. Default 1. */
  readonly batch?: number;
  /**
   * State that the model takes and gives itself: output → input it is fed back to. Such a model is made for
   * chunks: what else it computes is computed on each chunk as it is, and of its layers that begin from
   * zeros those along time are carried. With `timeAxis` it is checked as a model without `state` is.
   */
  readonly state?: Readonly<Record<string, string>>;
  /** Axis of time by name of the input, negative from the end, where it is not found or not the right one. */
  readonly timeAxis?: Readonly<Record<string, number>>;
  /**
   * `'exact'` (default) refuses a node that needs the whole sequence: a layer that runs backwards or both
   * ways along time, a convolution or pooling that reaches ahead, attention, and normalisation, softmax or
   * reductions over time. `'independent'` computes such a node on each chunk alone, as if it were a
   * sequence of its own, and carries the others.
   */
  readonly chunks?: 'exact' | 'independent';
  /**
   * Names of the recurrent layers to carry, instead of finding out: everything else sees each chunk alone,
   * and with `[]` each step is a `run`. A layer that runs backwards begins a chunk from the state in which
   * it left the one before, as `stateful` layers of Keras do.
   */
  readonly carry?: readonly string[];
  /**
   * Steps between two copies of the state that are kept on the host, 1 or more, of which the latest is kept.
   * After a loss of the GPU the stream goes on from it, and `stream.steps` says with which step. Without this
   * option it says that its state is lost, and begins anew. A copy arrives with the result of its step.
   */
  readonly checkpoint?: number;
  /**
   * Shapes of inputs, for a model whose free dimensions must have certain sizes: time is followed at these
   * and at longer chunks. Only sizes of inputs with free dimensions count.
   */
  readonly dims?: Readonly<Record<string, readonly number[]>>;
}

/** The names of the options of a stream. */
export const STREAM_OPTIONS: Record<keyof StreamOptions, true> = {
  batch: true,
  state: true,
  timeAxis: true,
  chunks: true,
  carry: true,
  checkpoint: true,
  dims: true,
};

/** The names of the options of a load. */
export const LOAD_OPTIONS: Record<keyof LoadOptions, true> = {
  device: true,
  format: true,
  architecture: true,
  cells: true,
  weights: true,
  arithmetic: true,
  signal: true,
  timeout: true,
  recovery: true,
  onDeviceLost: true,
  onProgress: true,
  limits: true,
  integrity: true,
  tune: true,
  recurrentKernel: true,
  wavefront: true,
  subgroups: true,
  selfCheck: true,
};

const NAMED_DEVICES = ['auto', 'webgpu', 'wasm', 'js', 'reference'];

/** @throws RnnError `INVALID_ARGUMENT` for what is neither the name of a backend nor a device */
export function checkDevice(device: LoadOptions['device']): void {
  if (device === undefined || NAMED_DEVICES.includes(device as string)) return;
  const given = (device ?? {}) as Partial<GPUDevice>;
  if (typeof given.createBuffer === 'function' && given.queue) return;
  const got = typeof device === 'string' ? `'${device}'` : Object.prototype.toString.call(device);
  const names = NAMED_DEVICES.map((name) => `'${name}'`).join(', ');
  const what = `got ${got}, expected ${names} or a GPUDevice`;
  throw new RnnError('INVALID_ARGUMENT', 'options.device', what);
}

const RECOVERY_OPTIONS = { attempts: true, delay: true } as const;

/**
 * The attempts and the delay that options ask for.
 *
 * @throws RnnError `INVALID_ARGUMENT` for numbers out of range, and for a device that only the app can replace
 */
export function recoveryOf({ device, recovery, onDeviceLost }: LoadOptions): Required<Recovery> {
  const refuse = (name: string, what: string): never => {
    throw new RnnError('INVALID_ARGUMENT', `options.${name}`, what);
  };
  if (onDeviceLost !== undefined && typeof onDeviceLost !== 'function')
    refuse('onDeviceLost', `got ${typeof onDeviceLost}, expected a function`);
  const isOwn = typeof device === 'object';
  if (recovery === false || (isOwn && recovery === undefined)) return { attempts: 0, delay: 0 };
  if (isOwn)
    refuse('recovery', 'got options for a GPUDevice of the app, which only the app replaces');
  checkOptions(recovery ?? {}, RECOVERY_OPTIONS, 'options.recovery');
  const { attempts = 5, delay = 250 } = recovery ?? {};
  if (!Number.isSafeInteger(attempts) || attempts < 1)
    refuse('recovery.attempts', `got ${String(attempts)}, expected a whole number from 1 up`);
  if (!(delay >= 0 && delay <= 60_000))
    refuse('recovery.delay', `got ${String(delay)}, expected milliseconds from 0 to 60000`);
  return { attempts, delay };
}
