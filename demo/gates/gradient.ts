// How much of the last state is left of each earlier one: the norm of the Jacobian ∂s_T/∂s_t, the product of the Jacobians
// of the steps between. Where it decays, training cannot tell step t what went wrong at step T.
// https://proceedings.mlr.press/v28/pascanu13.html
import { type Episode, type RecurrentWeights, UNITS as H } from './networks.ts';

/** A square matrix by rows. */
type Matrix = Float64Array;

/** PyTorch's order of the gates in R. */
const ROWS: Readonly<Record<Episode['cell'], Readonly<Record<string, number>>>> = {
  rnn: { i: 0 },
  gru: { r: 0, z: 1, h: 2 },
  lstm: { i: 0, f: 1, c: 2, o: 3 },
};

/**
 * ‖∂s_T/∂s_t‖ for each step t, the Frobenius norm divided by the square root of the size of the state, so that it is 1 at the
 * last step. The state is h, and h with c for an LSTM.
 */
export function gradientNorms(episode: Episode, weights: RecurrentWeights): Float64Array {
  const size = episode.cell === 'lstm' ? 2 * H : H;
  const norms = new Float64Array(episode.steps);
  let product = identity(size);
  for (let t = episode.steps - 1; t >= 0; t--) {
    norms[t] = Math.hypot(...product) / Math.sqrt(size);
    if (t > 0) product = multiply(product, stepJacobian(episode, weights, t), size);
  }
  return norms;
}

/** ∂s_t/∂s_{t-1}. */
function stepJacobian(episode: Episode, weights: RecurrentWeights, t: number): Matrix {
  if (episode.cell === 'rnn') return rnnJacobian(episode, weights, t);
  return episode.cell === 'gru'
    ? gruJacobian(episode, weights, t)
    : lstmJacobian(episode, weights, t);
}

/** Values of step t. */
const valuesAt = (values: Float32Array, t: number): Float32Array =>
  values.subarray(t * H, (t + 1) * H);

/** Rows of R that belong to a gate. */
function rowsOf({ cell }: Episode, { R }: RecurrentWeights, gate: string): Float32Array {
  const first = ROWS[cell][gate]! * H * H;
  return R.subarray(first, first + H * H);
}

/** h = tanh(W·x + R·h + b). */
function rnnJacobian(episode: Episode, weights: RecurrentWeights, t: number): Matrix {
  const h = valuesAt(episode.states['h']!, t);
  return scaledRows(rowsOf(episode, weights, 'i'), (j) => 1 - h[j]! ** 2);
}

/** h = (1 - z)∘n + z∘h, with n = tanh(W·x + b + r∘(R·h + b')). */
function gruJacobian(episode: Episode, weights: RecurrentWeights, t: number): Matrix {
  const [z, r, n] = ['z', 'r', 'h'].map((gate) =>
    valuesAt(episode.gates[gate]!, t),
  ) as Float32Array[];
  const before = valuesAt(episode.states['h']!, t - 1);
  const Rn = rowsOf(episode, weights, 'h');
  const dz = scaledRows(rowsOf(episode, weights, 'z'), (j) => z![j]! * (1 - z![j]!));
  const dr = scaledRows(rowsOf(episode, weights, 'r'), (j) => r![j]! * (1 - r![j]!));
  const J = new Float64Array(H * H);
  for (let j = 0; j < H; j++) {
    let product = weights.candidateBias![j]!;
    for (let k = 0; k < H; k++) product += Rn[j * H + k]! * before[k]!;
    for (let k = 0; k < H; k++) {
      const dn = (1 - n![j]! ** 2) * (r![j]! * Rn[j * H + k]! + product * dr[j * H + k]!);
      J[j * H + k] = (before[j]! - n![j]!) * dz[j * H + k]! + (1 - z![j]!) * dn;
    }
    J[j * H + j]! += z![j]!;
  }
  return J;
}

/** c' = f∘c + i∘g and h' = o∘tanh(c'); the state is (h, c). */
function lstmJacobian(episode: Episode, weights: RecurrentWeights, t: number): Matrix {
  const [i, f, o, g] = ['i', 'f', 'o', 'c'].map((gate) => valuesAt(episode.gates[gate]!, t)) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const cBefore = valuesAt(episode.states['c']!, t - 1);
  const c = valuesAt(episode.states['c']!, t);
  const sigmoid = (gate: string, values: Float32Array): Matrix =>
    scaledRows(rowsOf(episode, weights, gate), (j) => values[j]! * (1 - values[j]!));
  const [di, df, dO] = [sigmoid('i', i), sigmoid('f', f), sigmoid('o', o)];
  const dg = scaledRows(rowsOf(episode, weights, 'c'), (j) => 1 - g[j]! ** 2);
  const size = 2 * H;
  const J = new Float64Array(size * size);
  for (let j = 0; j < H; j++) {
    const tanh = Math.tanh(c[j]!);
    const slope = o[j]! * (1 - tanh ** 2); // ∂h'/∂c'
    for (let k = 0; k < H; k++) {
      const index = j * H + k;
      const dc = cBefore[j]! * df[index]! + g[j]! * di[index]! + i[j]! * dg[index]!;
      J[j * size + k] = tanh * dO[index]! + slope * dc;
      J[(H + j) * size + k] = dc;
    }
    J[j * size + H + j] = slope * f[j]!;
    J[(H + j) * size + H + j] = f[j]!;
  }
  return J;
}

/** diag(scale)·R. */
const scaledRows = (R: Float32Array, scale: (row: number) => number): Matrix =>
  Float64Array.from(R, (value, index) => value * scale(Math.floor(index / H)));

function identity(size: number): Matrix {
  const I = new Float64Array(size * size);
  for (let j = 0; j < size; j++) I[j * size + j] = 1;
  return I;
}

function multiply(A: Matrix, B: Matrix, size: number): Matrix {
  const C = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < size; k++) {
      const a = A[i * size + k]!;
      for (let j = 0; j < size; j++) C[i * size + j]! += a * B[k * size + j]!;
    }
  }
  return C;
}
