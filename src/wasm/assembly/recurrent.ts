// One direction of a recurrent layer: the projection of a chunk of time steps as one product, then the
// steps. Columns of the packed weights are in the order of the cell: [block of 4 units][gate][4].
import { gemm } from './gemm';
import * as id from './ids';
import { gemmInt8 } from './int8';
import { int, mad, num, ptr, sigmoid4, tanh4, unary4 } from './math';
import {
  ACT, B, BIAS, CHUNK, CLIP, COLUMNS, COUPLED, C_ROW, GATES, GATE_COLUMNS, H, H_ROW, I, INITIAL_C, INITIAL_C_ROW,
  INITIAL_H, INITIAL_H_ROW, KIND, LAST_C, LAST_C_ROW, LAST_H, LAST_H_ROW, LENGTHS, MADE, MASK, MASK_ROW, MASK_TIME, O,
  PEEPHOLES, PROJECTION, R, REPEATED, REVERSE, ROOM, R_BIAS, R_CANDIDATE, STATE_C, STATE_H, STORAGE, T, W, X, XW, X_ROW, X_TIME, Y,
  Y_ROW, Y_TIME,
} from './words';

/** An activation of the layer after clipping its argument. */
@inline function act(p: usize, k: i32, x: v128): v128 {
  return unary4(int(p, ACT + 3 * k), x, num(p, ACT + 3 * k + 1), num(p, ACT + 3 * k + 2));
}
function clipped(p: usize, k: i32, x: v128): v128 {
  const limit = num(p, CLIP);
  if (limit > 0) x = f32x4.pmax(f32x4.pmin(x, f32x4.splat(limit)), f32x4.splat(-limit));
  return act(p, k, x);
}
function plain(p: usize, k: i32, x: v128): v128 { return act(p, k, x); }

/** Whether the activations are sigmoid and tanh without a limit, which have loops of their own. */
function isUsual(p: usize, acts: i32): bool {
  return num(p, CLIP) == 0 && int(p, ACT) == (acts == 1 ? id.TANH : id.SIGMOID)
    && (acts < 2 || int(p, ACT + 3) == id.TANH) && (acts < 3 || int(p, ACT + 6) == id.TANH);
}

/** Copies `n` numbers; the room after them is left alone. */
function copyRow(to: usize, from: usize, n: i32): void {
  let k = 0;
  for (; k + 4 <= n; k += 4, to += 16, from += 16) v128.store(to, v128.load(from));
  for (; k < n; k++, to += 4, from += 4) store<f32>(to, load<f32>(from));
}

@inline function splat1(): v128 { return f32x4.splat(1); }

// The cells: one row, all units. g: sums by block and gate; h, c: states; made: the output.

function rnnRow(p: usize, usual: bool, units: i32, g: usize, made: usize): void {
  for (let u = 0; u < units; u += 4, g += 16, made += 16) {
    const x = v128.load(g);
    v128.store(made, usual ? tanh4(x) : clipped(p, 0, x));
  }
}

function lstmUsual(units: i32, g: usize, c: usize, made: usize): void {
  for (let u = 0; u < units; u += 4, g += 64, c += 16, made += 16) {
    const i = sigmoid4(v128.load(g)), o = sigmoid4(v128.load(g, 16)), f = sigmoid4(v128.load(g, 32));
    const next = mad(f, v128.load(c), f32x4.mul(i, tanh4(v128.load(g, 48))));
    v128.store(c, next);
    v128.store(made, f32x4.mul(o, tanh4(next)));
  }
}

function lstmAny(p: usize, units: i32, g: usize, c: usize, made: usize): void {
  let peephole = ptr(p, PEEPHOLES); // [block][i, o, f][4]
  const hasPeepholes = peephole != 0, coupled = int(p, COUPLED) != 0;
  for (let u = 0; u < units; u += 4, g += 64, c += 16, made += 16) {
    const before = v128.load(c);
    let i = v128.load(g), o = v128.load(g, 16), f = v128.load(g, 32);
    if (hasPeepholes) {
      i = mad(v128.load(peephole), before, i);
      f = mad(v128.load(peephole, 32), before, f);
    }
    i = clipped(p, 0, i);
    f = coupled ? f32x4.sub(splat1(), i) : clipped(p, 0, f);
    const next = mad(f, before, f32x4.mul(i, clipped(p, 1, v128.load(g, 48))));
    if (hasPeepholes) {
      o = mad(v128.load(peephole, 16), next, o);
      peephole += 48;
    }
    v128.store(c, next);
    v128.store(made, f32x4.mul(clipped(p, 0, o), plain(p, 2, next)));
  }
}

// h after the step: (1 - z) n + z h.
@inline function mix(z: v128, n: v128, h: v128): v128 {
  return f32x4.add(f32x4.mul(f32x4.sub(splat1(), z), n), f32x4.mul(z, h));
}

