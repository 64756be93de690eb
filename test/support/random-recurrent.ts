// Random recurrent layers over every feature that there is, as graphs with what to feed them.
import {
  ACTIVATIONS,
  CELLS,
  type Activation,
  type ActivationName,
  type CellName,
} from '../../src/cells/index.ts';
import type { Graph, RecurrentAttributes, ValueInfo } from '../../src/graph.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import type { Random } from './random.ts';

/** One recurrent layer: its attributes, its sizes, and which optional inputs and outputs it has. */
export interface RecurrentConfig extends RecurrentAttributes {
  readonly cell: CellName;
  readonly T: number;
  readonly B: number;
  readonly I: number;
  readonly bias: boolean;
  readonly lengths: readonly number[] | undefined;
  readonly initialH: boolean;
  readonly initialC: boolean;
  readonly peepholes: boolean;
  /** One number for each step and row, [T][B] in this order whatever the layout. */
  readonly mask: readonly number[] | undefined;
  /** Projected width; 0 for none. */
  readonly projected: number;
  /** Which of Y, Y_h, Y_c someone wants. */
  readonly outputs: readonly [boolean, boolean, boolean];
}

/** Values to insist on; `onnx` leaves out what the ONNX operators cannot say. */
export type RecurrentRestrictions = Partial<RecurrentConfig> & {
  readonly onnx?: boolean;
  readonly maxHidden?: number;
};

/** Names that ONNX allows inside a layer. */
export const ONNX_ACTIVATIONS = [
  'Relu',
  'Tanh',
  'Sigmoid',
  'Affine',
  'LeakyRelu',
  'ThresholdedRelu',
  'ScaledTanh',
  'HardSigmoid',
  'Elu',
  'Softsign',
  'Softplus',
] as const satisfies readonly ActivationName[];

// Gates that stay within ±1, so that the state neither explodes nor magnifies rounding errors.
const BOUNDED = ['Sigmoid', 'HardSigmoid', 'Tanh', 'Softsign', 'ScaledTanh'] as const;
// Where f = 1 - i, within 0 and 1 for the same reason.
const UNIT = ['Sigmoid', 'HardSigmoid'] as const;

// 1, primes, powers of two, and sizes beside the widths of workgroups and vectors.
const HIDDEN = [1, 2, 3, 4, 5, 7, 8, 13, 16, 17, 31, 32, 33, 64, 65, 67, 128, 129];

/** A random layer; what `fixed` says is taken as it is. */
export function randomRecurrentConfig(
  random: Random,
  fixed: RecurrentRestrictions = {},
): RecurrentConfig {
  const { onnx = false, maxHidden = 33, ...insisted } = fixed;
  const cellName: CellName = fixed.cell ?? random.pick(['lstm', 'gru', 'rnn']);
  const cell = CELLS[cellName];
  const lstm = cellName === 'lstm';
  const direction = fixed.direction ?? random.pick(['forward', 'reverse', 'bidirectional']);
  const count = cell.activations.length * (direction === 'bidirectional' ? 2 : 1);
  const B = fixed.B ?? random.pick([1, 2, 3, 5]);
  const T = fixed.T ?? random.pick([1, 2, 3, 5, 9]);
  const coupled = fixed.coupled ?? (lstm && random.chance(0.3));
  const plain = random.chance(0.5);
  // Unbounded functions everywhere only where there is no time for them to run away.
  const wild = T <= 2 && random.chance(0.5);
  const activations =
    fixed.activations ??
    Array.from({ length: count }, (_, k) => {
      const slot = k % cell.activations.length;
      if (plain) return cell.activations[slot]!;
      const gate = slot === 0 && cellName !== 'rnn';
      if (!gate || wild) return random.pick(ONNX_ACTIVATIONS);
      return random.pick(coupled ? UNIT : BOUNDED);
    });
  const parameters = (which: 'alpha' | 'beta'): number[] =>
    activations.map((name) => {
      const fallback = (ACTIVATIONS[name as ActivationName] as Activation)[which];
      if (fallback === undefined) return NaN;
      // float32 values, so that a file that stores them as such holds the same numbers.
      return Math.fround(random.chance(0.5) ? fallback : fallback + (random.next() - 0.5) * 0.4);
    });
  const hidden = fixed.hidden ?? random.pick(HIDDEN.filter((size) => size <= maxHidden));
  return {
    cell: cellName,
    direction,
    hidden,
    layout: onnx ? 0 : random.pick([0, 1]),
    activations,
    alphas: parameters('alpha'),
    betas: parameters('beta'),
    clip: random.chance(0.3) ? Math.fround(0.2 + random.next()) : 0,
    coupled,
    resetAfter: cellName === 'gru' && random.chance(0.5),
    maskedOutput: random.pick(['zero', 'repeat']),
    T,
    B,
    I: random.pick([1, 2, 3, 4, 7, 8, 19]),
    bias: random.chance(0.7),
    lengths: random.chance(0.4) ? Array.from({ length: B }, () => random.int(0, T)) : undefined,
    initialH: random.chance(0.5),
    initialC: lstm && random.chance(0.5),
    peepholes: lstm && random.chance(0.3),
    mask:
      !onnx && random.chance(0.3)
        ? Array.from({ length: T * B }, () => random.int(0, 1))
        : undefined,
    projected: lstm && !onnx && random.chance(0.3) ? random.int(1, hidden) : 0,
    outputs: random.pick([
      [true, true, lstm],
      [true, false, false],
      [false, true, lstm],
      [true, true, false],
    ]),
    ...insisted,
  };
}

