// Elman cell. https://onnx.ai/onnx/operators/onnx__RNN.html
import type { Cell } from './cell.ts';

/** h = f(W·x + R·h + b). */
export const rnn: Cell = {
  gates: ['i'],
  activations: ['Tanh'],
  hasC: false,
  step: ({ x, product, rb, h, c, act, clip }) => ({
    h: product(0, h).map((value, j) => act[0]!(clip(x[0]![j]! + value + rb[0]![j]!))),
    c,
  }),
  phases: () => [{ gates: [0], operand: 'h', wgsl: 'hNew = act0(clipGate(x_i + s_i));' }],
  foldsBias: () => true,
};
