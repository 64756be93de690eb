// LSTM, GRU and RNN → Recurrent, with every attribute written out. Gates are in our order already.
// https://onnx.ai/onnx/operators/onnx__LSTM.html, __GRU, __RNN; what they leave open follows ONNX
// Runtime: onnxruntime/core/providers/cpu/rnn/rnn_helpers.cc.
import {
  ACTIVATIONS,
  cellOf,
  CELLS,
  findActivation,
  type Activation,
  type CellName,
} from '../../cells/index.ts';
import { RnnError } from '../../errors.ts';
import type { Attribute, Node, RecurrentAttributes } from '../../graph.ts';
import type { Scope } from './scope.ts';

const CELL_OF: Readonly<Record<string, CellName>> = { LSTM: 'lstm', GRU: 'gru', RNN: 'rnn' };

const DIRECTIONS = ['forward', 'reverse', 'bidirectional'] as const;

/** True for the three operators that become `Recurrent`. */
export const isRecurrent = (op: string): boolean => Object.hasOwn(CELL_OF, op);

/** The `Recurrent` node that an LSTM, GRU or RNN node means. */
export function toRecurrent(node: Node, scope: Scope, path: string): Node {
  const cell = CELL_OF[node.op]!;
  const read = reader(node, path);
  const direction = read.text('direction', 'forward');
  if (!DIRECTIONS.includes(direction as never)) {
    throw read.fail('direction', direction, DIRECTIONS.join(', '));
  }
  const layout = read.int('layout', 0);
  if (layout !== 0 && layout !== 1) throw read.fail('layout', layout, '0 or 1');
  const clip = node.attributes['clip'] === undefined ? 0 : read.float('clip');
  if (node.attributes['clip'] !== undefined && !(clip > 0 && clip < Infinity)) {
    throw read.fail('clip', clip, 'a number above 0');
  }
  const attributes: RecurrentAttributes = {
    cell,
    direction: direction as RecurrentAttributes['direction'],
    hidden: hiddenSize(node, cell, scope, read),
    layout,
    ...activations(cell, direction === 'bidirectional' ? 2 : 1, read),
    // Files write "no limit" also as the largest float32, which limits nothing.
    clip: clip >= MAX_FLOAT32 ? 0 : clip,
    coupled: cell === 'lstm' && read.int('input_forget', 0) !== 0,
    resetAfter: cell === 'gru' && read.int('linear_before_reset', 0) !== 0,
    maskedOutput: 'zero',
  };
  const maxInputs = cell === 'lstm' ? 8 : 6; // the slots of Recurrent begin like those of LSTM
  if (node.inputs.length < 3 || node.inputs.length > maxInputs) {
    const what = `inputs of ${node.op}, got ${node.inputs.length}, expected 3 to ${maxInputs}`;
    throw new RnnError('INVALID_MODEL', `${path}.inputs`, what);
  }
  for (const [slot, name] of ['X', 'W', 'R'].entries()) {
    if (node.inputs[slot] !== '') continue;
    const what = `${name} of ${node.op}, got nothing, expected a value`;
    throw new RnnError('INVALID_MODEL', `${path}.inputs[${slot}]`, what);
  }
  checkWeights(node, attributes, scope, path);
  return { ...node, op: 'Recurrent', attributes };
}

/** Holds the weights whose shapes are known against each other, long before there is an X. */
function checkWeights(
  { op, inputs }: Node,
  { cell, hidden, direction }: RecurrentAttributes,
  scope: Scope,
  path: string,
): void {
  const rows = cellOf(cell).gates.length * hidden;
  const D = direction === 'bidirectional' ? 2 : 1;
  const shapes = new Map<number, readonly [string, ...(number | string)[]]>([
    [1, ['W', D, rows, 'I']],
    [2, ['R', D, rows, hidden]],
    [3, ['B', D, 2 * rows]],
    [7, ['P', D, 3 * hidden]],
  ]);
  for (const [slot, [what, ...wanted]] of shapes) {
    const name = inputs[slot] ?? '';
    const dims = scope.constant(name)?.dims ?? scope.input(name)?.dims;
    if (dims === undefined) continue;
    const agrees = (size: number | string, axis: number): boolean =>
      typeof size === 'string' || typeof dims[axis] === 'string' || dims[axis] === size;
    if (dims.length === wanted.length && wanted.every(agrees)) continue;
    const got = `${what} '${name}' of ${op}, got shape [${dims.join(', ')}]`;
    const expected = `[${wanted.join(', ')}] for ${hidden} units, ${direction}`;
    throw new RnnError('SHAPE_MISMATCH', `${path}.inputs[${slot}]`, `${got}, expected ${expected}`);
  }
}

const MAX_FLOAT32 = 3.4028234663852886e38;

