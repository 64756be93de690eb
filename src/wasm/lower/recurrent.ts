// Recurrent layers: the columns of their weights in the order in which a cell reads them, and one entry for
// each direction.
import { ACTIVATIONS, CELLS, cellOf, type Activation } from '../../cells/index.ts';
import {
  directionsOf,
  initialStateSlot,
  RECURRENT_INPUTS,
  recurrentAttributes,
  type RecurrentAttributes,
} from '../../graph.ts';
import type { RecurrentSizes } from '../../ops/recurrent-steps.ts';
import * as id from '../assembly/ids.ts';
import { after, ceil8, float, isFloat, isWide, sizeOf } from '../lowering.ts';
import type { CpuStorage, Lower, Lowering } from '../lowering.ts';
import type { Place, Word } from '../program.ts';
import { isKnown } from '../builder.ts';
import { ACTIVATION_IDS } from './elementwise.ts';
import { lowerOwnCell } from './own-cell.ts';
import { halfWords, int8Words, packHalf, packInt8 } from './stored.ts';

type Slot = (typeof RECURRENT_INPUTS)[number];
const SLOT = Object.fromEntries(RECURRENT_INPUTS.map((name, slot) => [name, slot])) as Readonly<
  Record<Slot, number>
>;

/** What the option `weights` is about. */
const WEIGHTS = [SLOT.W, SLOT.R, SLOT.projection];

/** What the kernels call a storage. */
const STORED = { f32: id.STORED_F32, f16: id.STORED_F16, int8: id.STORED_INT8 } as const;

/** Elements of W · x of a chunk of time steps: 256 KiB, so that they stay in the cache of a core. */
const CHUNK = 65536;

/** Which of the cells with a kernel a layer has. */
function kindOf(attributes: RecurrentAttributes): number | undefined {
  const cell = cellOf(attributes.cell);
  if (cell === CELLS.lstm) return id.CELL_LSTM;
  if (cell === CELLS.rnn) return id.CELL_RNN;
  if (cell !== CELLS.gru) return undefined;
  return attributes.resetAfter ? id.CELL_GRU_AFTER : id.CELL_GRU_BEFORE;
}

/** Rows of W and R for each column of some gates, [block of 4 units][gate][4] up to a multiple of 8; -1 for padding. */
function columnsOf(gates: readonly number[], H: number): number[] {
  const columns: number[] = [];
  for (let unit = 0; unit < H; unit += 4) {
    for (const gate of gates) {
      for (let lane = unit; lane < unit + 4; lane++) columns.push(lane < H ? gate * H + lane : -1);
    }
  }
  while (columns.length % 8 !== 0) columns.push(-1);
  return columns;
}

interface Layer {
  readonly ctx: Lowering;
  readonly attributes: RecurrentAttributes;
  readonly kind: number;
  readonly sizes: RecurrentSizes;
  /** How W, R and the projection are stored. */
  readonly storage: CpuStorage;
  /** Columns of the gates that the first product of a step makes, and of a candidate with one of its own. */
  readonly gates: readonly number[];
  readonly candidate: readonly number[];
}

const table = (columns: readonly number[]) => (): Int32Array => Int32Array.from(columns);

/** Panels of some columns of a matrix [D, rows, K]. */
function panels(
  { ctx, kind, storage, sizes: { D } }: Layer,
  slot: number,
  name: string,
  columns: readonly number[],
  d: number,
  K: number,
): Place {
  const value = ctx.input(slot);
  const size = sizeOf(value.dims) / D;
  if (storage !== 'f32') {
    const isHalf = storage === 'f16';
    const count = (isHalf ? halfWords : int8Words)(columns.length, K);
    return ctx.made(`${name}${kind}.${d}${storage}`, count, value, (weights) => {
      const matrix = { weights, start: d * size, K, columns, path: ctx.path };
      return isHalf ? packHalf(matrix) : packInt8(matrix);
    });
  }
  const count = columns.length * K;
  return ctx.derived(
    `${name}${kind}.${d}`,
    count,
    [value, table(columns)],
    (emit, [from, at], out) => {
      emit(id.PACK, after(from!, d * size), at!, K * 4, 4, K, columns.length, out);
    },
  );
}

