// Cells of one's own, each with something that no cell of the formats has: no product with h, three states,
// and a sum over units between product and cell.
import { defineCell } from '../../src/index.ts';

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** minGRU (https://arxiv.org/abs/2410.01201): its gates do not see h, so there is no product. */
export const minGru = defineCell({
  name: 'min_gru',
  gates: ['z', 'h'],
  states: ['h'],
  phases: [
    {
      calls: ['sigmoid'],
      wgsl: /* wgsl */ `
fn cell(x: Gates, before: State) -> State {
  let z = sigmoid(x.z);
  return State((1.0 - z) * before.h + z * x.h);
}`,
    },
  ],
  step: ({ x, state, observe }) => {
    const z = x.z.map(sigmoid);
    observe?.('z', z);
    observe?.('h', x.h);
    return { h: state.h.map((h, j) => (1 - z[j]!) * h + z[j]! * x.h[j]!) };
  },
});

/**
 * sLSTM of xLSTM (https://arxiv.org/abs/2405.04517, equations 8 to 14) without the stabilizer: an
 * exponential input gate, and the sum of the gates as a third state that normalizes the output.
 */
export const sLstm = defineCell({
  name: 's_lstm',
  gates: ['z', 'i', 'f', 'o'],
  states: ['h', 'c', 'n'],
  activations: ['Tanh', 'Sigmoid'],
  phases: [
    {
      name: 's_lstm',
      product: ['z', 'i', 'f', 'o'],
      calls: ['act0', 'act1'],
      wgsl: /* wgsl */ `
fn s_lstm(x: Gates, s: Gates, before: State) -> State {
  let z = act0(x.z + s.z);
  let i = exp(x.i + s.i);
  let f = act1(x.f + s.f);
  let o = act1(x.o + s.o);
  let c = f * before.c + i * z;
  let n = f * before.n + i;
  return State(o * c / n, c, n);
}`,
    },
  ],
  step: ({ x, product, state, act }) => {
    const s = (gate: 'z' | 'i' | 'f' | 'o'): Float64Array =>
      product(gate, state.h).map((sum, j) => x[gate][j]! + sum);
    const [z, i, f, o] = [s('z'), s('i'), s('f'), s('o')];
    const c = state.c.map(
      (before, j) => act[1]!(f[j]!) * before + Math.exp(i[j]!) * act[0]!(z[j]!),
    );
    const n = state.n.map((before, j) => act[1]!(f[j]!) * before + Math.exp(i[j]!));
    return { h: c.map((value, j) => (act[1]!(o[j]!) * value) / n[j]!), c, n };
  },
});

const GATES = ['i', 'o', 'f', 'c'] as const;
const EPSILON = 1e-5;
const GAINS = ['h', 'x'].flatMap((of) => GATES.map((gate) => `gain_${of}_${gate}` as const));
const BIASES = GATES.map((gate) => `bias_${gate}` as const);

/** gain · (v - mean) / √(variance + ε) over all numbers of some vectors together. */
function normalized(vectors: readonly Float64Array[]): Float64Array[] {
  const all = vectors.flatMap((vector) => [...vector]);
  const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
  const variance = all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length;
  return vectors.map((vector) => vector.map((v) => (v - mean) / Math.sqrt(variance + EPSILON)));
}

/**
 * Layer-normalized LSTM (https://arxiv.org/abs/1607.06450, equations 20 to 22): W·x and R·h are normalized
 * over the units of all gates before they are added, and c over the units before the output. Layers of it
 * have no B: the biases come behind the normalization, as parameters.
 */
export const layerNormLstm = defineCell({
  name: 'layer_norm_lstm',
  gates: GATES,
  states: ['h', 'c'],
  parameters: [...GAINS, ...BIASES, 'gain', 'bias'],
  phases: [
    {
      name: 'ln_products',
      product: GATES,
      inputs: [],
      calls: [],
      passes: ['s_i', 's_o', 's_f', 's_c'],
      wgsl: /* wgsl */ `
fn ln_products(s: Gates, before: State, p: Parameters) -> Passed {
  var passed: Passed;
  passed.s_i = s.i;
  passed.s_o = s.o;
  passed.s_f = s.f;
  passed.s_c = s.c;
  return passed;
}`,
    },
    {
      name: 'ln_gates',
      calls: ['sigmoid', 'safeTanh'],
      reductions: [
        {
          name: 'mean_s',
          wgsl: /* wgsl */ `
fn mean_s(x: Gates, passed: Passed, sums: Sums) -> f32 {
  return (passed.s_i + passed.s_o + passed.s_f + passed.s_c) / f32(4u * HIDDEN);
}`,
        },
        {
          name: 'variance_s',
          wgsl: /* wgsl */ `
fn variance_s(x: Gates, passed: Passed, sums: Sums) -> f32 {
  let d = vec4f(passed.s_i, passed.s_o, passed.s_f, passed.s_c) - sums.mean_s;
  return dot(d, d) / f32(4u * HIDDEN);
}`,
        },
        {
          name: 'mean_x',
          wgsl: /* wgsl */ `
fn mean_x(x: Gates, passed: Passed, sums: Sums) -> f32 {
  return (x.i + x.o + x.f + x.c) / f32(4u * HIDDEN);
}`,
        },
        {
          name: 'variance_x',
          wgsl: /* wgsl */ `
fn variance_x(x: Gates, passed: Passed, sums: Sums) -> f32 {
  let d = vec4f(x.i, x.o, x.f, x.c) - sums.mean_x;
  return dot(d, d) / f32(4u * HIDDEN);
}`,
        },
      ],
      passes: ['o', 'c'],
      wgsl: /* wgsl */ `
fn ln_gates(x: Gates, before: State, passed: Passed, p: Parameters, sums: Sums) -> Passed {
  let of_s = inverseSqrt(sums.variance_s + ${EPSILON});
  let of_x = inverseSqrt(sums.variance_x + ${EPSILON});
  let s = (vec4f(passed.s_i, passed.s_o, passed.s_f, passed.s_c) - sums.mean_s) * of_s
    * vec4f(p.gain_h_i, p.gain_h_o, p.gain_h_f, p.gain_h_c);
  let w = (vec4f(x.i, x.o, x.f, x.c) - sums.mean_x) * of_x
    * vec4f(p.gain_x_i, p.gain_x_o, p.gain_x_f, p.gain_x_c);
  let a = w + s + vec4f(p.bias_i, p.bias_o, p.bias_f, p.bias_c);
  var next: Passed;
  next.o = sigmoid(a.y);
  next.c = sigmoid(a.z) * before.c + sigmoid(a.x) * safeTanh(a.w);
  return next;
}`,
    },
    {
      name: 'ln_output',
      inputs: [],
      calls: ['safeTanh'],
      reductions: [
        {
          name: 'mean_c',
          wgsl: /* wgsl */ `
fn mean_c(passed: Passed, sums: Sums) -> f32 { return passed.c / f32(HIDDEN); }`,
        },
        {
          name: 'variance_c',
          wgsl: /* wgsl */ `
fn variance_c(passed: Passed, sums: Sums) -> f32 {
  let d = passed.c - sums.mean_c;
  return d * d / f32(HIDDEN);
}`,
        },
      ],
      wgsl: /* wgsl */ `
fn ln_output(before: State, passed: Passed, p: Parameters, sums: Sums) -> State {
  let c = (passed.c - sums.mean_c) * inverseSqrt(sums.variance_c + ${EPSILON});
  return State(passed.o * safeTanh(c * p.gain + p.bias), passed.c);
}`,
    },
  ],
  step: ({ x, product, state, parameters: p }) => {
    const ofS = normalized(GATES.map((gate) => product(gate, state.h)));
    const ofX = normalized(GATES.map((gate) => x[gate]));
    const a = (gate: (typeof GATES)[number], j: number): number => {
      const g = GATES.indexOf(gate);
      return (
        ofX[g]![j]! * p[`gain_x_${gate}`]![j]! +
        ofS[g]![j]! * p[`gain_h_${gate}`]![j]! +
        p[`bias_${gate}`]![j]!
      );
    };
    const c = state.c.map(
      (before, j) => sigmoid(a('f', j)) * before + sigmoid(a('i', j)) * Math.tanh(a('c', j)),
    );
    const [ofC] = normalized([c]) as [Float64Array];
    const h = ofC.map((v, j) => sigmoid(a('o', j)) * Math.tanh(v * p.gain[j]! + p.bias[j]!));
    return { h, c };
  },
});
