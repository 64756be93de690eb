// Elman cell. https://onnx.ai/onnx/operators/onnx__RNN.html
import { type Cell, phaseOf } from './cell.ts';

const gates = ['i'];

/** h = f(W·x + R·h + b). */
export const rnn: Cell = {
  name: 'rnn',
  gates,
  states: ['h'],
  activations: ['Tanh'],
  parameters: () => [],
  step: ({ x, product, state, act, clip, observe }) => {
    const h = product('i', state['h']!).map((sum, j) => act[0]!(clip(x['i']![j]! + sum)));
    observe?.('i', h);
    return { h };
  },
  phases: () => [
    phaseOf(gates, 'h', {
      name: 'rnn',
      product: gates,
      calls: ['clipGate', 'act0'],
      wgsl: /* wgsl */ `
fn rnn(x: Gates, s: Gates, before: State) -> State {
  return State(act0(clipGate(x.i + s.i)));
}`,
    }),
  ],
};
