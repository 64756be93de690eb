// Long short-term memory. https://onnx.ai/onnx/operators/onnx__LSTM.html
// The peephole of o looks at the new c; coupled gates take f = 1 - i.
import type { Cell } from './cell.ts';

/** i, o, f = f(W·x + R·h + P∘c + b); C = f∘c + i∘g(…); H = o∘h(C). */
export const lstm: Cell = {
  gates: ['i', 'o', 'f', 'c'],
  activations: ['Sigmoid', 'Tanh', 'Tanh'],
  hasC: true,
  step: ({ x, product, rb, h, c, p, act, clip, coupled }) => {
    const products = [0, 1, 2, 3].map((gate) => product(gate, h));
    const a = (gate: number, j: number): number =>
      x[gate]![j]! + products[gate]![j]! + rb[gate]![j]!;
    const peep = (k: number, j: number): number => (p === undefined ? 0 : p[k]![j]!);
    const [f, g, hAct] = act as [
      (v: number) => number,
      (v: number) => number,
      (v: number) => number,
    ];
    const hNew = new Float64Array(c.length);
    const cNew = new Float64Array(c.length);
    for (let j = 0; j < c.length; j++) {
      const i = f(clip(a(0, j) + peep(0, j) * c[j]!));
      const forget = coupled ? 1 - i : f(clip(a(2, j) + peep(2, j) * c[j]!));
      const next = forget * c[j]! + i * g(clip(a(3, j)));
      const o = f(clip(a(1, j) + peep(1, j) * next));
      cNew[j] = next;
      hNew[j] = o * hAct(next);
    }
    return { h: hNew, c: cNew };
  },
  phases: ({ coupled, peepholes }) => {
    const peep = (gate: string, c: string): string => (peepholes ? ` + p_${gate} * ${c}` : '');
    return [
      {
        gates: [0, 1, 2, 3],
        operand: 'h',
        wgsl: `
          let i = act0(clipGate(x_i + s_i${peep('i', 'c')}));
          let f = ${coupled ? '1.0 - i' : `act0(clipGate(x_f + s_f${peep('f', 'c')}))`};
          cNew = f * c + i * act1(clipGate(x_c + s_c));
          let o = act0(clipGate(x_o + s_o${peep('o', 'cNew')}));
          hNew = o * act2(cNew);`,
      },
    ];
  },
  foldsBias: () => true,
};
