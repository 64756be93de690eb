// One direction of a recurrent layer, as in assembly/recurrent.ts: the projection of a chunk of time steps as one
// product, then the steps.
import * as id from '../assembly/ids.ts';
import * as word from '../assembly/words.ts';
import { gruAfterRow, gruCandidate, gruGates, lstmRow, rnnRow, type CellOptions } from './cells.ts';
import { gemm } from './gemm.ts';
import { gemmInt8 } from './int8.ts';
import { SCALARS } from './math.ts';
import { wordAt, type PlainKernel, type PlainMemory } from './memory.ts';

/** Activations that a cell uses. */
const ACTIVATIONS: Readonly<Record<number, number>> = {
  [id.CELL_RNN]: 1,
  [id.CELL_LSTM]: 3,
  [id.CELL_GRU_AFTER]: 2,
  [id.CELL_GRU_BEFORE]: 2,
};

/** The words of an entry, pointers and strides in words of 4 bytes. */
function readDirection({ i32 }: PlainMemory, p: number) {
  const int = (k: number): number => i32[p + k]!;
  const at = (k: number): number => wordAt(int(k));
  const [steps, rows, inputs, units, outputs] = [word.T, word.B, word.I, word.H, word.O].map(
    int,
  ) as [number, number, number, number, number];
  const [columns, chunk, xTime] = [int(word.COLUMNS), int(word.CHUNK), at(word.X_TIME)];
  // W·x is [time of the chunk][row][columns] where rows are neighbours in X, else [row][time][columns].
  const timeFirst = xTime !== inputs || rows === 1;
  return {
    kind: int(word.KIND),
    reverse: int(word.REVERSE) !== 0,
    steps,
    rows,
    inputs,
    units,
    outputs,
    columns,
    chunk,
    xTime,
    timeFirst,
    gateColumns: int(word.GATE_COLUMNS),
    x: at(word.X),
    xRow: at(word.X_ROW),
    w: at(word.W),
    bias: at(word.BIAS),
    r: at(word.R),
    rCandidate: at(word.R_CANDIDATE),
    rBias: at(word.R_BIAS),
    xw: at(word.XW),
    xwTime: timeFirst ? rows * columns : columns,
    xwRow: timeFirst ? columns : chunk * columns,
    gates: at(word.GATES),
    stateH: at(word.STATE_H),
    hRow: at(word.H_ROW),
    stateC: at(word.STATE_C),
    cRow: at(word.C_ROW),
    y: at(word.Y),
    yTime: at(word.Y_TIME),
    yRow: at(word.Y_ROW),
    lengths: at(word.LENGTHS),
    mask: at(word.MASK),
    maskTime: at(word.MASK_TIME),
    maskRow: at(word.MASK_ROW),
    repeated: at(word.REPEATED),
    projection: at(word.PROJECTION),
    made: at(word.MADE),
    storage: int(word.STORAGE),
    room: at(word.ROOM),
  };
}
type Direction = ReturnType<typeof readDirection>;

function readOptions({ f32, i32 }: PlainMemory, p: number): CellOptions {
  const [limit, kind] = [f32[p + word.CLIP]!, i32[p + word.KIND]!];
  const each = ACTIVATIONS[kind]!;
  const kinds = [0, 1, 2].map((k) => i32[p + word.ACT + 3 * k]!);
  const usual = kind === id.CELL_RNN ? [id.TANH] : [id.SIGMOID, id.TANH, id.TANH].slice(0, each);
  const [peepholes, coupled] = [wordAt(i32[p + word.PEEPHOLES]!), i32[p + word.COUPLED] !== 0];
  return {
    usual: limit === 0 && peepholes === 0 && !coupled && usual.every((f, k) => f === kinds[k]),
    clip: limit > 0 ? limit : Infinity,
    activations: kinds.map((f, k) => ({
      f: SCALARS[f]!,
      alpha: f32[p + word.ACT + 3 * k + 1]!,
      beta: f32[p + word.ACT + 3 * k + 2]!,
    })),
    peepholes,
    coupled,
  };
}

/** States before the first step: those of the call, else zeros. */
function loadStates({ f32, i32 }: PlainMemory, p: number, d: Direction): void {
  const { rows, units, outputs, stateH, hRow, stateC, cRow, repeated } = d;
  f32.fill(0, stateH, stateH + rows * hRow);
  if (stateC !== 0) f32.fill(0, stateC, stateC + rows * cRow);
  if (repeated !== 0) f32.fill(0, repeated, repeated + rows * hRow);
  const [h0, c0] = [wordAt(i32[p + word.INITIAL_H]!), wordAt(i32[p + word.INITIAL_C]!)];
  const [hStep, cStep] = [i32[p + word.INITIAL_H_ROW]! >> 2, i32[p + word.INITIAL_C_ROW]! >> 2];
  for (let b = 0; b < rows; b++) {
    if (h0 !== 0) f32.copyWithin(stateH + b * hRow, h0 + b * hStep, h0 + b * hStep + outputs);
    if (c0 !== 0) f32.copyWithin(stateC + b * cRow, c0 + b * cStep, c0 + b * cStep + units);
  }
}

/** States after the last step, where the call wants them. */
function storeStates({ f32, i32 }: PlainMemory, p: number, d: Direction): void {
  const [lastH, lastC] = [wordAt(i32[p + word.LAST_H]!), wordAt(i32[p + word.LAST_C]!)];
  const [hStep, cStep] = [i32[p + word.LAST_H_ROW]! >> 2, i32[p + word.LAST_C_ROW]! >> 2];
  for (let b = 0; b < d.rows; b++) {
    const [h, c] = [d.stateH + b * d.hRow, d.stateC + b * d.cRow];
    if (lastH !== 0) f32.copyWithin(lastH + b * hStep, h, h + d.outputs);
    if (lastC !== 0) f32.copyWithin(lastC + b * cStep, c, c + d.units);
  }
}