/** A layer as a graph, its own weights inside, and one set of feeds. */
export interface RecurrentCase {
  readonly config: RecurrentConfig;
  readonly graph: Graph;
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** Everything about the layer on one line, for the message of a failing test. */
  readonly label: string;
}

/** The graph of one layer with random weights, states and input. */
export function recurrentCase(random: Random, config: RecurrentConfig): RecurrentCase {
  const { T, B, I, hidden: H, layout, projected, lengths, mask } = config;
  const { gates } = CELLS[config.cell];
  const D = config.direction === 'bidirectional' ? 2 : 1;
  const [G, O] = [gates.length, projected || H];
  const [constants, feeds] = [new Map<string, Tensor>(), {} as Record<string, Tensor>];
  const make = (dims: readonly number[], scale: number): Tensor =>
    tensor(
      random.floats(
        dims.reduce((a, b) => a * b, 1),
        scale,
      ),
      dims,
    );
  // Weights of this size keep the sums of a gate at order one, and R from amplifying its input.
  const constant = (name: string, dims: readonly number[], scale: number): string => {
    constants.set(name, make(dims, scale));
    return name;
  };
  const feed = (name: string, value: Tensor): string => {
    feeds[name] = value;
    return name;
  };
  const state = (size: number): number[] => (layout === 0 ? [D, B, size] : [B, D, size]);
  const maskValues = (values: readonly number[]): Tensor => {
    const order = Array.from(values, (_, i) =>
      layout === 0 ? values[i]! : values[(i % T) * B + Math.floor(i / T)]!,
    );
    return tensor(Uint8Array.from(order), layout === 0 ? [T, B] : [B, T], 'bool');
  };
  const inputs = [
    feed('X', make(layout === 0 ? [T, B, I] : [B, T, I], 1)),
    constant('W', [D, G * H, I], 1.5 / Math.sqrt(I)),
    constant('R', [D, G * H, O], 1 / Math.sqrt(O)),
    config.bias ? constant('B', [D, 2 * G * H], 0.5) : '',
    lengths ? feed('lengths', tensor(Int32Array.from(lengths), [B])) : '',
    config.initialH ? feed('initialH', make(state(O), 1)) : '',
    config.initialC ? feed('initialC', make(state(H), 1)) : '',
    config.peepholes ? constant('P', [D, 3 * H], 0.7) : '',
    mask ? feed('mask', maskValues(mask)) : '',
    projected ? constant('projection', [D, O, H], 1 / Math.sqrt(H)) : '',
  ];
  const infos: ValueInfo[] = Object.entries(feeds).map(([name, { type, dims }]) => ({
    name,
    type,
    dims,
  }));
  const shapes = [layout === 0 ? [T, D, B, O] : [B, T, D, O], state(O), state(H)];
  const outputs = ['Y', 'Y_h', 'Y_c'].map((name, slot) => (config.outputs[slot] ? name : ''));
  const { cell, direction, activations, alphas, betas, clip, coupled, resetAfter, maskedOutput } =
    config;
  const attributes: RecurrentAttributes = {
    cell,
    direction,
    hidden: H,
    layout,
    activations,
    alphas,
    betas,
    clip,
    coupled,
    resetAfter,
    maskedOutput,
  };
  const graph: Graph = {
    name: 'recurrent',
    inputs: infos,
    outputs: outputs.flatMap((name, slot) =>
      name === '' ? [] : [{ name, type: 'float32' as const, dims: shapes[slot]! }],
    ),
    constants,
    nodes: [{ op: 'Recurrent', name: 'layer', inputs, outputs, attributes }],
  };
  return { config, graph, feeds, label: describeConfig(config) };
}

/** A random layer with random numbers. */
export function randomRecurrent(random: Random, fixed?: RecurrentRestrictions): RecurrentCase {
  return recurrentCase(random, randomRecurrentConfig(random, fixed));
}

/** Every value of a configuration that is not off, on one line. */
export function describeConfig(config: RecurrentConfig): string {
  return Object.entries(config)
    .filter(([, value]) => value !== undefined && value !== false && value !== 0)
    .map(
      ([key, value]) => `${key}=${Array.isArray(value) ? `[${value.join(',')}]` : String(value)}`,
    )
    .join(' ');
}
