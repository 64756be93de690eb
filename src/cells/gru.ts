// Gated recurrent unit. https://onnx.ai/onnx/operators/onnx__GRU.html
// The reset gate scales either h before the product (ONNX default, TF.js) or the product after it
// (linear_before_reset = 1: PyTorch, Keras 3). The first needs two products, one after the other.
import { type Cell, phaseOf } from './cell.ts';

const gates = ['z', 'r', 'h'];

/** z, r = f(W·x + R·h + b); n = g(W·x + r∘R·h …); H = (1 - z)∘n + z∘h. */
export const gru: Cell = {
  name: 'gru',
  gates,
  states: ['h'],
  activations: ['Sigmoid', 'Tanh'],
  // Behind the reset gate, the recurrent bias of h cannot be added to the input bias beforehand.
  parameters: ({ resetAfter }) => (resetAfter ? [{ name: 'rb_h', recurrentBias: 'h' }] : []),
  step: ({ x, product, state, parameters, act, clip, variant, observe }) => {
    const h = state['h']!;
    const gate = (name: string): Float64Array => {
      const values = product(name, h).map((sum, j) => act[0]!(clip(x[name]![j]! + sum)));
      observe?.(name, values);
      return values;
    };
    const [z, r] = [gate('z'), gate('r')];
    const inner = variant.resetAfter
      ? product('h', h).map((sum, j) => r[j]! * (sum + parameters['rb_h']![j]!))
      : product(
          'h',
          h.map((value, j) => r[j]! * value),
        );
    const n = inner.map((sum, j) => act[1]!(clip(x['h']![j]! + sum)));
    observe?.('h', n);
    return { h: n.map((value, j) => (1 - z[j]!) * value + z[j]! * h[j]!) };
  },
  phases: ({ resetAfter }) => (resetAfter ? AFTER : BEFORE),
};

const AFTER = [
  phaseOf(gates, 'h', {
    name: 'gru',
    product: gates,
    calls: ['clipGate', 'act0', 'act1'],
    wgsl: /* wgsl */ `
fn gru(x: Gates, s: Gates, before: State, p: Parameters) -> State {
  let z = act0(clipGate(x.z + s.z));
  let r = act0(clipGate(x.r + s.r));
  let n = act1(clipGate(x.h + r * (s.h + p.rb_h)));
  return State((1.0 - z) * n + z * before.h);
}`,
  }),
];

const BEFORE = [
  phaseOf(gates, 'h', {
    name: 'gru_gates',
    product: ['z', 'r'],
    passes: ['u', 'z'],
    calls: ['clipGate', 'act0'],
    wgsl: /* wgsl */ `
fn gru_gates(x: Gates, s: Gates, before: State) -> Passed {
  var passed: Passed;
  passed.z = act0(clipGate(x.z + s.z));
  passed.u = act0(clipGate(x.r + s.r)) * before.h; // r ∘ h
  return passed;
}`,
  }),
  phaseOf(gates, 'h', {
    name: 'gru_candidate',
    product: ['h'],
    of: 'u',
    calls: ['clipGate', 'act1'],
    wgsl: /* wgsl */ `
fn gru_candidate(x: Gates, s: Gates, before: State, passed: Passed) -> State {
  let n = act1(clipGate(x.h + s.h));
  return State((1.0 - passed.z) * n + passed.z * before.h);
}`,
  }),
];
