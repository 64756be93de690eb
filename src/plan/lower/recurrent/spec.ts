// A `Recurrent` node as its kernels see it.
import type { RecurrentSpec } from '../../../../shaders/recurrent/spec.ts';
import type { WeightStorage } from '../../../../shaders/recurrent/weights.ts';
import { type Cell, cellOf, findActivation } from '../../../cells/index.ts';
import { directionsOf, RECURRENT_INPUTS, recurrentAttributes } from '../../../graph.ts';
import { isFloat } from '../../../tensor.ts';
import type { Lowering } from '../../lowering.ts';
import type { LayerCall } from './dispatch.ts';

const slot = (name: (typeof RECURRENT_INPUTS)[number]): number => RECURRENT_INPUTS.indexOf(name);

/** Input slots of a `Recurrent` node. */
export const X = slot('X');
export const W = slot('W');
export const R = slot('R');
export const B = slot('B');
export const LENGTHS = slot('lengths');
export const P = slot('P');
export const MASK = slot('mask');
export const PROJECTION = slot('projection');

/** The cell of a layer. */
export const cellOfLayer = ({ node }: Lowering): Cell => cellOf(recurrentAttributes(node).cell);

/** The sizes of a call of a layer. */
export function callOf({ node, inputs }: Lowering): LayerCall {
  const { dims } = inputs[X]!;
  const { layout } = recurrentAttributes(node);
  return { steps: dims[layout]!, rows: dims[1 - layout]!, inputs: dims[2]! };
}

/**
 * How the weights of a slot are stored: as the options request; f32 where they are inputs of the graph,
 * because the kernel that packs these only copies numbers.
 */
export const storageOf = ({ inputs, options }: Lowering, input: number): WeightStorage =>
  inputs[input]?.constant ? (options.weights ?? 'f32') : 'f32';

/** The spec of a node. */
export function specOf(ctx: Lowering): RecurrentSpec {
  const { node, inputs, wanted } = ctx;
  const a = recurrentAttributes(node);
  const cell = cellOfLayer(ctx);
  const variant = {
    coupled: a.coupled,
    resetAfter: a.resetAfter,
    peepholes: inputs[P] !== undefined,
  };
  const each = cell.activations.length;
  const mask = inputs[MASK];
  return {
    gates: cell.gates,
    states: cell.states,
    variant,
    phases: cell.phases(variant),
    parameters: cell.parameters(variant).map(({ name }) => name),
    hidden: a.hidden,
    projected: inputs[PROJECTION] !== undefined,
    output: inputs[PROJECTION]?.dims[1] ?? a.hidden,
    direction: a.direction,
    layers: 1,
    activations: Array.from({ length: directionsOf(a) }, (_, d) =>
      a.activations.slice(d * each, (d + 1) * each).map((name, k) => ({
        name: findActivation(name)!,
        alpha: a.alphas[d * each + k]!,
        beta: a.betas[d * each + k]!,
      })),
    ),
    clip: a.clip,
    hasLengths: inputs[LENGTHS] !== undefined,
    mask: mask && (isFloat(mask.type) ? 'f32' : 'i32'),
    maskedOutput: a.maskedOutput,
    writesY: wanted(0),
    storage: {
      input: storageOf(ctx, W),
      recurrent: storageOf(ctx, R),
      projection: storageOf(ctx, PROJECTION),
    },
    arithmetic: ctx.options.arithmetic ?? 'f32',
  };
}
