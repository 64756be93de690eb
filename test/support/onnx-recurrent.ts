// A random recurrent layer as an LSTM, GRU or RNN node of ONNX, and as a file.
import {
  ACTIVATIONS,
  CELLS,
  type Activation,
  type ActivationName,
  type Cell,
} from '../../src/cells/index.ts';
import { writeOnnx, type OnnxNode, type OnnxOptions } from './onnx-writer.ts';
import type { RecurrentCase } from './random-recurrent.ts';

/**
 * The layer as ONNX has it: gates are in the order of ONNX already. Masks and projections have no
 * ONNX form; layout goes in as it is, although ONNX Runtime knows 0 only.
 */
export function onnxNodeOf({ config, graph }: Pick<RecurrentCase, 'config' | 'graph'>): OnnxNode {
  if (config.mask !== undefined || config.projected !== 0) {
    throw new Error('ONNX has no masks and no projections');
  }
  const cell: Cell = CELLS[config.cell];
  const node = graph.nodes[0]!;
  // Alphas and betas are listed for those activations only that take one.
  const parameters = (which: 'alpha' | 'beta'): number[] =>
    config.activations.flatMap((name, k) =>
      (ACTIVATIONS[name as ActivationName] as Activation)[which] === undefined
        ? []
        : [config[`${which}s`][k]!],
    );
  const [alphas, betas] = [parameters('alpha'), parameters('beta')];
  const inputs = node.inputs.slice(0, 8);
  return {
    op: config.cell.toUpperCase(),
    name: 'layer',
    inputs: inputs.slice(0, inputs.findLastIndex((name) => name !== '') + 1),
    outputs: node.outputs.slice(0, 1 + cell.states.length),
    attributes: {
      hidden_size: config.hidden,
      direction: config.direction,
      layout: config.layout === 0 ? undefined : 1,
      activations: config.activations,
      activation_alpha: alphas.length > 0 ? { floats: alphas } : undefined,
      activation_beta: betas.length > 0 ? { floats: betas } : undefined,
      clip: config.clip === 0 ? undefined : config.clip,
      input_forget: config.coupled ? 1 : undefined,
      linear_before_reset: config.resetAfter ? 1 : undefined,
    },
  };
}

/** A file with the layer and its weights. */
export function onnxOfRecurrent(recurrent: RecurrentCase, options?: OnnxOptions): Uint8Array {
  const { graph, feeds } = recurrent;
  return writeOnnx(
    {
      nodes: [onnxNodeOf(recurrent)],
      inputs: Object.entries(feeds).map(([name, { type, dims }]) => ({ name, type, dims })),
      outputs: graph.outputs,
      initializers: Object.fromEntries(graph.constants),
    },
    options,
  );
}
