// The Recurrent operator: what a node must look like. What it computes is in recurrent-steps.ts.
// Files are not trusted: every shape is checked against every other before a number is read.
import { ACTIVATIONS, CELLS, cellOf, type Cell } from '../cells/index.ts';
import {
  directionsOf,
  initialStateSlot,
  RECURRENT_INPUTS,
  recurrentAttributes,
  type Node,
} from '../graph.ts';
import { define, expectDims, invalid, mismatch, type Call, type Output } from './define.ts';
import type { Operator } from './operator.ts';
import { runRecurrent, variantOf, type RecurrentSizes } from './recurrent-steps.ts';
import type { Dims } from './shapes.ts';

const SLOT = Object.fromEntries(RECURRENT_INPUTS.map((name, slot) => [name, slot])) as Readonly<
  Record<(typeof RECURRENT_INPUTS)[number], number>
>;

/** Checks the attributes of a `Recurrent` node, which may come from anywhere. */
function checkAttributes({ attributes }: Node, path: string): Cell {
  const require = (name: string, holds: boolean, expected: string): void => {
    const got = attributes[name];
    if (!holds) throw invalid(`${path}.${name}`, 'attribute', [got], expected);
  };
  const oneOf = (name: string, choices: readonly unknown[]): void =>
    require(name, choices.includes(attributes[name]), `one of ${choices.join(', ')}`);
  const numbers = (name: string, length: number): void => {
    const got = attributes[name];
    const holds = Array.isArray(got) && got.every((value) => typeof value === 'number');
    require(name, holds && got.length === length, `${length} numbers`);
  };
  if (typeof attributes['cell'] !== 'object') oneOf('cell', Object.keys(CELLS));
  oneOf('direction', ['forward', 'reverse', 'bidirectional']);
  oneOf('layout', [0, 1]);
  oneOf('maskedOutput', ['zero', 'repeat']);
  const cell = cellOf(attributes['cell'] as keyof typeof CELLS | Cell);
  oneOf('coupled', cell === CELLS.lstm ? [false, true] : [false]);
  oneOf('resetAfter', cell === CELLS.gru ? [false, true] : [false]);
  const { hidden, clip, activations } = attributes;
  require('hidden', Number.isSafeInteger(hidden) &&
    (hidden as number) > 0, 'a whole number, 1 or more');
  require('clip', Number.isFinite(clip) && (clip as number) >= 0, 'a number, 0 or more');
  const count = cell.activations.length * (attributes['direction'] === 'bidirectional' ? 2 : 1);
  require('activations', Array.isArray(activations) &&
    activations.length === count, `${count} names`);
  for (const activation of activations as readonly unknown[]) {
    const known = Object.keys(ACTIVATIONS);
    require('activations', known.includes(activation as string), `names among ${known.join(', ')}`);
  }
  numbers('alphas', count);
  numbers('betas', count);
  return cell;
}

