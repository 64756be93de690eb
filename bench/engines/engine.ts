// What an engine is to a page that measures it.
import type * as Package from 'webgpu-rnn';
import type { Runnable } from '../measure.ts';
import type { Workload } from '../shapes.ts';

/** The engines that can be measured in a browser. The first is always measured. */
export const ENGINES = ['webgpu-rnn', 'ort-webgpu', 'ort-wasm', 'tfjs'] as const;
export type EngineName = (typeof ENGINES)[number];

/** What the benchmarks use of a copy of this package. */
export type PackageApi = Pick<typeof Package, 'loadModel' | 'tensor'>;

/** An engine that holds one workload. */
export interface Contender extends Runnable {
  /** Resolves when the engine has compiled what its later runs use; absent where the first run does so. */
  settle?(): Promise<void>;
  /** Brings a result into the order [T, B, D·H], outside of the time that is measured. */
  arrange?(result: Float32Array): Float32Array;
}

/**
 * Makes a contender of a workload. With `device: 'reference'` this package is the float64 reference that judges
 * the others. @throws Incapable where the engine lacks such a layer
 */
export type Prepare = (workload: Workload, device?: 'reference') => Promise<Contender>;

/** The engine has no such layer. */
export class Incapable extends Error {}