/** Numbers of a vector, or sums of two of each. */
function picked(
  { ctx, kind }: Layer,
  slot: number,
  name: string,
  columns: readonly number[],
  second?: readonly number[],
): Place {
  const n = columns.length;
  const sources = [ctx.input(slot), table(columns), ...(second ? [table(second)] : [])];
  return ctx.derived(`${name}${kind}`, n, sources, (emit, [from, at, also], out) => {
    emit(id.PICK, from!, at!, n, out, 0);
    if (also) emit(id.PICK, from!, also, n, out, 1);
  });
}

/** Where the rows of a state [D, B, size] or [B, D, size] are, and the bytes between them. */
const stateWords = (layer: Layer, place: Place | 0, d: number, size: number): Word[] => {
  const { D, B } = layer.sizes;
  if (place === 0) return [0, 0];
  return layer.attributes.layout === 0
    ? [after(place, d * B * size), size * 4]
    : [after(place, d * size), D * size * 4];
};

/** Kind, alpha and beta of each activation of a direction, three of them. */
function activationWords(
  { activations, alphas, betas }: RecurrentAttributes,
  D: number,
  d: number,
) {
  const each = activations.length / D;
  return Array.from({ length: 3 }, (_, k): Word[] => {
    if (k >= each) return [id.TANH, float(0), float(0)];
    const at = d * each + k;
    const name = activations[at] as keyof typeof ACTIVATIONS;
    const { alpha = 0, beta = 0 }: Activation = ACTIVATIONS[name];
    const or = (value: number, fallback: number): number =>
      Number.isNaN(value) ? fallback : value;
    return [ACTIVATION_IDS[name], float(or(alphas[at]!, alpha)), float(or(betas[at]!, beta))];
  }).flat();
}

/** What all directions of a layer use one after the other. */
function rooms({ ctx, kind, storage, sizes, gates, candidate }: Layer) {
  const { T, B, I, H, O } = sizes;
  const columns = gates.length + candidate.length;
  const fitting = Math.max(1, Math.floor(CHUNK / (columns * B)));
  const chunk = Math.max(1, Math.min(T, fitting > 6 ? fitting - (fitting % 6) : fitting));
  const hRow = ceil8(Math.max(H, O));
  // Rows of a product as 16 bits, and their scales.
  const rounded = (rows: number, K: number): number => rows * (ceil8(K) / 2 + 1);
  const room = {
    f32: 0,
    f16: 8 * Math.max(I, O, H),
    int8: Math.max(rounded(chunk * B, I), rounded(B, O), rounded(1, H)),
  }[storage];
  const repeats = ctx.inputs[SLOT.mask] && recurrentAttributes(ctx.node).maskedOutput === 'repeat';
  return {
    columns,
    chunk,
    hRow,
    xw: ctx.scratch(chunk * B * columns, 'W·x'),
    gates: ctx.scratch(B * columns, 'gates'),
    stateH: ctx.scratch(B * hRow, 'h'),
    stateC: kind === id.CELL_LSTM ? ctx.scratch(B * ceil8(H), 'c') : 0,
    made: ctx.scratch(B * hRow, 'output of the cell'),
    room: room > 0 ? ctx.scratch(room, 'room of the products') : 0,
    repeated: repeats ? ctx.scratch(B * hRow, 'repeated output') : 0,
  } as const;
}

interface Results {
  readonly Y: Place | 0;
  readonly lastH: Place | 0;
  readonly lastC: Place | 0;
}

