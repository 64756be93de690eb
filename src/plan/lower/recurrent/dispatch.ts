// Dispatches of recurrent kernels, whose variants declare different buffers and uniforms.
import type { Kernel, Workgroups } from '../../../../shaders/kernel.ts';
import { PERSISTENT_STEPS } from '../../../../shaders/recurrent/persistent.ts';
import { directionsOf, type RecurrentAttributes } from '../../../graph.ts';
import type { BufferId, Dispatch } from '../../types.ts';
import { MAX_LOOP_STEPS } from '../../types.ts';

/** Elements that W·x + b of one chunk of time steps may take: it bounds memory for any T. */
const MAX_CHUNK_ELEMENTS = 4 * 1024 * 1024;

/** Maximum time steps of a chunk that has `columns` elements of W·x + b in each step. */
export const maxChunkSteps = (columns: number): number =>
  Math.min(MAX_LOOP_STEPS, PERSISTENT_STEPS, Math.max(1, Math.floor(MAX_CHUNK_ELEMENTS / columns)));

/** Sizes of a call of a layer: B, T and I. */
export interface LayerCall {
  readonly rows: number;
  readonly steps: number;
  readonly inputs: number;
}

/** The uniforms of a whole call: sizes, and strides of X, the mask and Y by the layout of the layer. */
export function timeUniforms(
  a: RecurrentAttributes,
  { rows, steps, inputs }: LayerCall,
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

/** Buffers by the names that kernels declare; undefined for those of other variants. */
export type NamedBuffers = Readonly<Record<string, BufferId | undefined>>;

/**
 * A dispatch of `kernel` with the buffers and uniforms that it declares, selected from those of the layer. The plan
 * refuses a dispatch for which one of them is missing.
 */
export function recurrentDispatch(
  label: string,
  kernel: Kernel,
  workgroups: Workgroups,
  buffers: NamedBuffers,
  uniforms: Readonly<Record<string, number>>,
  flops: number,
): Dispatch {
  const declared = <T>(names: object, all: Readonly<Record<string, T | undefined>>) =>
    Object.fromEntries(
      Object.keys(names).flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])),
    ) as Record<string, T>;
  return {
    kind: 'dispatch',
    label,
    kernel,
    workgroups,
    buffers: declared(kernel.bindings, buffers),
    uniforms: declared(kernel.uniforms, uniforms),
    flops,
  };
}