// Reset after the product: x holds W·x + b, g holds R·h with the recurrent bias of the candidate.
function gruAfterRow(p: usize, usual: bool, units: i32, x: usize, g: usize, h: usize): void {
  for (let u = 0; u < units; u += 4, x += 48, g += 48, h += 16) {
    const a = f32x4.add(v128.load(x), v128.load(g)), b = f32x4.add(v128.load(x, 16), v128.load(g, 16));
    const z = usual ? sigmoid4(a) : clipped(p, 0, a);
    const r = usual ? sigmoid4(b) : clipped(p, 0, b);
    const s = mad(r, v128.load(g, 32), v128.load(x, 32));
    const n = usual ? tanh4(s) : clipped(p, 1, s);
    v128.store(h, mix(z, n, v128.load(h)));
  }
}

// Reset before the product, in two parts: z and r ∘ h first; r ∘ h takes the place of r.
function gruGates(p: usize, usual: bool, units: i32, g: usize, h: usize, reset: usize): void {
  for (let u = 0; u < units; u += 4, g += 32, h += 16, reset += 16) {
    const a = v128.load(g), b = v128.load(g, 16);
    v128.store(g, usual ? sigmoid4(a) : clipped(p, 0, a));
    v128.store(reset, f32x4.mul(usual ? sigmoid4(b) : clipped(p, 0, b), v128.load(h)));
  }
}
function gruCandidate(p: usize, usual: bool, units: i32, g: usize, s: usize, h: usize): void {
  for (let u = 0; u < units; u += 4, g += 32, s += 16, h += 16) {
    const x = v128.load(s);
    const n = usual ? tanh4(x) : clipped(p, 1, x);
    v128.store(h, mix(v128.load(g), n, v128.load(h)));
  }
}

/** Whether a row computes at a step: 0 past its length, -1 where the mask skips it. */
function status(p: usize, t: i32, b: i32): i32 {
  const lengths = ptr(p, LENGTHS);
  if (lengths && t >= load<i32>(lengths + (<usize>b << 2))) return 0;
  const mask = ptr(p, MASK);
  if (mask && load<i32>(mask + <usize>t * ptr(p, MASK_TIME) + <usize>b * ptr(p, MASK_ROW)) << 1 == 0) return -1;
  return 1;
}

/** States before the first step: those of the call, else zeros. */
function loadStates(p: usize): void {
  const rows = int(p, B), units = int(p, H), outputs = int(p, O);
  const stateH = ptr(p, STATE_H), hRow = ptr(p, H_ROW), stateC = ptr(p, STATE_C), cRow = ptr(p, C_ROW);
  const repeated = ptr(p, REPEATED), h0 = ptr(p, INITIAL_H), c0 = ptr(p, INITIAL_C);
  memory.fill(stateH, 0, <usize>rows * hRow);
  if (stateC) memory.fill(stateC, 0, <usize>rows * cRow);
  if (repeated) memory.fill(repeated, 0, <usize>rows * hRow);
  for (let b = 0; b < rows; b++) {
    if (h0) copyRow(stateH + <usize>b * hRow, h0 + <usize>b * ptr(p, INITIAL_H_ROW), outputs);
    if (c0) copyRow(stateC + <usize>b * cRow, c0 + <usize>b * ptr(p, INITIAL_C_ROW), units);
  }
}

/** States after the last step, where the call wants them. */
function storeStates(p: usize): void {
  const rows = int(p, B), units = int(p, H), outputs = int(p, O);
  const lastH = ptr(p, LAST_H), lastC = ptr(p, LAST_C);
  for (let b = 0; b < rows; b++) {
    const h = ptr(p, STATE_H) + <usize>b * ptr(p, H_ROW), c = ptr(p, STATE_C) + <usize>b * ptr(p, C_ROW);
    if (lastH) copyRow(lastH + <usize>b * ptr(p, LAST_H_ROW), h, outputs);
    if (lastC) copyRow(lastC + <usize>b * ptr(p, LAST_C_ROW), c, units);
  }
}

/** A product with weights as the layer has them. */
function product(p: usize, rows: i32, K: i32, N: i32, a: usize, aStep: usize, w: usize, init: usize, initStep: usize, out: usize, outStep: usize): void {
  // N is a multiple of 8, so that there is no edge.
  const room = ptr(p, ROOM);
  if (int(p, STORAGE) == id.STORED_INT8) gemmInt8(rows, K, N, a, aStep, w, init, initStep, out, outStep, room);
  else gemm(rows, K, N, a, aStep, w, init, initStep, out, outStep, 0, room);
}