function direction(
  layer: Layer,
  room: ReturnType<typeof rooms>,
  results: Results,
  d: number,
): void {
  const { ctx, attributes, kind, sizes, gates, candidate } = layer;
  const { T, B, I, H, O, D, G } = sizes;
  const timeFirst = attributes.layout === 0;
  const has = (slot: number): boolean => ctx.inputs[slot] !== undefined;
  const all = [...gates, ...candidate];
  // The recurrent biases of gates, behind the input biases; that of a candidate behind a reset gate is its own.
  const shifted = (columns: readonly number[], by: number): number[] =>
    columns.map((column) => (column < 0 ? -1 : column + by));
  const isOwn = (column: number): boolean => kind === id.CELL_GRU_AFTER && column >= 2 * H;
  const start = d * 2 * G * H;
  const recurrentBias = (own: boolean): number[] =>
    shifted(
      all.map((column) => (isOwn(column) === own ? column : -1)),
      start + G * H,
    );
  const bias = has(SLOT.B)
    ? picked(layer, SLOT.B, `bias${d}`, shifted(all, start), recurrentBias(false))
    : 0;
  const ownBias =
    has(SLOT.B) && kind === id.CELL_GRU_AFTER
      ? picked(layer, SLOT.B, `ownBias${d}`, recurrentBias(true))
      : 0;
  const peepholes = has(SLOT.P)
    ? picked(layer, SLOT.P, `peepholes${d}`, shifted(columnsOf([0, 1, 2], H), d * 3 * H))
    : 0;
  const outputRows = Array.from({ length: ceil8(O) }, (_, row) => (row < O ? row : -1));
  const state = (slot: number, size: number): Word[] =>
    stateWords(layer, has(slot) ? ctx.read(slot) : 0, d, size);
  const mask = has(SLOT.mask) ? ctx.read(SLOT.mask) : 0;
  const candidatePanels =
    candidate.length > 0 ? panels(layer, SLOT.R, 'candidate', candidate, d, O) : 0;
  const y = results.Y === 0 ? 0 : after(results.Y, d * O * (timeFirst ? B : 1));
  const reversed = attributes.direction === 'reverse' || d === 1;
  ctx.emit(
    id.RECURRENT,
    [kind, T, B, I, H, O, Number(reversed)],
    [ctx.read(SLOT.X), ...(timeFirst ? [B * I * 4, I * 4] : [I * 4, T * I * 4])],
    [panels(layer, SLOT.W, 'W', all, d, I), bias],
    [panels(layer, SLOT.R, 'R', gates, d, O), candidatePanels, ownBias],
    [room.columns, gates.length, room.xw, room.chunk, room.gates],
    [...state(SLOT.initialH, O), ...state(initialStateSlot(1), H)],
    [room.stateH, room.hRow * 4, room.stateC, ceil8(H) * 4],
    [y, ...(timeFirst ? [D * B * O * 4, O * 4] : [D * O * 4, T * D * O * 4])],
    [...stateWords(layer, results.lastH, d, O), ...stateWords(layer, results.lastC, d, H)],
    [has(SLOT.lengths) ? ctx.read(SLOT.lengths) : 0],
    [mask, ...(timeFirst ? [B * 4, 4] : [4, T * 4]), room.repeated],
    [peepholes, Number(attributes.coupled)],
    [has(SLOT.projection) ? panels(layer, SLOT.projection, 'projection', outputRows, d, H) : 0],
    [room.made, STORED[layer.storage]],
    [float(attributes.clip), ...activationWords(attributes, D, d), room.room],
  );
}

/** A recurrent layer. */
export const lowerRecurrent: Lower = (ctx) => {
  const attributes = recurrentAttributes(ctx.node);
  const kind = kindOf(attributes);
  const lengths = ctx.inputs[SLOT.lengths];
  const mask = ctx.inputs[SLOT.mask];
  if (lengths && !isWide(lengths.type)) return false;
  if (mask && !isWide(mask.type) && !isFloat(mask.type)) return false;
  const { dims: x } = ctx.input(SLOT.X);
  const { hidden: H, layout } = attributes;
  const D = directionsOf(attributes);
  const [T, B, I] = [x[layout]!, x[1 - layout]!, x[2]!];
  const O = ctx.inputs[SLOT.projection]?.dims[1] ?? H;
  const G = cellOf(attributes.cell).gates.length;
  const sizes = { T, B, I, H, O, D, G };
  if (kind === undefined) return lowerOwnCell(ctx, attributes, sizes);
  const [first, second] =
    kind === id.CELL_GRU_BEFORE ? [[0, 1], [2]] : [[...Array(G).keys()], [] as number[]];
  /** Whether an input, where there is one, is a constant of the model. */
  const isConstant = (slot: number): boolean => {
    const value = ctx.inputs[slot];
    return value === undefined || (value.constant && isKnown(value));
  };
  const layer: Layer = {
    ctx,
    attributes,
    kind,
    storage: I * O * H > 0 && WEIGHTS.every(isConstant) ? ctx.storage : 'f32',
    sizes,
    gates: columnsOf(first!, H),
    candidate: second!.length > 0 ? columnsOf(second!, H) : [],
  };
  const result = (slot: number): Place | 0 => (ctx.wanted(slot) ? ctx.write(slot) : 0);
  const results = { Y: result(0), lastH: result(1), lastC: result(2) };
  if (B === 0) return true;
  const room = rooms(layer);
  for (let d = 0; d < D; d++) direction(layer, room, results, d);
  return true;
};
