// What the page and its worker say to each other, and what a measurement is.
import { ENGINES, type EngineName } from '../../bench/engines/engine.ts';
import type { Shape } from '../../bench/shapes.ts';

export { ENGINES, type EngineName };

/** Engines that are loaded only when somebody asks for them. */
export type Opponent = Exclude<EngineName, 'webgpu-rnn'>;
export const OPPONENTS: readonly Opponent[] = ['ort-webgpu', 'ort-wasm', 'tfjs'];

/** How engines are called on the page. */
export const TITLES: Readonly<Record<EngineName, string>> = {
  'webgpu-rnn': 'webgpu-rnn',
  'ort-webgpu': 'ONNX Runtime WebGPU',
  'ort-wasm': 'ONNX Runtime WebAssembly',
  tfjs: 'TensorFlow.js WebGPU',
};

/** What one run measures. The URL holds all of it. */
export interface Settings {
  readonly cell: Shape['cell'];
  readonly hidden: readonly number[];
  readonly batch: number;
  readonly steps: number;
  readonly layers: number;
  readonly bidirectional: boolean;
  readonly opponents: readonly Opponent[];
  /** Seconds for one shape. */
  readonly seconds: number;
}

/** Times of one engine on one shape, in milliseconds. */
export interface Times {
  readonly median: number;
  readonly p10: number;
  readonly p95: number;
  readonly rounds: number;
  /** Runs in a row that were timed as one, because the clock's steps are too coarse for a single one. */
  readonly repeats: number;
}

/** One engine on one shape. */
export interface Row {
  readonly shape: string;
  readonly engine: EngineName;
  readonly hidden: number;
  /**
   * `right`: measured, and the answer is right; `unchecked`: measured, with nobody to judge;
   * `wrong`: not measured; `cannot`: the engine lacks this layer; `failed`: it threw.
   */
  readonly status: 'right' | 'unchecked' | 'wrong' | 'cannot' | 'failed';
  /** Why there are no times. */
  readonly reason?: string;
  /** Who knew the right answer. */
  readonly arbiter?: 'float64' | 'ort-wasm';
  /** Largest difference from the right answer; null where it is no number. */
  readonly error?: number | null;
  /** Milliseconds to make a session of the model, the engine being there. */
  readonly load?: number;
  /** Milliseconds of the first run, shaders and all. */
  readonly cold?: number;
  readonly times?: Times;
  /** Of one run. */
  readonly flops: number;
  /** 10⁹ floating point operations a second, at the median. */
  readonly gflops?: number;
  /** Time steps of all batch rows a second, at the median. */
  readonly stepsPerSecond?: number;
}

/** From the page to the worker. */
export type Request =
  | { readonly type: 'run'; readonly settings: Settings }
  | { readonly type: 'stop' };

/** From the worker to the page. */
export type Answer =
  | { readonly type: 'progress'; readonly fraction: number; readonly doing: string }
  | { readonly type: 'row'; readonly row: Row }
  | { readonly type: 'done'; readonly stopped: boolean; readonly failure?: string };
