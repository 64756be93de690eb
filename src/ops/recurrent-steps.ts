// The meaning of every recurrent layer, in float64: rows and directions one after the other, each
// step by the cell's own equations. The answer that kernels are compared with.
import {
  ACTIVATIONS,
  cellOf,
  type Activation,
  type CellVariant,
  type StepInput,
  type Vectors,
} from '../cells/index.ts';
import { initialStateSlot, RECURRENT_INPUTS, type RecurrentAttributes } from '../graph.ts';

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

/** Sees the steps of a layer as they are computed. */
export interface StepObserver {
  /** A step that counts, at time position `t` of the input, with W·x + b of each gate. */
  readonly begin: (
    place: StepPlace,
    x: Vectors,
  ) => {
    /** R·v of a gate. */
    readonly product: (gate: string, values: Float64Array) => void;
    readonly observe: NonNullable<StepInput['observe']>;
  };
  /** The states after each step; one that does not count leaves them as they were. */
  readonly end: (place: StepPlace, states: Vectors) => void;
}

/** Products that someone else makes, in place of those with the inputs X, W and R. */
export interface RecurrentProducts {
  /** W·x of a gate, [H], without biases; `row` counts the rows of X as they lie. */
  readonly input: (d: number, row: number, gate: number) => Float64Array;
  /** R·v of a gate, [H]. */
  readonly recurrent: (d: number, gate: number, v: Float64Array) => Float64Array;
}

/** Time position in the input, direction and batch row of a step. */
export interface StepPlace {
  readonly t: number;
  readonly d: number;
  readonly b: number;
}

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

/** The variant of the cell that a layer has. */
export const variantOf = (
  { coupled, resetAfter }: RecurrentAttributes,
  peepholes: boolean,
): CellVariant => ({ coupled, resetAfter, peepholes });

/**
 * Y and each state after the last step.
 *
 * @param inputs numbers by slot of `RECURRENT_INPUTS`
 * @param observer sees each step, where the layer is traced
 * @param products by default those of X, W and R
 */
export function runRecurrent(
  attributes: RecurrentAttributes,
  sizes: RecurrentSizes,
  inputs: readonly Numbers[],
  observer?: StepObserver,
  products: RecurrentProducts = productsOf(sizes, inputs),
): readonly Float64Array[] {
  const { T, B, H, D, O } = sizes;
  const { direction, layout } = attributes;
  const [, , , , lengths, , , , mask, projection] = inputs;
  const cell = cellOf(attributes.cell);
  const [output] = cell.states as readonly [string];
  const variant = variantOf(attributes, inputs[RECURRENT_INPUTS.indexOf('P')] !== undefined);
  const Y = new Float64Array(T * D * B * O);
  const widths = cell.states.map((_, k) => (k === 0 ? O : H));
  const last = widths.map((width) => new Float64Array(D * B * width));
  const act = activationsOf(attributes);
  const limit = attributes.clip;
  const clip = (x: number): number => (limit === 0 ? x : Math.min(Math.max(x, -limit), limit));
  const place = (t: number, b: number): number => (layout === 0 ? t * B + b : b * T + t);

  for (const d of range(D)) {
    const reversed = direction === 'reverse' || d === 1;
    const order = reversed ? range(T).toReversed() : range(T);
    const { biases, parameters } = vectorsOf(attributes, variant, sizes, inputs, d);
    const product = (gate: string, v: Float64Array): Float64Array =>
      products.recurrent(d, cell.gates.indexOf(gate), v);

    for (const b of range(B)) {
      const row = layout === 0 ? d * B + b : b * D + d;
      let state: Vectors = Object.fromEntries(
        cell.states.map((name, k) => {
          const [from, width] = [inputs[initialStateSlot(k)], widths[k]!];
          const given = from?.slice(row * width, (row + 1) * width);
          return [name, given ?? new Float64Array(width)];
        }),
      );
      let shown: Float64Array = new Float64Array(O); // what a masked step repeats: zeros before the first output
      const step = (t: number): void => {
        if (lengths && t >= lengths[b]!) return;
        const at = layout === 0 ? (t * D + d) * B + b : (b * T + t) * D + d;
        if (mask?.[place(t, b)] === 0) {
          if (attributes.maskedOutput === 'repeat') Y.set(shown, at * O);
          return;
        }
        const x = Object.fromEntries(
          cell.gates.map((gate, g) => {
            const sums = products.input(d, place(t, b), g);
            return [gate, sums.map((sum, j) => sum + biases[g]![j]!)];
          }),
        );
        const seen = observer?.begin({ t, d, b }, x);
        const next = cell.step({
          x,
          product: seen ? observed(product, seen.product) : product,
          state,
          parameters,
          act: act.slice(d * cell.activations.length),
          clip,
          variant,
          ...(seen && { observe: seen.observe }),
        });
        const made = next[output]!;
        shown = projection ? multiply(projection, d * O, O, made) : made;
        state = { ...next, [output]: shown };
        Y.set(shown, at * O);
      };
      for (const t of order) {
        step(t);
        observer?.end({ t, d, b }, state);
      }
      cell.states.forEach((name, k) => last[k]!.set(state[name]!, row * widths[k]!));
    }
  }
  return [Y, ...last];
}

