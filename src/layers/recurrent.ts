// LSTM, GRU, plain recurrent layers and layers of cells of one's own, in one direction or both.
import { CELLS, cellOf, PLAIN_VARIANT, type Cell, type CellName } from '../cells/index.ts';
import type { Dim } from '../graph-builder.ts';
import type { RecurrentAttributes, ValueInfo } from '../graph.ts';
import { formatDims, type Tensor } from '../tensor.ts';
import {
  expectDims,
  expectWidth,
  invalid,
  mismatch,
  readActivation,
  readWeights,
} from './layer.ts';
import type { Layer, Layout, Place, Weights } from './layer.ts';

/** How the outputs of two directions become one. */
export type MergeMode = 'concat' | 'sum' | 'mul' | 'ave';

/**
 * Options of every recurrent layer. D directions, G gates, H hidden units, I inputs; H and I follow
 * from the shapes. With one direction the axis D may be left out.
 */
export interface RecurrentLayerOptions {
  /** [D, G·H, I], a block of rows for each gate. */
  readonly W: Weights;
  /** [D, 2·G·H], input biases, then recurrent biases; zeros when left out. */
  readonly B?: Weights | undefined;
  /** `forward` by default, or `bidirectional` where the weights are those of two directions. */
  readonly direction?: RecurrentAttributes['direction'] | undefined;
  /** How both directions are joined; `concat` by default: H wide forward, then H wide backward. */
  readonly merge?: MergeMode | undefined;
  /** Names as in ONNX, in any case, for one direction or for each. */
  readonly activations?: readonly string[] | undefined;
  /** Parameters of the activations, as many; NaN for the default. */
  readonly alphas?: readonly number[] | undefined;
  /** Likewise. */
  readonly betas?: readonly number[] | undefined;
  /** Limit of the gate pre-activations; none by default. */
  readonly clip?: number | undefined;
  /** True by default: the output of every step. False: of the last step alone, [B, H]. */
  readonly returnSequences?: boolean | undefined;
  /** The layout that the layer insists on; else it takes that of the model. */
  readonly layout?: Layout | undefined;
  /** What its nodes are called after; by default its kind and its place. */
  readonly name?: string | undefined;
}

/** Options of `rnn`, and of every layer whose cell multiplies its output. */
export interface RecurrentOptions extends RecurrentLayerOptions {
  /** [D, G·H, H]. */
  readonly R: Weights;
}

/** Options of `recurrent`. */
export interface CellOptions extends RecurrentLayerOptions {
  /** A cell made by `defineCell`, or one of `'rnn'`, `'lstm'` and `'gru'`. */
  readonly cell: Cell | CellName;
  /** [D, G·H, H]; left out for a cell without products. */
  readonly R?: Weights | undefined;
  /** [D, K·H], the parameters of the cell in order; left out for a cell that declares none. */
  readonly P?: Weights | undefined;
}

/** Options of `lstm`: blocks of rows i, o, f, c; activations of gates, candidate, output. */
export interface LstmOptions extends RecurrentOptions {
  /** [D, 3·H], peepholes of i, o, f. */
  readonly P?: Weights | undefined;
  /** [D, O, H], h = projection · (o ∘ tanh c). R is [D, 4·H, O] then. */
  readonly projection?: Weights | undefined;
  /** f = 1 - i. */
  readonly coupled?: boolean | undefined;
}

/** Options of `gru`: blocks of rows z, r, h; activations of gates, candidate. */
export interface GruOptions extends RecurrentOptions {
  /**
   * True by default, as in PyTorch and Keras 3: the reset gate scales R·h + b. False, as in ONNX and
   * TF.js: it scales h.
   */
  readonly resetAfter?: boolean | undefined;
}

/** A recurrent layer, which `bidirectional` can pair with another. */
export interface RecurrentLayer extends Layer {
  /** @internal */
  readonly cell: Cell;
  /** @internal */
  readonly options: AnyOptions;
}

type AnyOptions = Omit<LstmOptions & GruOptions, 'R'> & Pick<CellOptions, 'R'>;

/**
 * Long short-term memory: [B, T, I] → [B, T, D·H].
 *
 * @example
 * ```ts
 * // 40 inputs, 128 units: W [512, 40], R [512, 128], B [1024]
 * const graph = sequential([lstm({ W, R, B, returnSequences: false }), dense({ W: V, b })]);
 * ```
 */
export const lstm = (options: LstmOptions): RecurrentLayer => layerOf(CELLS.lstm, options);

/**
 * Gated recurrent unit: [B, T, I] → [B, T, D·H].
 *
 * @example
 * ```ts
 * gru({ W, R, B, resetAfter: false, direction: 'bidirectional' }); // W [2, 3·H, I]
 * ```
 */
