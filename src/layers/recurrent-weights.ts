// The weights of recurrent layers: read in the axes and the gate blocks of a framework, checked against one
// another, and brought into those of the graph.
import { CELLS, PLAIN_VARIANT, type Cell, type CellName } from '../cells/index.ts';
import { GATE_ORDER, gatesFromColumns, permuteGates, type GateOrder } from '../cells/gate-order.ts';
import { formatDims, sizeOf, tensor, type Tensor } from '../tensor.ts';
import { readActivation } from './activation.ts';
import { expectDims, invalid, mismatch, readChoice } from './layer.ts';
import { isFlat, readOrder, readWeights, type WeightOrder } from './weights.ts';
import type { AnyOptions } from './recurrent-options.ts';

type Floats = Tensor<'float32'>;

/** Weights as a `Recurrent` node has them, each with its axis of directions, and the sizes they tell. */
export interface RecurrentWeights {
  readonly W: Floats;
  readonly R: Floats | undefined;
  readonly B: Floats | undefined;
  readonly P: Floats | undefined;
  readonly projection: Floats | undefined;
  readonly I: number;
  readonly H: number;
  readonly O: number;
}

/** Axes of the weights, the one of directions counted. */
const RANKS = { W: 3, R: 3, B: 2, P: 2, projection: 3 } as const;
type Key = keyof typeof RANKS;

/** What is read of a layer, and how. */
interface Source {
  readonly options: AnyOptions;
  readonly cell: Cell;
  readonly D: 1 | 2;
  readonly path: string;
  readonly order: WeightOrder;
  /** Number of gates. */
  readonly G: number;
}

/**
 * Reads all weights of a layer.
 *
 * @throws RnnError `SHAPE_MISMATCH` or `INVALID_ARGUMENT` with the path of the weights
 */
export function readRecurrent(
  options: AnyOptions,
  cell: Cell,
  D: 1 | 2,
  path: string,
): RecurrentWeights {
  const order = readOrder(options.order, path);
  const known = Object.hasOwn(CELLS, cell.name) && CELLS[cell.name as CellName] === cell;
  if (!known && order !== 'onnx') {
    throw invalid(`${path}.order`, order, `onnx for a ${cell.name}, whose gates stand as declared`);
  }
  const source = { options, cell, D, path, order, G: cell.gates.length };
  checkWhich(source);
  const isColumns = order === 'keras';
  const H = hiddenOf(source);
  const G = source.G;
  const GH = G * H;
  const projection = weightsOf(source, 'projection');
  const O = projection?.dims[1] ?? H;
  const R = weightsOf(source, 'R', isColumns ? [D, O, GH] : [D, GH, O]);
  const letter = projection ? 'O' : 'H';
  if (R && isColumns) expectDims(R, [D, O, GH], `D × ${letter} × ${G}·H`, `${path}.R`);
  else if (R) expectDims(R, [D, GH, O], `D × ${G}·H × ${letter}`, `${path}.R`);
  const I = inputsOf(source, H);
  const W = weightsOf(source, 'W', isColumns ? [D, I, GH] : [D, GH, I])!;
  if (isColumns) expectDims(W, [D, I, GH], `D × I × ${G}·H`, `${path}.W`);
  else expectDims(W, [D, GH, I], `D × ${G}·H × I`, `${path}.W`);
  if (projection) expectDims(projection, [D, O, H], 'D × O × H', `${path}.projection`);
  const K = parametersOf(source).length;
  const P = weightsOf(source, 'P', [D, K * H]);
  if (P) expectDims(P, [D, K * H], `D × ${K}·H`, `${path}.P`);
  const blocks: GateOrder = known
    ? GATE_ORDER[order][cell.name as CellName]
    : cell.gates.map((_, k) => k);
  const rows = (weights: Floats, width: number): Floats => {
    if (order === 'onnx') return weights;
    const parts = directions(weights, D).map((data) =>
      isColumns ? gatesFromColumns(data, width, H, blocks) : permuteGates(data, blocks),
    );
    return joined(parts, [D, GH, width]);
  };
  const read = { W: rows(W, I), R: R && rows(R, O), B: biasesOf(source, H, blocks) };
  return { ...withUpdateGate(source, read), P, projection, I, H, O };
}

