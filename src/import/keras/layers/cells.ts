// Reads the cell of a recurrent layer: its options, its weights, and the gate order of Keras turned
// into that of the graph. https://keras.io/api/layers/recurrent_layers/
import type { CellName } from '../../../cells/index.ts';
import { RnnError } from '../../../errors.ts';
import { gateBiases, GATE_ORDER, gatesFromColumns } from '../../../cells/gate-order.ts';
import { cellActivation, type Elementwise } from './activations.ts';
import { layerConfig, plainClass, type LayerConfig } from './config.ts';
import { cudnnGates, isCudnn } from './cudnn.ts';
import type { Dialect } from './dialect.ts';
import { takeWeight, type Weights } from './weights.ts';

/** A cell of a recurrent layer, of one direction. */
export interface CellSpec {
  readonly cell: CellName;
  /** I and H. */
  readonly inputs: number;
  readonly hidden: number;
  readonly activations: readonly Required<Elementwise>[];
  readonly resetAfter: boolean;
  /** [G·H, I], [G·H, H] and [2·G·H] in the order of the graph; made when asked for. */
  readonly W: () => Float32Array;
  readonly R: () => Float32Array;
  readonly B: (() => Float32Array) | undefined;
}

/** A cell whose weights wait for the width of its input. */
export interface UnboundCell {
  readonly hidden: number;
  readonly bind: (inputs: number) => CellSpec;
}

const KINDS: ReadonlyMap<string, CellName> = new Map([
  ['SimpleRNN', 'rnn'],
  ['GRU', 'gru'],
  ['LSTM', 'lstm'],
  ['CuDNNGRU', 'gru'],
  ['CuDNNLSTM', 'lstm'],
]);

/** Classes that are one cell by themselves, as layers and within RNN. */
export const CELL_CLASSES: readonly string[] = [...KINDS.keys()];

/** Number of states that a cell carries: h, and c for the LSTM. */
export const statesOf = (cell: CellSpec): 1 | 2 => (cell.cell === 'lstm' ? 2 : 1);

/**
 * Reads SimpleRNN, GRU, LSTM or a cell of theirs.
 *
 * @param className with or without the suffix `Cell`
 */
export function readCell(
  { className, config }: LayerConfig,
  weights: Weights,
  dialect: Dialect,
): UnboundCell {
  const plain = plainClass(className).replace(/Cell$/, '');
  const cell = KINDS.get(plain);
  if (cell === undefined) {
    const cells = CELL_CLASSES.filter((name) => !isCudnn(name)).map((name) => `${name}Cell`);
    const what = `cell of class ${className}, expected ${cells.join(', ')}`;
    throw new RnnError('UNSUPPORTED_OPERATOR', config.path, what);
  }
  const cudnn = isCudnn(plain);
  const hidden = config.count('units');
  const order = GATE_ORDER.keras[cell];
  const width = order.length * hidden;
  const activation = cellActivation(config, 'activation', 'tanh', dialect);
  const gateFallback = cudnn ? 'sigmoid' : dialect.recurrentActivation;
  const gate =
    cell === 'rnn' ? [] : [cellActivation(config, 'recurrent_activation', gateFallback, dialect)];
  // The output gate of an LSTM scales activation(c): the same function as the candidate's.
  const activations = [...gate, activation, ...(cell === 'lstm' ? [activation] : [])];
  const resetAfter = cell === 'gru' && (cudnn || config.flag('reset_after', dialect.resetAfter));
  const useBias = config.flag('use_bias', true);
  const { path } = config;

  const bind = (inputs: number): CellSpec => {
    const take = (name: string, index: number, dims: readonly number[]): Float32Array =>
      takeWeight(weights, name, index, dims, path);
    const kernel = take('kernel', 0, [inputs, width]);
    const recurrent = take('recurrent_kernel', 1, [hidden, width]);
    // Two rows where the reset gate comes after the product: input biases, recurrent biases.
    const biasDims = cudnn ? [2 * width] : resetAfter ? [2, width] : [width];
    const bias = useBias ? take('bias', 2, biasDims) : undefined;
    const gates = cudnn ? cudnnGates : gatesFromColumns;
    return {
      cell,
      inputs,
      hidden,
      activations,
      resetAfter,
      W: () => gates(kernel, inputs, hidden, order, `${path}.kernel`),
      R: () => gates(recurrent, hidden, hidden, order, `${path}.recurrent_kernel`),
      B: bias && (() => biasOf(bias, hidden, order, `${path}.bias`)),
    };
  };
  return { hidden, bind };
}

function biasOf(
  bias: Float32Array,
  hidden: number,
  order: readonly number[],
  path: string,
): Float32Array {
  const width = order.length * hidden;
  const recurrent = bias.length > width ? bias.subarray(width) : undefined;
  return gateBiases(bias.subarray(0, width), recurrent, hidden, order, path);
}

/** The cells of a recurrent layer, the one nearest to the input first. */
export function readCells(layer: LayerConfig, weights: Weights, dialect: Dialect): UnboundCell[] {
  const { className, config } = layer;
  const within = weights.part('cell');
  if (plainClass(className) !== 'RNN') return [readCell(layer, within, dialect)];
  const raw = config.raw('cell');
  const path = `${config.path}.cell`;
  if (Array.isArray(raw)) return readStack(raw, path, within, dialect);
  const cell = layerConfig(raw, path);
  return plainClass(cell.className) === 'StackedRNNCells'
    ? readStack(cell.config.list('cells'), `${path}.cells`, within, dialect)
    : [readCell(cell, within, dialect)];
}

function readStack(
  cells: readonly unknown[],
  path: string,
  weights: Weights,
  dialect: Dialect,
): UnboundCell[] {
  if (cells.length === 0) throw new RnnError('INVALID_MODEL', path, 'got no cells, expected some');
  return cells.map((cell, i) =>
    readCell(layerConfig(cell, `${path}[${i}]`), weights.part({ cell: i }), dialect),
  );
}
