// What an engine is to this page.
import type { Runnable } from '../../../bench/measure.ts';
import type { Workload } from '../../../bench/shapes.ts';

/** An engine that holds one workload. */
export interface Contender extends Runnable {
  /** Brings a result into the order [T, B, D·H], outside of the time that is measured. */
  arrange?(result: Float32Array): Float32Array;
}

/** Makes a contender of a workload. @throws Incapable where the engine lacks such a layer */
export type Prepare = (workload: Workload) => Promise<Contender>;

/** An engine's honest no: it has no such layer. */
export class Incapable extends Error {}