/** Products with X, W and R. */
function productsOf({ I, H, G }: RecurrentSizes, [X, W, R]: readonly Numbers[]): RecurrentProducts {
  return {
    input: (d, row, gate) =>
      multiply(W!, (d * G + gate) * H, H, X!.subarray(row * I, (row + 1) * I)),
    recurrent: (d, gate, v) => multiply(R!, (d * G + gate) * H, H, v),
  };
}

/** A product whose results someone sees. */
const observed =
  (product: StepInput['product'], see: (gate: string, values: Float64Array) => void) =>
  (gate: string, v: Float64Array): Float64Array => {
    const values = product(gate, v);
    see(gate, values);
    return values;
  };

/** The activations of every direction, with their parameters. */
function activationsOf({
  activations,
  alphas,
  betas,
}: RecurrentAttributes): ((x: number) => number)[] {
  return activations.map((name, k) => {
    const { f, ...defaults }: Activation = ACTIVATIONS[name as keyof typeof ACTIVATIONS];
    const or = (value: number, fallback = 0): number => (Number.isNaN(value) ? fallback : value);
    const [alpha, beta] = [or(alphas[k]!, defaults.alpha), or(betas[k]!, defaults.beta)];
    return (x: number) => f(x, alpha, beta);
  });
}

/** The biases of W·x by gate and the parameters of the cell by name, of one direction. */
function vectorsOf(
  attributes: RecurrentAttributes,
  variant: CellVariant,
  { H, G }: RecurrentSizes,
  inputs: readonly Numbers[],
  d: number,
) {
  const cell = cellOf(attributes.cell);
  const declared = cell.parameters(variant);
  const own = declared.filter(({ recurrentBias }) => recurrentBias === undefined);
  const [bias, P] = [inputs[3], inputs[7]];
  const vector = (from: Numbers, k: number): Float64Array =>
    from?.slice(k * H, (k + 1) * H) ?? new Float64Array(H);
  const recurrent = (gate: string): Float64Array =>
    vector(bias, d * 2 * G + G + cell.gates.indexOf(gate));
  const taken = new Set(declared.map(({ recurrentBias }) => recurrentBias));
  const biases = cell.gates.map((gate, g) => {
    const input = vector(bias, d * 2 * G + g);
    return taken.has(gate) ? input : input.map((value, j) => value + recurrent(gate)[j]!);
  });
  const parameters = Object.fromEntries(
    declared.map((parameter): [string, Float64Array] => {
      const { name, recurrentBias } = parameter;
      if (recurrentBias !== undefined) return [name, recurrent(recurrentBias)];
      return [name, vector(P, d * own.length + own.indexOf(parameter))];
    }),
  );
  return { biases, parameters };
}