/** H: the attribute, or the last axis of R when its shape is known. They must agree. */
function hiddenSize({ op, inputs }: Node, cell: CellName, scope: Scope, read: Reader): number {
  const R = inputs[2] ?? '';
  const dims = scope.constant(R)?.dims ?? scope.input(R)?.dims;
  const gates = CELLS[cell].gates.length;
  const width = dims?.length === 3 && typeof dims[2] === 'number' ? dims[2] : undefined;
  if (read.has('hidden_size')) {
    const hidden = read.int('hidden_size', 0);
    if (hidden < 1) throw read.fail('hidden_size', hidden, '1 or more');
    const rows = dims?.[1];
    const agrees =
      (width ?? hidden) === hidden && (typeof rows !== 'number' || rows === gates * hidden);
    if (dims && (dims.length !== 3 || !agrees)) {
      const expected = `the width of R '${R}' [${dims.join(', ')}], [D, ${gates}·H, H]`;
      throw read.fail('hidden_size', hidden, expected);
    }
    return hidden;
  }
  if (width === undefined || width < 1) {
    const expected = `a number, since the shape of R '${R}' of this ${op} does not tell it`;
    throw read.fail('hidden_size', 'nothing', expected);
  }
  return width;
}

// The specification gives the defaults "of the corresponding operators"; of these three ONNX Runtime,
// which every file has been tried with, makes 0.
const ZERO_DEFAULTS: readonly string[] = ['Affine', 'ScaledTanh', 'ThresholdedRelu'];

/**
 * The activations of every direction. Alphas and betas are handed out in order, each activation
 * that takes one consuming the next of its list, and the default when the list is used up.
 */
function activations(cell: CellName, directions: number, read: Reader) {
  const { activations: defaults } = CELLS[cell];
  const count = defaults.length * directions;
  const given = read.texts('activations');
  // The default of RNN has two names for any direction, and so do files that write it out.
  const isDefaultPair = cell === 'rnn' && given?.length === 2 && directions === 1;
  if (given && given.length > 0 && given.length !== count && !isDefaultPair) {
    throw read.fail('activations', given.join(', ') || 'none', `${count} names`);
  }
  const names = given?.length
    ? given.slice(0, count)
    : Array.from({ length: directions }, () => defaults).flat();
  const remaining = {
    alpha: read.floats('activation_alpha'),
    beta: read.floats('activation_beta'),
  };
  const used = { alpha: 0, beta: 0 };
  const found = names.map((text, k) => {
    const name = findActivation(text);
    if (name === undefined)
      throw read.fail(`activations[${k}]`, text, Object.keys(ACTIVATIONS).join(', '));
    const activation: Activation = ACTIVATIONS[name];
    const parameter = (key: 'alpha' | 'beta'): number => {
      if (activation[key] === undefined) return NaN;
      const value = remaining[key][used[key]++];
      if (value === undefined) return ZERO_DEFAULTS.includes(name) ? 0 : activation[key];
      if (!Number.isFinite(value))
        throw read.fail(`activation_${key}[${used[key] - 1}]`, value, 'a finite number');
      return value;
    };
    return { name, alpha: parameter('alpha'), beta: parameter('beta') };
  });
  return {
    activations: found.map(({ name }) => name),
    alphas: found.map(({ alpha }) => alpha),
    betas: found.map(({ beta }) => beta),
  };
}

interface Reader {
  has(name: string): boolean;
  int(name: string, fallback: number): number;
  float(name: string): number;
  text(name: string, fallback: string): string;
  texts(name: string): readonly string[] | undefined;
  floats(name: string): readonly number[];
  fail(name: string, got: Attribute, expected: string): RnnError;
}

/** Attributes by the type that each must have. */
function reader({ op, attributes }: Node, path: string): Reader {
  const fail: Reader['fail'] = (name, got, expected) =>
    new RnnError(
      'INVALID_MODEL',
      `${path}.${name}`,
      `attribute of ${op}, got ${typeof got === 'object' ? 'something else' : got}, expected ${expected}`,
    );
  const get = <T extends Attribute>(
    name: string,
    accepts: (value: Attribute) => boolean,
    expected: string,
  ): T | undefined => {
    const value = attributes[name];
    if (value !== undefined && !accepts(value)) throw fail(name, value, expected);
    return value as T | undefined;
  };
  const isList = (type: string) => (value: Attribute) =>
    Array.isArray(value) && value.every((item) => typeof item === type);
  const isNumber = (value: Attribute): boolean => typeof value === 'number';
  return {
    has: (name) => attributes[name] !== undefined,
    int: (name, fallback) => get<number>(name, Number.isSafeInteger, 'a whole number') ?? fallback,
    float: (name) => get<number>(name, isNumber, 'a number') ?? NaN,
    text: (name, fallback) => get<string>(name, (v) => typeof v === 'string', 'a text') ?? fallback,
    texts: (name) => get<readonly string[]>(name, isList('string'), 'names'),
    floats: (name) => get<readonly number[]>(name, isList('number'), 'numbers') ?? [],
    fail,
  };
}