export const gru = (options: GruOptions): RecurrentLayer => layerOf(CELLS.gru, options);

/**
 * Plain recurrent layer, tanh(W·x + R·h + b) by default: [B, T, I] → [B, T, D·H].
 *
 * @example
 * ```ts
 * rnn({ W, R, activations: ['relu'] });
 * ```
 */
export const rnn = (options: RecurrentOptions): RecurrentLayer => layerOf(CELLS.rnn, options);

/**
 * A layer of any cell, one of your own among them: [B, T, I] → [B, T, D·H].
 *
 * @example
 * ```ts
 * const layer = recurrent({ cell: defineCell({ gates: ['z', 'h'], … }), W }); // see defineCell
 * ```
 */
export const recurrent = ({ cell, ...options }: CellOptions): RecurrentLayer =>
  layerOf(cellOf(cell), options);

/** Axes of the weights, the one of directions counted. */
export const RANKS = { W: 3, R: 3, B: 2, P: 2, projection: 3 } as const;

/** Weights of one direction with its axis. */
export const withDirections = (weights: Tensor<'float32'>, rank: number): Tensor<'float32'> =>
  weights.dims.length === rank - 1 ? { ...weights, dims: [1, ...weights.dims] } : weights;

/** A layer of a cell. */
export const layerOf = (cell: Cell, options: AnyOptions): RecurrentLayer => ({
  kind: cell.name,
  cell,
  name: options.name,
  layout: options.layout,
  options,
  wants: (path) => {
    const { dims } = withDirections(readWeights(options.W, `${path}.W`), RANKS.W);
    if (dims.length !== 3) throw mismatch(`${path}.W`, `shape ${formatDims(dims)}`, '[D, G·H, I]');
    return { type: 'float32', features: dims[2]! };
  },
  append: (place) => append(place, cell, options),
});

/** The weights of a layer, checked against one another. */
function readAll(options: AnyOptions, cell: Cell, D: 1 | 2, path: string) {
  const read = (key: keyof typeof RANKS): Tensor<'float32'> | undefined =>
    options[key] === undefined
      ? undefined
      : withDirections(readWeights(options[key], `${path}.${key}`), RANKS[key]);
  const [W, R, B, P, projection] = [read('W'), read('R'), read('B'), read('P'), read('projection')];
  const variant = { ...PLAIN_VARIANT, peepholes: P !== undefined };
  const multiplies = cell.phases(variant).some(({ product }) => product.length > 0);
  const parameters = cell.parameters(variant).filter((each) => each.recurrentBias === undefined);
  if (!W || (multiplies && !R)) throw invalid(`${path}.${W ? 'R' : 'W'}`, 'nothing', 'weights');
  if (R && !multiplies) throw invalid(`${path}.R`, 'a value', `none for a ${cell.name}`);
  if (P && parameters.length === 0)
    throw invalid(`${path}.P`, 'a value', `none for a ${cell.name}`);
  if (!P && parameters.length > 0) throw invalid(`${path}.P`, 'nothing', 'parameters of the cell');
  const G = cell.gates.length;
  const rows = (R ?? W).dims[1] ?? 0;
  const H = rows / G;
  if (!Number.isInteger(H) || H < 1) {
    const [key, shape] = R ? (['R', R.dims] as const) : (['W', W.dims] as const);
    const expected = `[${D}, ${G}·H, ${R ? 'H' : 'I'}] for a ${cell.name}`;
    throw mismatch(`${path}.${key}`, `shape ${formatDims(shape)}`, expected);
  }
  const O = projection?.dims[1] ?? H;
  const I = W.dims[2] ?? 0;
  if (R) expectDims(R, [D, G * H, O], `D × ${G}·H × ${projection ? 'O' : 'H'}`, `${path}.R`);
  expectDims(W, [D, G * H, I], `D × ${G}·H × I`, `${path}.W`);
  if (projection) expectDims(projection, [D, O, H], 'D × O × H', `${path}.projection`);
  if (B) expectDims(B, [D, 2 * G * H], `D × ${2 * G}·H`, `${path}.B`);
  const K = parameters.length;
  if (P) expectDims(P, [D, K * H], `D × ${K}·H`, `${path}.P`);
  return { W, R, B, P, projection, I, H, O };
}

