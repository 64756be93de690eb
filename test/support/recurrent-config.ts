// Random configurations of recurrent layers, over every feature that there is.
import fc from 'fast-check';
import {
  ACTIVATIONS,
  CELLS,
  type Activation,
  type ActivationName,
  type CellName,
} from '../../src/cells/index.ts';
import type { RecurrentAttributes } from '../../src/graph.ts';
import { chance, oneOf, optional, seeds, times, type Drawn } from './property.ts';
import { randomOf } from './random.ts';

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
  /** Which of Y, Y_h, Y_c are outputs. */
  readonly outputs: readonly [boolean, boolean, boolean];
}

/** What a test fixes of the layers it draws. */
export type RecurrentRestrictions = Partial<Omit<RecurrentConfig, 'T' | 'B'>> & {
  /** Time steps, or what to choose from. */
  readonly T?: number | readonly number[];
  /** Rows of a batch, or what to choose from. */
  readonly B?: number | readonly number[];
  readonly maxHidden?: number;
  /** Every layer has random lengths. */
  readonly packed?: true;
  /**
   * Least length of a row; 0 when left out. For a row of no steps ONNX Runtime gives zeros instead of the
   * initial state.
   */
  readonly minLength?: 0 | 1;
  /** Every layer has a random mask. */
  readonly masked?: true;
  /** Leaves out what the ONNX operators do not have. */
  readonly onnx?: boolean;
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
// Within 0 and 1 for the same reason where the state is a mean of the last one and a new one, f = 1 - i.
const UNIT = ['Sigmoid', 'HardSigmoid'] as const;

// 1, primes, powers of two, and sizes next to the widths of workgroups and vectors.
const HIDDEN = [1, 2, 3, 4, 5, 7, 8, 13, 16, 17, 31, 32, 33, 64, 65, 67, 128, 129];
const STEPS = [1, 2, 3, 5, 9];
const ROWS = [1, 2, 3, 5];

const MAX_ACTIVATIONS = 6; // three of an LSTM in two directions

const listOf = (sizes: number | readonly number[] | undefined, usual: readonly number[]) =>
  typeof sizes === 'number' ? [sizes] : (sizes ?? usual);

/**
 * Choices from which `configOf` makes a layer, more than one layer needs. They are independent of each other, and each
 * shrinks towards the plainest layer: one unit, one step, one row, no option. So the options that are left of a failing
 * layer are those that make it fail.
 */
export function recurrentChoices({
  T,
  B,
  maxHidden = 33,
  packed,
  masked,
}: RecurrentRestrictions = {}) {
  const rows = listOf(B, ROWS);
  return fc.record({
    cell: oneOf<CellName>(['rnn', 'gru', 'lstm']),
    direction: oneOf(['forward', 'reverse', 'bidirectional'] as const),
    hidden: oneOf(HIDDEN.filter((size) => size <= maxHidden)),
    layout: oneOf([0, 1] as const),
    T: oneOf(listOf(T, STEPS)),
    B: oneOf(rows),
    I: oneOf([1, 2, 3, 4, 7, 8, 19]),
    /** For each activation 0 for the cell's default, else a place in a list of those that may be there. */
    activations: optional(0.5, times(MAX_ACTIVATIONS, fc.nat(ONNX_ACTIVATIONS.length))),
    unbounded: chance(0.5),
    /** Where alpha and beta are not the defaults. */
    parameterSeed: optional(0.5, seeds),
    clip: optional(0.3, fc.nat(999)),
    coupled: chance(0.3),
    resetAfter: chance(0.5),
    maskedOutput: oneOf(['zero', 'repeat'] as const),
    bias: chance(0.7),
    /** How many steps each row lacks. */
    missing: optional(packed ? 1 : 0.4, times(Math.max(...rows), fc.nat(99))),
    initialH: chance(0.5),
    initialC: chance(0.5),
    peepholes: chance(0.3),
    maskSeed: optional(masked ? 1 : 0.3, seeds),
    projected: optional(0.3, fc.nat(999)),
    outputs: oneOf(['Y', 'Y and states', 'states', 'Y and Y_h'] as const),
  });
}

/** The choices that make one layer. */
export type RecurrentChoices = Drawn<ReturnType<typeof recurrentChoices>>;

/** The defaults, or float32 values up to 0.2 from them: files hold parameters as float32. */
function parametersOf(
  activations: readonly ActivationName[],
  which: 'alpha' | 'beta',
  seed: number | undefined,
): number[] {
  const random = seed === undefined ? undefined : randomOf(which === 'alpha' ? seed : ~seed);
  return activations.map((name) => {
    const fallback = (ACTIVATIONS[name] as Activation)[which];
    if (fallback === undefined) return NaN;
    return Math.fround(random ? fallback + (random.next() - 0.5) * 0.4 : fallback);
  });
}

function activationsOf(
  drawn: RecurrentChoices,
  cellName: CellName,
  { T, direction, coupled }: Pick<RecurrentConfig, 'T' | 'direction' | 'coupled'>,
): ActivationName[] {
  const defaults = CELLS[cellName].activations as readonly ActivationName[];
  // Unbounded functions everywhere only where there are too few steps for them to run away.
  const unbounded = T <= 2 && drawn.unbounded;
  const count = defaults.length * (direction === 'bidirectional' ? 2 : 1);
  return Array.from({ length: count }, (_, k) => {
    const slot = k % defaults.length;
    const choice = drawn.activations?.[k] ?? 0;
    if (choice === 0) return defaults[slot]!;
    const isGate = slot === 0 && cellName !== 'rnn';
    const isMean = coupled || (cellName === 'gru' && T > 9);
    const allowed = !isGate || unbounded ? ONNX_ACTIVATIONS : isMean ? UNIT : BOUNDED;
    return allowed[(choice - 1) % allowed.length]!;
  });
}

/** The layer of some choices; what `fixed` has is taken as it is. */
export function configOf(
  drawn: RecurrentChoices,
  fixed: RecurrentRestrictions = {},
): RecurrentConfig {
  const { onnx = false, minLength = 0, ...others } = fixed;
  const { T: _T, B: _B, maxHidden: _max, packed: _packed, masked: _masked, ...attributes } = others;
  const cell = fixed.cell ?? drawn.cell;
  const lstm = cell === 'lstm';
  const direction = fixed.direction ?? drawn.direction;
  const coupled = fixed.coupled ?? (lstm && drawn.coupled);
  const { T, B } = drawn;
  const activations = fixed.activations ?? activationsOf(drawn, cell, { T, direction, coupled });
  const parameters = (which: 'alpha' | 'beta'): number[] =>
    parametersOf(activations as readonly ActivationName[], which, drawn.parameterSeed);
  const hidden = fixed.hidden ?? drawn.hidden;
  const bits = onnx || drawn.maskSeed === undefined ? undefined : randomOf(drawn.maskSeed);
  return {
    cell,
    direction,
    hidden,
    layout: onnx ? 0 : drawn.layout,
    activations,
    alphas: parameters('alpha'),
    betas: parameters('beta'),
    clip: drawn.clip === undefined ? 0 : Math.fround(1.2 - drawn.clip / 1000),
    coupled,
    resetAfter: cell === 'gru' && drawn.resetAfter,
    maskedOutput: drawn.maskedOutput,
    T,
    B,
    I: drawn.I,
    bias: drawn.bias,
    lengths: drawn.missing?.slice(0, B).map((steps) => T - (steps % (T + 1 - minLength))),
    initialH: drawn.initialH,
    initialC: lstm && drawn.initialC,
    peepholes: lstm && drawn.peepholes,
    mask: bits && Array.from({ length: T * B }, () => bits.int(0, 1)),
    projected: lstm && !onnx && drawn.projected !== undefined ? 1 + (drawn.projected % hidden) : 0,
    outputs: [
      drawn.outputs !== 'states',
      drawn.outputs !== 'Y',
      lstm && (drawn.outputs === 'states' || drawn.outputs === 'Y and states'),
    ],
    ...attributes,
  };
}

/** Random layers with what `fixed` has. */
export const recurrentConfigs = (
  fixed: RecurrentRestrictions = {},
): fc.Arbitrary<RecurrentConfig> => recurrentChoices(fixed).map((drawn) => configOf(drawn, fixed));

/** Every value of a configuration that is not off, on one line. */
export function describeConfig(config: RecurrentConfig): string {
  return Object.entries(config)
    .filter(([, value]) => value !== undefined && value !== false && value !== 0)
    .map(
      ([key, value]) => `${key}=${Array.isArray(value) ? `[${value.join(',')}]` : String(value)}`,
    )
    .join(' ');
}