/** Which weights there are is a matter of the cell. */
function checkWhich(source: Source): void {
  const { options, cell, path } = source;
  const variant = { ...PLAIN_VARIANT, peepholes: options.P !== undefined };
  const multiplies = cell.phases(variant).some(({ product }) => product.length > 0);
  const { W, R, P } = options;
  if (!W || (multiplies && !R)) throw invalid(`${path}.${W ? 'R' : 'W'}`, 'nothing', 'weights');
  if (R && !multiplies) throw invalid(`${path}.R`, 'a value', `none for a ${cell.name}`);
  const count = parametersOf(source).length;
  if (P && count === 0) throw invalid(`${path}.P`, 'a value', `none for a ${cell.name}`);
  if (!P && count > 0) throw invalid(`${path}.P`, 'nothing', 'parameters of the cell');
}

const parametersOf = ({ cell, options }: Source) =>
  cell
    .parameters({ ...PLAIN_VARIANT, peepholes: options.P !== undefined })
    .filter((each) => each.recurrentBias === undefined);

/** Weights with their axis of directions, which one direction may leave out. */
function weightsOf({ options, path }: Source, key: Key, flat?: readonly number[]) {
  const given = options[key];
  if (given === undefined) return undefined;
  const read = readWeights(given, `${path}.${key}`);
  if (flat && isFlat(given) && sizeOf(flat) === read.data.length) return { ...read, dims: flat };
  const isOne = read.dims.length === RANKS[key] - 1;
  return isOne ? { ...read, dims: [1, ...read.dims] } : read;
}

/** H, from the gate blocks of R, or of W where a cell multiplies nothing. */
function hiddenOf(source: Source): number {
  const { options, cell, D, path, order, G } = source;
  const key = options.R === undefined ? 'W' : 'R';
  const { dims, data } = weightsOf(source, key)!;
  const isFlatSquare = key === 'R' && isFlat(options.R) && options.projection === undefined;
  const H = isFlatSquare
    ? Math.sqrt(data.length / (D * G))
    : (dims[order === 'keras' ? 2 : 1] ?? 0) / G;
  if (Number.isSafeInteger(H) && H >= 1) return H;
  const other = key === 'R' ? 'H' : 'I';
  const axes = order === 'keras' ? `${other}, ${G}·H` : `${G}·H, ${other}`;
  const got = isFlatSquare ? `${data.length} numbers` : `shape ${formatDims(dims)}`;
  throw mismatch(`${path}.${key}`, got, `[${D}, ${axes}] for a ${cell.name}`);
}

/** I, from W. */
function inputsOf(source: Source, H: number): number {
  const { options, D, order, G } = source;
  const { dims, data } = weightsOf(source, 'W')!;
  if (!isFlat(options.W)) return dims[order === 'keras' ? 1 : 2] ?? 0;
  const I = data.length / (D * G * H);
  return Number.isSafeInteger(I) ? I : 0;
}

/** The width of the input of a layer. */
export function widthOf(options: AnyOptions, cell: Cell, path: string): number {
  const D = options.direction === 'bidirectional' ? 2 : 1;
  if (isFlat(options.W)) return readRecurrent(options, cell, D, path).I;
  const order = readOrder(options.order, path);
  const source = { options, cell, D, path, order, G: cell.gates.length } as const;
  const { dims } = weightsOf(source, 'W') ?? readWeights(undefined, `${path}.W`);
  const expected = order === 'keras' ? '[D, I, G·H]' : '[D, G·H, I]';
  if (dims.length !== 3) throw mismatch(`${path}.W`, `shape ${formatDims(dims)}`, expected);
  return dims[order === 'keras' ? 1 : 2]!;
}

/** The numbers of each direction. */
const directions = ({ data }: Floats, D: number): Float32Array[] =>
  Array.from({ length: D }, (_, d) =>
    data.subarray((d * data.length) / D, ((d + 1) * data.length) / D),
  );