/** Runs one direction. */
export function recurrent(p: usize): void {
  const kind = int(p, KIND), steps = int(p, T), rows = int(p, B), inputs = int(p, I), units = int(p, H), outputs = int(p, O);
  const reverse = int(p, REVERSE) != 0;
  const columns = int(p, COLUMNS), step = <usize>columns << 2;
  const gateColumns = int(p, GATE_COLUMNS);
  const xw = ptr(p, XW), gates = ptr(p, GATES);
  const stateH = ptr(p, STATE_H), hRow = ptr(p, H_ROW), stateC = ptr(p, STATE_C), cRow = ptr(p, C_ROW);
  const lengths = ptr(p, LENGTHS), mask = ptr(p, MASK), repeated = ptr(p, REPEATED);
  const projection = ptr(p, PROJECTION), made = ptr(p, MADE);
  const y = ptr(p, Y), yTime = ptr(p, Y_TIME), yRow = ptr(p, Y_ROW);
  const x = ptr(p, X), xTime = ptr(p, X_TIME), xRow = ptr(p, X_ROW);
  const usual = isUsual(p, kind == id.CELL_LSTM ? 3 : kind == id.CELL_RNN ? 1 : 2) && ptr(p, PEEPHOLES) == 0 && int(p, COUPLED) == 0;
  const blocks = (units + 3) & ~3; // units with the padding of the last block

  loadStates(p);
  const chunk = int(p, CHUNK);
  for (let done = 0; done < steps; done += chunk) {
    const count = min(chunk, steps - done);
    const first = reverse ? steps - done - count : done;
    // xw is [time of the chunk][row][columns] where rows are neighbours in X, else [row][time][columns].
    const timeFirst = xTime != <usize>inputs << 2 || rows == 1;
    const xwTime = timeFirst ? <usize>rows * step : step, xwRow = timeFirst ? step : <usize>chunk * step;
    if (timeFirst) {
      product(p, count * rows, inputs, columns, x + <usize>first * xTime, <usize>inputs << 2, ptr(p, W), ptr(p, BIAS), 0, xw, step);
    } else {
      for (let b = 0; b < rows; b++)
        product(p, count, inputs, columns, x + <usize>first * xTime + <usize>b * xRow, xTime, ptr(p, W), ptr(p, BIAS), 0, xw + <usize>b * xwRow, step);
    }
    for (let q = 0; q < count; q++) {
      const t = reverse ? first + count - 1 - q : first + q;
      const xt = xw + <usize>(t - first) * xwTime;
      if (kind == id.CELL_GRU_BEFORE) product(p, rows, outputs, gateColumns, stateH, hRow, ptr(p, R), xt, xwRow, gates, step);
      else if (kind == id.CELL_GRU_AFTER) product(p, rows, outputs, columns, stateH, hRow, ptr(p, R), ptr(p, R_BIAS), 0, gates, step);
      else product(p, rows, outputs, columns, stateH, hRow, ptr(p, R), xt, xwRow, gates, step);

      if (kind == id.CELL_GRU_BEFORE) {
        const half = <usize>gateColumns << 2;
        for (let b = 0; b < rows; b++)
          gruGates(p, usual, blocks, gates + <usize>b * step, stateH + <usize>b * hRow, made + <usize>b * hRow);
        product(p, rows, outputs, columns - gateColumns, made, hRow, ptr(p, R_CANDIDATE), xt + half, xwRow, gates + half, step);
      }
      for (let b = 0; b < rows; b++) {
        const to = y + <usize>t * yTime + <usize>b * yRow;
        const h = stateH + <usize>b * hRow;
        if (lengths | mask) {
          const state = status(p, t, b);
          if (state <= 0) {
            if (y) {
              if (state < 0 && repeated) copyRow(to, repeated + <usize>b * hRow, outputs);
              else memory.fill(to, 0, <usize>outputs << 2);
            }
            continue;
          }
        }
        const g = gates + <usize>b * step, c = stateC + <usize>b * cRow;
        const into = projection ? made + <usize>b * cRow : h;
        if (kind == id.CELL_LSTM) {
          if (usual) lstmUsual(blocks, g, c, into);
          else lstmAny(p, blocks, g, c, into);
        } else if (kind == id.CELL_RNN) rnnRow(p, usual, blocks, g, into);
        else if (kind == id.CELL_GRU_AFTER) gruAfterRow(p, usual, blocks, xt + <usize>b * xwRow, g, h);
        else gruCandidate(p, usual, blocks, g, g + (<usize>gateColumns << 2), h);
        if (projection) product(p, 1, units, (outputs + 7) & ~7, into, 0, projection, 0, 0, h, 0);
        if (y) copyRow(to, h, outputs);
        if (repeated) copyRow(repeated + <usize>b * hRow, h, outputs);
      }
    }
  }
  storeStates(p);
}
