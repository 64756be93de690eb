// What an engine is to a page that measures it.
import type { Runnable } from '../measure.ts';
import type { Workload } from '../shapes.ts';

/** Everything that can be measured in a browser. The first is always there. */
export const ENGINES = ['webgpu-rnn', 'ort-webgpu', 'ort-wasm', 'tfjs'] as const;
export type EngineName = (typeof ENGINES)[number];

/** An engine that holds one workload. */
export interface Contender extends Runnable {
  /** Resolves when the engine has what its later runs are to have; absent where it has at once. */
  settle?(): Promise<void>;
  /** Brings a result into the order [T, B, D·H], outside of the time that is measured. */
  arrange?(result: Float32Array): Float32Array;
}

/**
 * Makes a contender of a workload. Ours is also the float64 reference that judges the others, when
 * that is asked for. @throws Incapable where the engine lacks such a layer
 */
export type Prepare = (workload: Workload, device?: 'reference') => Promise<Contender>;

/** An engine's honest no: it has no such layer. */
export class Incapable extends Error {}
