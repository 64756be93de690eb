// One run of a recurrent kernel, whose variants declare different buffers and uniforms.
import type { Kernel, Workgroups } from '../../../shaders/kernel.ts';
import { directionsOf, type RecurrentAttributes } from '../../graph.ts';
import { PERSISTENT_STEPS } from '../../../shaders/recurrent/persistent.ts';
import type { BufferId, Dispatch } from '../types.ts';
import { MAX_LOOP_STEPS } from '../types.ts';

/** Numbers that the hoisted gates of one chunk of time steps may take: it bounds memory for any T. */
const CHUNK_GATES = 4 * 1024 * 1024;

/** Most time steps of a chunk with so many `gates` in each. */
export const mostTurns = (gates: number): number =>
  Math.min(MAX_LOOP_STEPS, PERSISTENT_STEPS, Math.max(1, Math.floor(CHUNK_GATES / gates)));

/** What of a call decides the work of a layer: B, T and I. */
export interface RecurrentCall {
  readonly rows: number;
  readonly steps: number;
  readonly inputs: number;
}

/** The uniforms of a whole call: sizes, and strides of X, the mask and Y by the layout of the layer. */
export function timeUniforms(
  a: RecurrentAttributes,
  { rows, steps, inputs }: RecurrentCall,
  output: number,
): Readonly<Record<string, number>> {
  const all = directionsOf(a) * output;
  if (a.layout === 0) {
    const x = { xT: rows * inputs, xB: inputs };
    const y = { yT: all * rows, yB: output, yD: rows * output };
    return { rows, steps, ...x, ...y, maskT: rows, maskB: 1 };
  }
  const x = { xT: inputs, xB: steps * inputs };
  const y = { yT: all, yB: steps * all, yD: output };
  return { rows, steps, ...x, ...y, maskT: 1, maskB: steps };
}

/** Buffers by the names that kernels declare; a kernel takes those it has. */
export type NamedBuffers = Readonly<Record<string, BufferId | undefined>>;

/** A dispatch of `kernel` with what it declares out of all there is. */
export function recurrentDispatch(
  label: string,
  kernel: Kernel,
  workgroups: Workgroups,
  buffers: NamedBuffers,
  uniforms: Readonly<Record<string, number>>,
  flops: number,
): Dispatch {
  const pick = <T>(names: object, from: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.keys(names).map((name) => [name, from[name]!]));
  return {
    kind: 'dispatch',
    label,
    kernel,
    workgroups,
    buffers: pick(kernel.bindings, buffers as Record<string, BufferId>),
    uniforms: pick(kernel.uniforms, uniforms),
    flops,
  };
}
