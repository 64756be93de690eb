// Kernels around a recurrence: they pack initial states into the layout of the recurrent kernels, unpack final
// states from it, and pack weights that are inputs of the graph.
import type { Kernel } from '../kernel.ts';
import { kernelOf } from '../part.ts';
import gather from './gather-weights.wgsl?raw';
import pack from './pack-state.wgsl?raw';
import unpack from './unpack-state.wgsl?raw';

/** Invocations of a workgroup. */
export const STATE_INVOCATIONS = 64;

const constants = { INVOCATIONS: STATE_INVOCATIONS };

const UNIFORMS = {
  rows: 'u32', // B
  directions: 'u32', // D
  width: 'u32', // O or H
  padded: 'u32', // width, rounded up to a multiple of 4
  offset: 'u32', // element of the state buffer where this state begins
} as const;

/** state ← tensor_ [D, B, width]; zeros where `from` is false. One invocation a padded unit. */
export const packState = (from: boolean): Kernel =>
  kernelOf('recurrent-pack-state', pack, [
    {
      constants,
      flags: { FROM_TENSOR: from },
      bindings: { tensor_: from && 'read f32', state: 'write f32' },
      uniforms: { ...UNIFORMS, width: from && 'u32', batchFirst: from && 'u32' },
    },
  ]);

/** tensor_ [D, B, width] ← state. One invocation a padded unit. */
export const unpackState = (): Kernel =>
  kernelOf('recurrent-unpack-state', unpack, [
    {
      constants,
      bindings: { state: 'read f32', tensor_: 'write f32' },
      uniforms: { ...UNIFORMS, batchFirst: 'u32' },
    },
  ]);

/** out [n] = Σ source[map - 1] over some maps of n places each; see gather-weights.wgsl. */
export const gatherWeights = (maps: number): Kernel =>
  kernelOf('recurrent-gather-weights', gather, [
    {
      constants: { ...constants, MAPS: maps },
      bindings: { source: 'read f32', map: 'read u32', out: 'write f32' },
      uniforms: { n: 'u32' },
    },
  ]);
