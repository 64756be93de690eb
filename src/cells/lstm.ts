// Long short-term memory. https://onnx.ai/onnx/operators/onnx__LSTM.html
// The peephole of o looks at the new c; coupled gates take f = 1 - i.
import { type Cell, type StepInput, phaseOf } from './cell.ts';

const gates = ['i', 'o', 'f', 'c'];

/** i, o, f = f(W·x + R·h + P∘c + b); C = f∘c + i∘g(…); H = o∘h(C). */
export const lstm: Cell = {
  name: 'lstm',
  gates,
  states: ['h', 'c'],
  activations: ['Sigmoid', 'Tanh', 'Tanh'],
  parameters: ({ peepholes }) => (peepholes ? ['p_i', 'p_o', 'p_f'].map((name) => ({ name })) : []),
  step: ({ x, product, state, parameters: p, act, clip, variant, observe }: StepInput) => {
    const [sigma, g, hAct] = act as [typeof clip, typeof clip, typeof clip];
    const before = state['c']!;
    const s = Object.fromEntries(gates.map((gate) => [gate, product(gate, state['h']!)]));
    const a = (gate: string, j: number): number => x[gate]![j]! + s[gate]![j]!;
    // No product where there are no peepholes: NaN of the cell state times zero would reach the gates.
    const peep = (gate: string, j: number, at: number): number => {
      const weights = p[`p_${gate}`];
      return weights === undefined ? 0 : weights[j]! * at;
    };
    const gate = (name: string, c: Float64Array): Float64Array =>
      c.map((at, j) => sigma(clip(a(name, j) + peep(name, j, at))));
    const i = gate('i', before);
    const f = variant.coupled ? i.map((value) => 1 - value) : gate('f', before);
    const candidate = before.map((_, j) => g(clip(a('c', j))));
    const c = before.map((at, j) => f[j]! * at + i[j]! * candidate[j]!);
    const o = gate('o', c);
    if (observe) Object.entries({ i, o, f, c: candidate }).forEach((each) => observe(...each));
    return { h: o.map((value, j) => value * hAct(c[j]!)), c };
  },
  phases: ({ peepholes }) => [
    phaseOf(gates, 'h', {
      name: 'lstm',
      product: gates,
      calls: ['clipGate', 'act0', 'act1', 'act2'],
      wgsl: /* wgsl */ `
fn lstm(x: Gates, s: Gates, before: State${peepholes ? ', p: Parameters' : ''}) -> State {
  var i = x.i + s.i;
  var f = x.f + s.f;
  var o = x.o + s.o;
  #if PEEPHOLES
  i += p.p_i * before.c;
  f += p.p_f * before.c;
  #endif
  i = act0(clipGate(i));
  #if COUPLED
  f = 1.0 - i;
  #else
  f = act0(clipGate(f));
  #endif
  let c = f * before.c + i * act1(clipGate(x.c + s.c));
  #if PEEPHOLES
  o += p.p_o * c;
  #endif
  o = act0(clipGate(o));
  return State(o * act2(c), c);
}`,
    }),
  ],
};