function append(place: Place, cell: Cell, options: AnyOptions): ValueInfo {
  const { builder, x, layout, stem, path } = place;
  const direction = options.direction ?? 'forward';
  if (!['forward', 'reverse', 'bidirectional'].includes(direction)) {
    throw invalid(`${path}.direction`, direction, 'forward, reverse or bidirectional');
  }
  const D = direction === 'bidirectional' ? 2 : 1;
  const { W, R, B, P, projection, I, H, O } = readAll(options, cell, D, path);
  expectWidth(place, I);
  const [first, second] = x.dims;
  if (x.dims.length !== 3)
    throw mismatch(path, `an input ${formatDims(x.dims)}`, 'a sequence of 3 axes');
  const constant = (key: string, weights: Tensor | undefined): string =>
    weights ? builder.constant(`${stem}/${key}`, () => weights) : '';
  const inputs = [x.name, constant('W', W), constant('R', R), constant('B', B), '', '', ''];
  inputs.push(constant('P', P), '', constant('projection', projection));
  const used = inputs.slice(0, inputs.findLastIndex((name) => name !== '') + 1);
  const sequences = options.returnSequences ?? true;
  const attributes = attributesOf(cell, options, { direction, layout, hidden: H }, path);
  const [y, h] = builder.nodes('Recurrent', stem, used, attributes, [sequences, !sequences]);
  const batch = layout === 1 ? first! : second!;
  return sequences
    ? joined(place, y!, [first!, second!], layout === 1 ? 2 : 1, D, O, options.merge)
    : joined(place, h!, [batch], layout === 1 ? 1 : 0, D, O, options.merge);
}

function attributesOf(
  cell: Cell,
  options: AnyOptions,
  known: Pick<RecurrentAttributes, 'direction' | 'layout' | 'hidden'>,
  path: string,
): RecurrentAttributes {
  for (const key of ['projection', 'coupled'] as const) {
    if (options[key] && cell !== CELLS.lstm) {
      throw invalid(`${path}.${key}`, 'a value', `none for a ${cell.name}`);
    }
  }
  const { clip = 0, activations = cell.activations, coupled = false } = options;
  if (!(Number.isFinite(clip) && clip >= 0)) throw invalid(`${path}.clip`, clip, '0 or more');
  const count = cell.activations.length;
  const twice = known.direction === 'bidirectional';
  const spread = <T>(values: readonly T[], key: string): T[] => {
    if (values.length === (twice ? 2 : 1) * count) return [...values];
    if (values.length === count) return [...values, ...values];
    throw invalid(
      `${path}.${key}`,
      values.length,
      `${count}${twice ? ` or ${2 * count}` : ''} of them`,
    );
  };
  const none = Array.from({ length: count }, () => Number.NaN);
  const isKnown = Object.hasOwn(CELLS, cell.name) && CELLS[cell.name as CellName] === cell;
  return {
    cell: isKnown ? (cell.name as CellName) : cell,
    ...known,
    activations: spread(activations, 'activations').map((name, i) =>
      readActivation(name, `${path}.activations[${i}]`),
    ),
    alphas: spread(options.alphas ?? none, 'alphas'),
    betas: spread(options.betas ?? none, 'betas'),
    clip,
    coupled,
    resetAfter: cell === CELLS.gru && (options.resetAfter ?? true),
    maskedOutput: 'zero',
  };
}

const REDUCTIONS = { sum: 'ReduceSum', mul: 'ReduceProd', ave: 'ReduceMean' } as const;

/** Takes the axis of directions out of a value. */
function joined(
  { builder, stem, path }: Place,
  from: string,
  lead: readonly Dim[],
  axis: number,
  D: number,
  width: number,
  merge: MergeMode = 'concat',
): ValueInfo {
  const done = (name: string, size: number): ValueInfo => ({
    name,
    type: 'float32',
    dims: [...lead, size],
  });
  const axes = builder.ints([axis]);
  if (D === 1) return done(builder.node('Squeeze', `${stem}/y`, [from, axes]), width);
  if (merge !== 'concat') {
    if (!Object.hasOwn(REDUCTIONS, merge))
      throw invalid(`${path}.merge`, merge, 'concat, sum, mul or ave');
    return done(
      builder.node(REDUCTIONS[merge], `${stem}/${merge}`, [from, axes], { keepdims: 0 }),
      width,
    );
  }
  // Concatenated along the units: the axis of directions goes to where the units are next to it.
  const last = lead.length;
  const perm = Array.from({ length: last + 2 }, (_, k) => k);
  perm.splice(last, 0, ...perm.splice(axis, 1));
  const ordered =
    axis === last ? from : builder.node('Transpose', `${stem}/ordered`, [from], { perm });
  const shape = builder.ints([...lead.map(() => 0), 2 * width]);
  return done(builder.node('Reshape', `${stem}/concat`, [ordered, shape]), 2 * width);
}
