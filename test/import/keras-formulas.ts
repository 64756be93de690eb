// Recurrent layers of Keras in float64, one row at a time, from the formulas in keras/src/layers/rnn
// and the loop in keras/src/backend/tensorflow/rnn.py. Shares nothing with the package.

/** What acts on one number. Keras 2 and 3 differ in the slope of hard_sigmoid. */
export const FUNCTIONS: Readonly<Record<string, (x: number) => number>> = {
  linear: (x) => x,
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  relu: (x) => Math.max(x, 0),
  softsign: (x) => x / (1 + Math.abs(x)),
  hard_sigmoid_2: (x) => Math.min(1, Math.max(0, 0.2 * x + 0.5)),
  hard_sigmoid_3: (x) => Math.min(1, Math.max(0, x / 6 + 0.5)),
};

/** The kinds of cells. */
export type Kind = 'SimpleRNN' | 'GRU' | 'LSTM';

/** Blocks of columns in the kernels. */
export const GATES: Readonly<Record<Kind, number>> = { SimpleRNN: 1, GRU: 3, LSTM: 4 };

/** A cell with its weights as Keras holds them, row-major. */
export interface Cell {
  readonly kind: Kind;
  readonly inputs: number;
  readonly units: number;
  readonly activation: (x: number) => number;
  readonly gate: (x: number) => number;
  readonly resetAfter: boolean;
  /** [I, G·H], [H, G·H], and [G·H] or [2, G·H] when the reset gate comes after. */
  readonly kernel: ArrayLike<number>;
  readonly recurrent: ArrayLike<number>;
  readonly bias: ArrayLike<number> | undefined;
}

type Vector = readonly number[];

const zip = (a: Vector, b: Vector, f: (x: number, y: number) => number): number[] =>
  a.map((x, i) => f(x, b[i]!));

/** x · M, of M [x.length, columns]. */
function product(x: Vector, M: ArrayLike<number>, columns: number): number[] {
  return Array.from({ length: columns }, (_, j) =>
    x.reduce((sum, value, i) => sum + value * M[i * columns + j]!, 0),
  );
}

const add = (a: Vector, b: Vector): number[] => zip(a, b, (x, y) => x + y);
const times = (a: Vector, b: Vector): number[] => zip(a, b, (x, y) => x * y);

/** One step: the states after it, the output first. */
function step(cell: Cell, x: Vector, states: readonly Vector[]): number[][] {
  const { kind, units: H, activation, gate, resetAfter } = cell;
  const width = GATES[kind] * H;
  const bias = (row: number): number[] =>
    Array.from({ length: width }, (_, j) => cell.bias?.[row * width + j] ?? 0);
  const block = (values: Vector, k: number): number[] => values.slice(k * H, (k + 1) * H);
  const [h, c] = states as [Vector, Vector];
  const input = add(product(x, cell.kernel, width), bias(0));
  if (kind === 'SimpleRNN') {
    return [add(input, product(h, cell.recurrent, width)).map(activation)];
  }
  const fromState = product(h, cell.recurrent, width);
  if (kind === 'LSTM') {
    const gates = add(input, fromState);
    const gated = (k: number): number[] => block(gates, k).map(gate);
    const next = add(times(gated(1), c), times(gated(0), block(gates, 2).map(activation)));
    return [times(gated(3), next.map(activation)), next];
  }
  const state = resetAfter ? add(fromState, bias(1)) : fromState;
  const gated = (k: number): number[] => add(block(input, k), block(state, k)).map(gate);
  const [z, r] = [gated(0), gated(1)];
  const inner = resetAfter
    ? times(r, block(state, 2))
    : block(product(times(r, h), cell.recurrent, width), 2);
  const candidate = add(block(input, 2), inner).map(activation);
  return [z.map((keep, k) => keep * h[k]! + (1 - keep) * candidate[k]!)];
}

/** How a layer goes through a sequence. */
export interface Options {
  readonly goBackwards?: boolean;
  readonly zeroMasked?: boolean;
  /** For each step, whether it counts. */
  readonly mask?: readonly boolean[] | undefined;
  /** States before the first step, for each cell; zeros when left out. */
  readonly initial?: readonly (readonly Vector[])[];
}

/** What a layer makes of one row. */
export interface Result {
  /** In the order of processing, as Keras gives it. */
  readonly sequence: number[][];
  readonly last: number[];
  readonly states: number[][];
}

/** A layer over one row [T, I]; several cells are a stack. */
export function layer(cells: readonly Cell[], x: readonly Vector[], options: Options = {}): Result {
  const { goBackwards = false, zeroMasked = false, mask, initial } = options;
  const order = [...x.keys()];
  if (goBackwards) order.reverse();
  let states = cells.map(
    ({ kind, units }, k) =>
      initial?.[k] ??
      Array.from({ length: kind === 'LSTM' ? 2 : 1 }, () => Array<number>(units).fill(0)),
  );
  const zeros = Array<number>(cells.at(-1)!.units).fill(0);
  const sequence: number[][] = [];
  for (const t of order) {
    if (mask && !mask[t]) {
      sequence.push(zeroMasked ? zeros : (sequence.at(-1) ?? zeros));
      continue;
    }
    let value: Vector = x[t]!;
    states = cells.map((cell, k) => {
      const next = step(cell, value, states[k]!);
      value = next[0]!;
      return next;
    });
    sequence.push([...value]);
  }
  return { sequence, last: sequence.at(-1)!, states: states.flat().map((state) => [...state]) };
}

/** How Bidirectional joins two values. */
export const MERGES: Readonly<Record<string, (f: Vector, b: Vector) => number[]>> = {
  concat: (f, b) => [...f, ...b],
  sum: add,
  mul: times,
  ave: (f, b) => zip(f, b, (x, y) => (x + y) / 2),
};

/** A matrix by its rows. */
export type Rows = number[][];

/** The product of two matrices. */
export function multiply(a: Rows, b: Rows): Rows {
  return a.map((row) => b[0]!.map((_, j) => row.reduce((sum, x, k) => sum + x * b[k]![j]!, 0)));
}
