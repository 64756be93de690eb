// What a backend offers to a Model: run a graph, and keep the state of streams.
/// <reference lib="esnext.disposable" preserve="true" />
import type { Feeds, GpuTensor } from '../feeds.ts';
import type { Tensor } from '../tensor.ts';
import type { StreamedGraph } from './stateful-graph.ts';
import type { StepFeeds } from './step-tensors.ts';
import type { ShapeRange } from './warm-up-range.ts';

declare global {
  // For the declarations of this package in projects whose TypeScript knows no WebGPU (before 6.0, without @webgpu/types):
  // opaque types instead of errors or `any`. Elsewhere they merge with those that are there.
  interface GPU {}
  interface GPUBuffer {}
  interface GPUCommandEncoder {}
  interface GPUDevice {}
}

/** Tensors by name. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** Tensors on the GPU by name. */
export type GpuTensors = Readonly<Record<string, GpuTensor>>;

export type { Feeds, GpuTensor } from '../feeds.ts';

/**
 * The state of a stream as a backend keeps it. Calls take effect in the order they are made. One that computes on a
 * CPU takes feeds of any kind too, and refuses those on a GPU when it checks them.
 *
 * @internal
 */
export interface StreamSession {
  step(
    feeds: Feeds,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>>;
  /** Like `step`, but the outputs stay on the GPU; where there is one. */
  stepOnGpu?(
    feeds: Feeds,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, GpuTensor>>;
  /** The same without a promise; where the CPU computes. */
  stepSync?(feeds: Feeds, outputs: readonly string[]): Record<string, Tensor>;
  /**
   * Several steps with nothing read back in between; where that saves something.
   *
   * @param feeds the same for all steps; those of a state are for the first
   * @param each what differs from step to step, [steps, …]
   * @returns outputs of all steps, [steps, …]
   */
  readonly stepMany?:
    | ((
        feeds: Tensors,
        steps: number,
        each: Tensors,
        outputs: readonly string[],
        signal?: AbortSignal,
      ) => Promise<Record<string, Tensor>>)
    | undefined;
  /**
   * Several steps in one call, where what they share is computed at once. It is for sequences that are there already:
   * all steps have been computed when it returns.
   *
   * @param feeds those of a state are for the first step
   * @returns outputs of all steps, [steps, …]
   */
  readonly stepRows?:
    | ((
        feeds: StepFeeds,
        outputs: readonly string[],
        signal?: AbortSignal,
      ) => Promise<Record<string, Tensor>>)
    | undefined;
  /** Makes ready what such a step needs, and leaves the state as it is. */
  warmUp(feeds: Feeds, outputs: readonly string[], signal?: AbortSignal): Promise<void>;
  reset(): void;
  snapshot(): Promise<Record<string, Tensor>>;
  /** Takes a snapshot, or what JSON made of one. */
  restore(state: unknown): void;
  fork(): StreamSession;
  /** Steps in the state, since it was the initial one or was restored. */
  readonly steps: number;
  /** True when it or its model has been disposed of. */
  readonly disposed: boolean;
  dispose(): void;
}

/** What a model has on a device, and what it chose. */
export interface Usage {
  /** Compiled shaders. */
  readonly pipelines: number;
  /** Bytes of weights on the device. */
  readonly weightBytes: number;
  /**
   * Which candidate each recurrent layer had in the latest run or step, by the path of its node: a
   * `RecurrentVariant`, such as `'step-split-k'`, or `'wavefront step-split-k'` for a layer of a wavefront.
   */
  readonly kernels: Readonly<Record<string, string>>;
}

/**
 * What computes: WebGPU; float32 on the CPU with SIMD in WebAssembly; the same kernels in plain JavaScript; the
 * float64 reference.
 */
export type BackendName = 'webgpu' | 'wasm' | 'js' | 'reference';

/** @internal A graph on a backend. As with {@link StreamSession}, a CPU refuses feeds on a GPU. */
export interface Session {
  readonly backend: BackendName;
  /** Why this backend, where calls decide that. */
  readonly reason?: string;
  /** What computes, for people: the adapter, or the instruction set. */
  readonly adapter: string;
  run(
    feeds: Feeds,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>>;
  /** The same without a promise; where the CPU computes. */
  runSync?(feeds: Feeds, outputs: readonly string[]): Record<string, Tensor>;
  /** Makes ready what such a run needs, where that takes time. */
  warmUp(feeds: Feeds, outputs: readonly string[], signal?: AbortSignal): Promise<void>;
  /** Makes ready what runs of a range of shapes need; where something compiles. */
  warmUpRange?(range: ShapeRange, outputs: readonly string[], signal?: AbortSignal): Promise<void>;
  /** Like `run`, but the outputs stay on the GPU; where there is one. */
  runOnGpu?(
    feeds: Feeds,
    outputs: readonly string[],
    signal?: AbortSignal,
  ): Promise<Record<string, GpuTensor>>;
  /** Records a run into commands of the app; where there is a GPU. */
  encode?(encoder: GPUCommandEncoder, feeds: Feeds, results: GpuTensors): void;
  /** The device in use; where there is one. */
  readonly device?: GPUDevice | undefined;
  /** @param checkpoint steps between two copies of the state on the host, for backends that may lose it; or 0 */
  stream(streamed: StreamedGraph, batch: number, checkpoint: number): StreamSession;
  /** What is on the device; where there is one. */
  readonly usage?: Usage;
  readonly disposed: boolean;
  dispose(): void;
}
