// Gated recurrent unit. https://onnx.ai/onnx/operators/onnx__GRU.html
// The reset gate scales either h before the product (ONNX default, TF.js) or the product after it
// (linear_before_reset = 1: PyTorch, Keras 3). The first needs two products, one after the other.
import type { Cell } from './cell.ts';

/** z, r = f(W·x + R·h + b); n = g(W·x + r∘R·h …); H = (1 - z)∘n + z∘h. */
export const gru: Cell = {
  gates: ['z', 'r', 'h'],
  activations: ['Sigmoid', 'Tanh'],
  hasC: false,
  step: ({ x, product, rb, h, c, act, clip, resetAfter }) => {
    const gate = (g: number): Float64Array =>
      product(g, h).map((value, j) => act[0]!(clip(x[g]![j]! + value + rb[g]![j]!)));
    const [z, r] = [gate(0), gate(1)];
    const inner = resetAfter
      ? product(2, h).map((value, j) => r[j]! * (value + rb[2]![j]!))
      : product(
          2,
          h.map((value, j) => r[j]! * value),
        ).map((value, j) => value + rb[2]![j]!);
    const n = inner.map((value, j) => act[1]!(clip(x[2]![j]! + value)));
    return { h: n.map((value, j) => (1 - z[j]!) * value + z[j]! * h[j]!), c };
  },
  phases: ({ resetAfter }) => {
    const z = 'let z = act0(clipGate(x_z + s_z));';
    const r = 'let r = act0(clipGate(x_r + s_r));';
    if (resetAfter) {
      const wgsl = `
          ${z}
          ${r}
          let n = act1(clipGate(x_h + r * (s_h + rb_h)));
          hNew = (1.0 - z) * n + z * h;`;
      return [{ gates: [0, 1, 2], operand: 'h', wgsl }];
    }
    return [
      {
        gates: [0, 1],
        operand: 'h',
        wgsl: `
          ${z}
          ${r}
          u = r * h;
          keep = z;`,
      },
      {
        gates: [2],
        operand: 'u',
        wgsl: `
          let n = act1(clipGate(x_h + s_h));
          hNew = (1.0 - keep) * n + keep * h;`,
      },
    ];
  },
  foldsBias: (gate, { resetAfter }) => gate !== 2 || !resetAfter,
};