/** A product with weights as the layer has them. */
function product(
  m: PlainMemory,
  { storage, room }: Direction,
  rows: number,
  K: number,
  N: number,
  a: number,
  aStep: number,
  w: number,
  init: number,
  initStep: number,
  out: number,
  outStep: number,
): void {
  const multiplied = storage === id.STORED_INT8 ? gemmInt8 : gemm;
  multiplied(m, rows, K, N, a, aStep, w, init, initStep, out, outStep, room);
}

/** W·x + b of `count` steps from `first` on. */
function project(m: PlainMemory, d: Direction, first: number, count: number): void {
  const { rows, inputs, columns, x, xTime, xRow, w, bias, xw, xwRow, timeFirst } = d;
  const from = x + first * xTime;
  if (timeFirst)
    product(m, d, count * rows, inputs, columns, from, inputs, w, bias, 0, xw, columns);
  else
    for (let b = 0; b < rows; b++) {
      const [at, to] = [from + b * xRow, xw + b * xwRow];
      product(m, d, count, inputs, columns, at, xTime, w, bias, 0, to, columns);
    }
}

/** The products of a step, for all rows. `xt` is where W·x + b of the step begins. */
function multiply(m: PlainMemory, d: Direction, options: CellOptions, xt: number): void {
  const { kind, rows, units, outputs, columns, gateColumns, stateH, hRow, r, xwRow, gates } = d;
  if (kind === id.CELL_GRU_AFTER) {
    product(m, d, rows, outputs, columns, stateH, hRow, r, d.rBias, 0, gates, columns);
    return;
  }
  product(m, d, rows, outputs, gateColumns, stateH, hRow, r, xt, xwRow, gates, columns);
  if (kind !== id.CELL_GRU_BEFORE) return;
  for (let b = 0; b < rows; b++) {
    const [h, reset] = [stateH + b * hRow, d.made + b * hRow];
    gruGates(m.f32, options, (units + 3) & ~3, gates + b * columns, h, reset);
  }
  const [n, to] = [columns - gateColumns, gates + gateColumns];
  product(m, d, rows, outputs, n, d.made, hRow, d.rCandidate, xt + gateColumns, xwRow, to, columns);
}

/** The cell of one row, from its sums to its state. */
function cell(m: PlainMemory, d: Direction, options: CellOptions, xt: number, b: number): void {
  const { kind, units, outputs, projection, columns } = d;
  const blocks = (units + 3) & ~3; // units with the padding of the last block
  const g = d.gates + b * columns;
  const h = d.stateH + b * d.hRow;
  const into = projection === 0 ? h : d.made + b * d.cRow;
  if (kind === id.CELL_LSTM) lstmRow(m.f32, options, blocks, g, d.stateC + b * d.cRow, into);
  else if (kind === id.CELL_RNN) rnnRow(m.f32, options, blocks, g, into);
  else if (kind === id.CELL_GRU_AFTER) gruAfterRow(m.f32, options, blocks, xt + b * d.xwRow, g, h);
  else gruCandidate(m.f32, options, blocks, g, g + d.gateColumns, h);
  if (projection !== 0)
    product(m, d, 1, units, (outputs + 7) & ~7, into, 0, projection, 0, 0, h, 0);
}

/** Whether a row computes at a step: 0 past its length, -1 where the mask skips it. */
function status({ i32 }: PlainMemory, d: Direction, t: number, b: number): number {
  if (d.lengths !== 0 && t >= i32[d.lengths + b]!) return 0;
  // Shifted, so that the sign of a zero does not count.
  if (d.mask !== 0 && i32[d.mask + t * d.maskTime + b * d.maskRow]! << 1 === 0) return -1;
  return 1;
}

/** Writes the output of a row at a step. */
function output(m: PlainMemory, d: Direction, t: number, b: number, state: number): void {
  const { f32 } = m;
  const { y, outputs, repeated } = d;
  const [h, kept] = [d.stateH + b * d.hRow, repeated + b * d.hRow];
  const to = y + t * d.yTime + b * d.yRow;
  if (state > 0) {
    if (y !== 0) for (let k = 0; k < outputs; k++) f32[to + k] = f32[h + k]!;
    if (repeated !== 0) f32.copyWithin(kept, h, h + outputs);
  } else if (y !== 0) {
    if (state < 0 && repeated !== 0) f32.copyWithin(to, kept, kept + outputs);
    else f32.fill(0, to, to + outputs);
  }
}

/** Runs one direction. See the words in assembly/words.ts. */
export const recurrent: PlainKernel = (m, p) => {
  const d = readDirection(m, p);
  const options = readOptions(m, p);
  loadStates(m, p, d);
  for (let done = 0; done < d.steps; done += d.chunk) {
    const count = Math.min(d.chunk, d.steps - done);
    const first = d.reverse ? d.steps - done - count : done;
    project(m, d, first, count);
    for (let q = 0; q < count; q++) {
      const t = d.reverse ? first + count - 1 - q : first + q;
      const xt = d.xw + (t - first) * d.xwTime;
      multiply(m, d, options, xt);
      for (let b = 0; b < d.rows; b++) {
        const state = status(m, d, t, b);
        if (state > 0) cell(m, d, options, xt, b);
        output(m, d, t, b, state);
      }
    }
  }
  storeStates(m, p, d);
};
