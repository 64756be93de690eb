// The meaning of every recurrent layer, in float64: rows and directions one after the other, each
// step by the cell's own equations. The answer that kernels are compared with.
import { ACTIVATIONS, CELLS, type Activation } from '../cells/index.ts';
import type { RecurrentAttributes } from '../graph.ts';

/** Sizes of a layer, by the letters of its documentation in graph.ts. */
export interface RecurrentSizes {
  readonly T: number;
  readonly B: number;
  readonly I: number;
  readonly H: number;
  readonly D: number;
  readonly G: number;
  readonly O: number;
}

type Numbers = Float64Array | undefined;

const range = (count: number): number[] => [...Array(count).keys()];

/** y = matrix[rows, columns] · v, for `rows` rows of the matrix from `from` on. */
function multiply(matrix: Float64Array, from: number, rows: number, v: Float64Array): Float64Array {
  const y = new Float64Array(rows);
  for (let j = 0; j < rows; j++) {
    let sum = 0;
    const row = (from + j) * v.length;
    for (let k = 0; k < v.length; k++) sum += matrix[row + k]! * v[k]!;
    y[j] = sum;
  }
  return y;
}

/**
 * Y, Y_h and Y_c of a layer.
 *
 * @param inputs numbers by slot of `RECURRENT_INPUTS`
 */
export function runRecurrent(
  attributes: RecurrentAttributes,
  sizes: RecurrentSizes,
  inputs: readonly Numbers[],
): readonly [Float64Array, Float64Array, Float64Array] {
  const { T, B, I, H, D, G, O } = sizes;
  const { direction, layout, activations, alphas, betas, clip: limit } = attributes;
  const [X, W, R, bias, lengths, initialH, initialC, P, mask, projection] = inputs;
  const cell = CELLS[attributes.cell];
  const Y = new Float64Array(T * D * B * O);
  const lastH = new Float64Array(D * B * O);
  const lastC = new Float64Array(D * B * H);
  const act = activations.map((name, k) => {
    const { f, ...defaults }: Activation = ACTIVATIONS[name as keyof typeof ACTIVATIONS];
    const or = (value: number, fallback = 0): number => (Number.isNaN(value) ? fallback : value);
    const [alpha, beta] = [or(alphas[k]!, defaults.alpha), or(betas[k]!, defaults.beta)];
    return (x: number) => f(x, alpha, beta);
  });
  const clip = (x: number): number => (limit === 0 ? x : Math.min(Math.max(x, -limit), limit));
  const place = (t: number, b: number): number => (layout === 0 ? t * B + b : b * T + t);

  for (const d of range(D)) {
    const reversed = direction === 'reverse' || d === 1;
    const order = reversed ? range(T).toReversed() : range(T);
    const biases = (first: number): Float64Array[] =>
      range(G).map((g) => {
        const at = (d * 2 * G + first + g) * H;
        return bias?.slice(at, at + H) ?? new Float64Array(H);
      });
    const [wb, rb] = [biases(0), biases(G)];
    const p = P && range(3).map((k) => P.slice((d * 3 + k) * H, (d * 3 + k + 1) * H));
    const product = (gate: number, v: Float64Array): Float64Array =>
      multiply(R!, (d * G + gate) * H, H, v);

    for (const b of range(B)) {
      const row = layout === 0 ? d * B + b : b * D + d;
      const initial = (from: Numbers, size: number): Float64Array =>
        from?.slice(row * size, (row + 1) * size) ?? new Float64Array(size);
      let [h, c] = [initial(initialH, O), initial(initialC, H)];
      let shown: Float64Array = new Float64Array(O); // what a masked step repeats: zeros before the first output
      for (const t of order) {
        if (lengths && t >= lengths[b]!) continue;
        const at = layout === 0 ? (t * D + d) * B + b : (b * T + t) * D + d;
        if (mask?.[place(t, b)] === 0) {
          if (attributes.maskedOutput === 'repeat') Y.set(shown, at * O);
          continue;
        }
        const v = X!.subarray(place(t, b) * I, (place(t, b) + 1) * I);
        const next = cell.step({
          x: range(G).map((g) =>
            multiply(W!, (d * G + g) * H, H, v).map((sum, j) => sum + wb[g]![j]!),
          ),
          product,
          rb,
          h,
          c,
          p,
          act: act.slice(d * cell.activations.length),
          clip,
          coupled: attributes.coupled,
          resetAfter: attributes.resetAfter,
        });
        h = projection ? multiply(projection, d * O, O, next.h) : next.h;
        c = next.c;
        shown = h;
        Y.set(h, at * O);
      }
      lastH.set(h, row * O);
      lastC.set(c, row * H);
    }
  }
  return [Y, lastH, lastC];
}
