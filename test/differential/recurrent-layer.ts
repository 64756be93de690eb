// A random LSTM, GRU or RNN node in the form of ONNX Runtime.
import {
  ACTIVATIONS,
  CELLS,
  type Activation,
  type ActivationName,
  type Cell,
} from '../../src/cells/index.ts';
import type { Node } from '../../src/graph.ts';
import type { Tensor } from '../../src/tensor.ts';
import type { Random } from '../support/random.ts';
import { recurrentCase, type RecurrentConfig } from '../support/random-recurrent.ts';
import type { Attributes } from './model-builder.ts';

/** A layer with its inputs by slot, the sequence first. */
export interface OnnxLayer {
  readonly op: string;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly attributes: Attributes;
  readonly outputs: readonly boolean[];
  /** The same layer as this package has it. */
  readonly node: Node;
}

/** Random weights, states and lengths for a layer that ONNX can say. */
export function onnxLayer(random: Random, drawn: RecurrentConfig): OnnxLayer {
  const config: RecurrentConfig = {
    ...drawn,
    layout: 0, // the only one of ONNX Runtime
    maskedOutput: 'zero',
    // For a row of no steps ONNX Runtime gives zero instead of the initial state.
    lengths: drawn.lengths?.map((length) => Math.max(length, 1)),
  };
  const { graph, feeds } = recurrentCase(random, config);
  const node = graph.nodes[0]!;
  const cell: Cell = CELLS[config.cell];
  // Alphas and betas are listed for those activations only that take one.
  const parameters = (which: 'alpha' | 'beta'): { readonly floats: number[] } | undefined => {
    const values = config.activations.flatMap((name, k) => {
      const activation: Activation = ACTIVATIONS[name as ActivationName];
      return activation[which] === undefined ? [] : [config[`${which}s`][k]!];
    });
    return values.length > 0 ? { floats: values } : undefined;
  };
  const usual = config.activations.every(
    (name, k) => name === cell.activations[k % cell.activations.length],
  );
  return {
    op: config.cell.toUpperCase(),
    inputs: node.inputs
      .slice(0, cell.states.length > 1 ? 8 : 6)
      .map((name) => feeds[name] ?? graph.constants.get(name)),
    attributes: {
      hidden_size: config.hidden,
      direction:
        config.direction === 'forward' && random.chance(0.5) ? undefined : config.direction,
      activations: usual && random.chance(0.5) ? undefined : config.activations,
      activation_alpha: parameters('alpha'),
      activation_beta: parameters('beta'),
      clip: config.clip === 0 ? undefined : config.clip,
      input_forget: config.coupled ? 1 : undefined,
      linear_before_reset: config.resetAfter ? 1 : undefined,
    },
    outputs: [0, 1, 2].slice(0, 1 + cell.states.length).map((slot) => node.outputs[slot] !== ''),
    node,
  };
}