/** The sizes of a node, once everything it reads agrees with them. */
function checkInputs(call: Call, cell: Cell): RecurrentSizes {
  const attributes = recurrentAttributes(call.node);
  const { hidden: H, layout } = attributes;
  const G = cell.gates.length;
  const D = directionsOf(attributes);
  const { type, dims: x } = call.input(SLOT.X, 'float');
  if (x.length !== 3) {
    const order = layout === 0 ? '[T, B, I]' : '[B, T, I]';
    throw mismatch(call.at(SLOT.X), 'shape', x, order);
  }
  const I = x[2]!;
  const [T, B] = layout === 0 ? [x[0]!, x[1]!] : [x[1]!, x[0]!];
  const float = (slot: number): Dims | undefined => {
    const found = call.optional(slot, 'float');
    if (found && found.type !== type)
      throw invalid(call.at(slot), 'element type', found.type, type);
    return found?.dims;
  };
  const check = (slot: number, dims: Dims, meaning: string): void => {
    const got = float(slot);
    if (got) expectDims(call.at(slot), got, dims, meaning);
  };
  const variant = variantOf(attributes, call.inputs[SLOT.P] !== undefined);
  const parameters = cell.parameters(variant).filter((each) => each.recurrentBias === undefined);
  const multiplies = cell.phases(variant).some(({ product }) => product.length > 0);
  const isCellWithMemory = cell.states.length > 1;
  const slots = Array.from({ length: call.inputs.length }, (_, slot) => slot);
  for (const slot of slots.filter((each) => call.inputs[each] !== undefined)) {
    const accepts =
      slot === SLOT.R
        ? multiplies
        : slot === SLOT.P
          ? parameters.length > 0
          : slot === SLOT.projection
            ? isCellWithMemory
            : slot !== SLOT.initialC || isCellWithMemory;
    const isState = slot < RECURRENT_INPUTS.length || slot < initialStateSlot(cell.states.length);
    if (!accepts || !isState) {
      throw invalid(call.at(slot), `input of a ${cell.name}`, 'a value', 'none');
    }
  }
  const O = float(SLOT.projection)?.[1] ?? H;
  call.input(SLOT.W);
  if (multiplies) call.input(SLOT.R);
  if (parameters.length > 0) call.input(SLOT.P);
  check(SLOT.projection, [D, O, H], 'D × O × H');
  if (O < 1) throw mismatch(call.at(SLOT.projection), 'width', O, '1 or more');
  check(SLOT.W, [D, G * H, I], `D × ${G}·H × I`);
  check(SLOT.R, [D, G * H, O], `D × ${G}·H × ${O === H ? 'H' : 'O'}`);
  check(SLOT.B, [D, 2 * G * H], `D × ${2 * G}·H`);
  check(SLOT.P, [D, parameters.length * H], `D × ${parameters.length}·H`);
  const state = (size: number): Dims => (layout === 0 ? [D, B, size] : [B, D, size]);
  check(SLOT.initialH, state(O), layout === 0 ? 'D × B × O' : 'B × D × O');
  for (const k of cell.states.keys()) {
    if (k > 0) check(initialStateSlot(k), state(H), layout === 0 ? 'D × B × H' : 'B × D × H');
  }
  const lengths = call.optional(SLOT.lengths, 'integer');
  if (lengths) expectDims(call.at(SLOT.lengths), lengths.dims, [B], 'B');
  const mask = call.optional(SLOT.mask);
  if (mask) {
    expectDims(
      call.at(SLOT.mask),
      mask.dims,
      layout === 0 ? [T, B] : [B, T],
      layout === 0 ? 'T × B' : 'B × T',
    );
  }
  // Where the numbers are not known yet, whoever learns them calls this again.
  checkLengths(call.host(SLOT.lengths)?.data ?? [], T, call.at(SLOT.lengths));
  return { T, B, I, H, D, G, O };
}

/**
 * Checks that every row's length is a number of steps from 0 to T.
 *
 * @throws RnnError `SHAPE_MISMATCH`
 */
export function checkLengths(lengths: ArrayLike<number>, T: number, path: string): void {
  for (let b = 0; b < lengths.length; b++) {
    const length = lengths[b]!;
    if (!(length >= 0 && length <= T))
      throw mismatch(`${path}[${b}]`, 'length', length, `0 to ${T}`);
  }
}

/** States of a cell beyond the second. A cell of so many would not fit the bindings of any kernel. */
const MAX_FURTHER_STATES = 8;

/** Every recurrent layer. */
export const recurrent: Operator = define(
  'Recurrent',
  [2, RECURRENT_INPUTS.length + MAX_FURTHER_STATES],
  (call) => {
    const cell = checkAttributes(call.node, call.path);
    const sizes = checkInputs(call, cell);
    const { T, B, H, D, O } = sizes;
    const { layout } = recurrentAttributes(call.node);
    const state = (size: number): Dims => (layout === 0 ? [D, B, size] : [B, D, size]);
    const shapes = [
      layout === 0 ? [T, D, B, O] : [B, T, D, O],
      state(O),
      ...cell.states.slice(1).map(() => state(H)),
    ];
    let results: readonly Float64Array[] | undefined;
    return shapes.map((dims, slot): Output => ({
      dims,
      fill: (out) => {
        results ??= runRecurrent(
          recurrentAttributes(call.node),
          sizes,
          call.inputs.map((_, i) => call.host(i)?.data),
        );
        out.set(results[slot]!);
      },
    }));
  },
  { inputNames: RECURRENT_INPUTS },
);
