// What a node and its processor say to each other.
import type { BlockStatistics } from '../audio/block-times.ts';
import type { RnnErrorData } from '../errors.ts';
import type { Graph } from '../graph.ts';

/** A model as an audio thread takes it: the bytes of an ONNX file, or a graph made in code of the package's cells. */
export type WorkletModel = Uint8Array | ArrayBuffer | Graph;

/** `processorOptions` of an AudioWorkletNode for a processor of `registerRnnProcessor`. */
export interface RnnProcessorOptions {
  /** The model. */
  readonly model: WorkletModel;
  /**
   * Milliseconds that a block may take before the input is heard instead of it; Infinity never gives up. Default: the time until
   * the next block is due.
   */
  readonly deadline?: number;
}

/** A block took too long: from now on the input is heard. */
export interface Starved {
  /** Milliseconds that the block took, as the clock of the thread tells them. */
  readonly elapsed: number;
  /** Milliseconds that it may take. */
  readonly deadline: number;
  /** Number of the block, from 0 on. */
  readonly block: number;
  /** Blocks of the input that are heard before the model begins anew. */
  readonly pause: number;
}

/** The model is heard again. */
export interface Recovered {
  /** Number of the first block of the model, from 0 on. */
  readonly block: number;
}

/** From the node. */
export type ToProcessor =
  | { readonly type: 'statistics'; readonly id: number }
  | { readonly type: 'bypass'; readonly on: boolean }
  | { readonly type: 'reset' }
  | { readonly type: 'dispose' };

/** From the processor. */
export type FromProcessor =
  | { readonly type: 'ready'; readonly latency: number }
  | { readonly type: 'error'; readonly error: RnnErrorData }
  | ({ readonly type: 'starved' } & Starved)
  | ({ readonly type: 'recovered' } & Recovered)
  | { readonly type: 'statistics'; readonly id: number; readonly statistics: BlockStatistics }
  | { readonly type: 'message'; readonly data: unknown };