function joined(parts: readonly Float32Array[], dims: readonly number[]): Floats {
  const [first] = parts;
  if (parts.length === 1) return tensor(first!, dims);
  const data = new Float32Array(sizeOf(dims));
  parts.forEach((part, d) => data.set(part, d * part.length));
  return tensor(data, dims);
}

/** [D, 2·G·H]: input biases, then recurrent biases. */
function biasesOf(source: Source, H: number, blocks: GateOrder): Floats | undefined {
  const { options, cell, D, path, order, G } = source;
  const { B } = options;
  if (B === undefined) return undefined;
  const at = `${path}.B`;
  const read = readWeights(B, at);
  const GH = G * H;
  // Keras adds one bias, but for a GRU whose reset gate scales what the recurrent bias is part of.
  const single = order === 'keras' && !(cell === CELLS.gru && (options.resetAfter ?? true));
  const count = single ? 1 : 2;
  const both = [[...(count === 2 ? [2] : []), GH], [count * GH]];
  const shapes = both.flatMap((dims) => (D === 1 ? [dims, [1, ...dims]] : [[D, ...dims]]));
  const got = formatDims(read.dims);
  const fits = isFlat(B)
    ? read.data.length === D * count * GH
    : shapes.some((s) => formatDims(s) === got);
  if (!fits) {
    const dims = order === 'onnx' ? [D, 2 * GH] : [D, ...(single ? [] : [2]), GH];
    const meaning = order === 'onnx' || single ? `D × ${count * G}·H` : `D × 2 × ${G}·H`;
    throw mismatch(at, `shape ${got}`, `${formatDims(dims)} (${meaning})`);
  }
  const parts = directions({ ...read, dims: [D, count * GH] }, D).map((data) => {
    const result = new Float32Array(2 * GH);
    for (let half = 0; half < count; half++) {
      result.set(permuteGates(data.subarray(half * GH, (half + 1) * GH), blocks), half * GH);
    }
    return result;
  });
  return joined(parts, [D, 2 * GH]);
}

/**
 * A GRU whose update gate z takes the new value, h = (1 - z)∘h + z∘n, is one whose gate is 1 - z: for a sigmoid,
 * that of the negative sum.
 */
function withUpdateGate<T extends { W: Floats; R?: Floats | undefined; B?: Floats | undefined }>(
  { options, cell, D, path }: Source,
  weights: T,
): T {
  const { updateGate = 'keepsOld' } = options;
  const choices = ['keepsOld', 'takesNew'] as const;
  if (readChoice(updateGate, choices, `${path}.updateGate`) === 'keepsOld') return weights;
  if (cell !== CELLS.gru)
    throw invalid(`${path}.updateGate`, updateGate, `none for a ${cell.name}`);
  const { activations = cell.activations, betas = [] } = options;
  activations.forEach((name, i) => {
    if (i % 2 === 1) return; // that of the candidate
    const at = `${path}.activations[${i}]`;
    const found = readActivation(name, at);
    const beta = betas[i] ?? Number.NaN;
    const isOdd = found === 'HardSigmoid' && (Number.isNaN(beta) || beta === 0.5);
    if (found !== 'Sigmoid' && !isOdd) {
      throw invalid(
        at,
        name,
        "one with 1 - f(x) = f(-x) for updateGate: 'takesNew', such as sigmoid",
      );
    }
  });
  const z = cell.gates.indexOf('z');
  const negated = (tensorOf: Floats, blocks: readonly number[], count: number): Floats => {
    const parts = directions(tensorOf, D).map((part) => {
      const data = part.slice();
      const size = data.length / count;
      for (const block of blocks) {
        for (let i = block * size; i < (block + 1) * size; i++) data[i] = -data[i]!;
      }
      return data;
    });
    return joined(parts, tensorOf.dims);
  };
  const G = cell.gates.length;
  const { W, R, B } = weights;
  return {
    ...weights,
    W: negated(W, [z], G),
    R: R && negated(R, [z], G),
    B: B && negated(B, [z, G + z], 2 * G),
  };
}
