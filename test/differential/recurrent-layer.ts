// A random LSTM, GRU or RNN node in the form of ONNX Runtime.
import { CELLS, type Cell } from '../../src/cells/index.ts';
import type { Node } from '../../src/graph.ts';
import type { Tensor } from '../../src/tensor.ts';
import { onnxNodeOf } from '../support/onnx-recurrent.ts';
import type { Random } from '../support/random.ts';
import { recurrentCase } from '../support/random-recurrent.ts';
import type { RecurrentConfig, RecurrentRestrictions } from '../support/recurrent-config.ts';
import type { Attributes } from './model-builder.ts';

/** What ONNX Runtime has of recurrent layers. */
export const ONNX_RUNTIME = {
  onnx: true,
  maskedOutput: 'zero',
  minLength: 1,
} as const satisfies RecurrentRestrictions;

/** A layer with its inputs by slot, the sequence first. */
export interface OnnxLayer {
  readonly op: string;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly attributes: Attributes;
  readonly outputs: readonly boolean[];
  /** The same layer as this package has it. */
  readonly node: Node;
}

/** Random weights, states and lengths for a layer; attributes that have their default are left out at random. */
export function onnxLayer(random: Random, config: RecurrentConfig): OnnxLayer {
  const made = recurrentCase(random, config);
  const node = made.graph.nodes[0]!;
  const cell: Cell = CELLS[config.cell];
  const { op, attributes } = onnxNodeOf(made);
  const usual = config.activations.every(
    (name, k) => name === cell.activations[k % cell.activations.length],
  );
  const omitted = (isDefault: boolean): boolean => isDefault && random.chance(0.5);
  return {
    op,
    inputs: node.inputs
      .slice(0, cell.states.length > 1 ? 8 : 6)
      .map((name) => made.feeds[name] ?? made.graph.constants.get(name)),
    attributes: {
      ...attributes,
      ...(omitted(config.direction === 'forward') && { direction: undefined }),
      ...(omitted(usual) && { activations: undefined }),
    },
    outputs: [0, 1, 2].slice(0, 1 + cell.states.length).map((slot) => node.outputs[slot] !== ''),
    node,
  };
}
