// Specs of recurrent layers without a graph, for the kernels' and the planner's tests.
import { cellOf, findActivation, type CellVariant } from '../../src/cells/index.ts';
import type { RecurrentSpec } from '../../shaders/recurrent/spec.ts';

/** The spec of a built-in cell with default activations; `given` replaces what differs. */
export function recurrentSpec(
  name: 'lstm' | 'gru' | 'rnn',
  hidden: number,
  {
    variant: chosen,
    ...given
  }: Partial<Omit<RecurrentSpec, 'variant'>> & {
    variant?: Partial<CellVariant>;
  } = {},
): RecurrentSpec {
  const cell = cellOf(name);
  const variant = { coupled: false, resetAfter: false, peepholes: false, ...chosen };
  const directions = given.direction === 'bidirectional' ? 2 : 1;
  return {
    gates: cell.gates,
    states: cell.states,
    variant,
    phases: cell.phases(variant),
    parameters: cell.parameters(variant).map((parameter) => parameter.name),
    hidden,
    projected: false,
    output: hidden,
    direction: 'forward',
    layers: 1,
    activations: Array.from({ length: directions }, () =>
      cell.activations.map((activation) => ({
        name: findActivation(activation)!,
        alpha: Number.NaN,
        beta: Number.NaN,
      })),
    ),
    clip: 0,
    hasLengths: false,
    mask: undefined,
    maskedOutput: 'zero',
    writesY: true,
    storage: { input: 'f32', recurrent: 'f32', projection: 'f32' },
    arithmetic: 'f32',
    ...given,
  };
}
