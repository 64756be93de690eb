// The nodes of a recurrent layer.
import { CELLS, type Cell, type CellName } from '../cells/index.ts';
import type { Dim } from '../graph-builder.ts';
import { initialStateSlot } from '../graph.ts';
import type { RecurrentAttributes, ValueInfo } from '../graph.ts';
import { tensor, type Tensor } from '../tensor.ts';
import { readActivation } from './activation.ts';
import { expectSequence, expectWidth, invalid, mismatch, readChoice, show } from './layer.ts';
import type { Place } from './layer.ts';
import type { AnyOptions, MergeMode } from './recurrent-options.ts';
import { readRecurrent } from './recurrent-weights.ts';

/** What a layer reads besides its sequence. */
interface Extra {
  readonly lengths?: ValueInfo | undefined;
  readonly mask?: ValueInfo | undefined;
  readonly initialState?: readonly ValueInfo[] | undefined;
}

/** Sizes of the states of a layer. */
interface States {
  readonly batch: Dim;
  readonly D: 1 | 2;
  /** Of each state of the cell. */
  readonly widths: readonly number[];
  /** The axis of directions. */
  readonly axis: 0 | 1;
}

/** Appends a layer: one output, or two where directions are not merged, and on demand its last states. */
export function appendRecurrent(
  place: Place,
  cell: Cell,
  options: AnyOptions,
  extra: Extra = {},
): { readonly ys: readonly ValueInfo[]; readonly states: () => ValueInfo[] } {
  const { builder, x, layout, stem, path } = place;
  const choices = ['forward', 'reverse', 'bidirectional'] as const;
  const direction = readChoice(options.direction ?? 'forward', choices, `${path}.direction`);
  const D = direction === 'bidirectional' ? 2 : 1;
  const { W, R, B, P, projection, I, H, O } = readRecurrent(options, cell, D, path);
  expectWidth(place, I);
  if (x.dims.length !== 3) throw mismatch(path, `an input ${show(x)}`, 'a sequence of 3 axes');
  const { batch, time } = expectSequence(place);
  const constant = (key: string, weights: Tensor | undefined): string =>
    weights ? builder.constant(`${stem}/${key}`, () => weights) : '';
  const states: States = {
    batch,
    D,
    widths: cell.states.map((_, k) => (k === 0 ? O : H)),
    axis: layout === 1 ? 1 : 0,
  };
  const inputs: string[] = [];
  inputs.push(x.name, constant('W', W), constant('R', R), constant('B', B));
  inputs.push(lengthsOf(extra.lengths, batch, path), '', '', constant('P', P));
  inputs.push(maskOf(extra.mask, layout === 1 ? [batch, time] : [time, batch], path));
  inputs.push(constant('projection', projection));
  initialStates(place, states, extra.initialState ?? []).forEach((name, k) => {
    inputs[initialStateSlot(k)] = name;
  });
  const used = inputs.slice(0, inputs.findLastIndex((name) => name !== '') + 1);
  const sequences = options.returnSequences ?? true;
  const attributes = attributesOf(cell, options, { direction, layout, hidden: H }, path);
  // A stack reads one output; in a functional graph those that nobody reads are left out at its end.
  const wanted = [
    sequences,
    ...cell.states.map((_, k) => extra.initialState !== undefined || (k === 0 && !sequences)),
  ];
  const [y, ...last] = builder.nodes('Recurrent', stem, used, attributes, wanted);
  const merge = options.merge ?? 'concat';
  const lead = sequences ? [x.dims[0]!, x.dims[1]!] : [batch];
  const axis = sequences ? (layout === 1 ? 2 : 1) : states.axis;
  const made = { from: sequences ? y! : last[0]!, lead, axis, D, width: O };
  return {
    ys: merge === 'none' ? separate(place, made) : [joined(place, made, merge)],
    states: () => lastStates(place, states, last),
  };
}

function lengthsOf(lengths: ValueInfo | undefined, batch: Dim, path: string): string {
  if (lengths === undefined) return '';
  const { type, dims } = lengths;
  if ((type === 'int32' || type === 'int64') && dims.length === 1 && agree(dims[0]!, batch)) {
    return lengths.name;
  }
  throw mismatch(`${path}.lengths`, show(lengths), `integers [${batch}]`);
}

function maskOf(mask: ValueInfo | undefined, dims: readonly Dim[], path: string): string {
  if (mask === undefined) return '';
  if (mask.dims.length === 2 && mask.dims.every((dim, i) => agree(dim, dims[i]!))) return mask.name;
  throw mismatch(`${path}.mask`, show(mask), `bool or numbers [${dims.join(', ')}]`);
}

/** Whether two sizes may be the same. */
const agree = (a: Dim, b: Dim): boolean =>
  a === b || typeof a === 'string' || typeof b === 'string';

/** The initial value of each state of the cell, from one of each state and direction. */
function initialStates(
  { builder, stem, path }: Place,
  states: States,
  given: readonly ValueInfo[],
) {
  const { D, widths, batch, axis } = states;
  if (given.length === 0) return [];
  const at = `${path}.initialState`;
  const count = D * widths.length;
  if (given.length !== count) throw invalid(at, given.length, `${count} states`);
  const axes = builder.ints([axis]);
  return widths.map((width, k) => {
    const parts = Array.from({ length: D }, (_, d) => {
      const index = d * widths.length + k;
      const state = given[index]!;
      const { type, dims } = state;
      const fits = type === 'float32' && dims.length === 2 && dims[1] === width;
      if (!fits || !agree(dims[0]!, batch)) {
        throw mismatch(`${at}[${index}]`, show(state), `float32 [${batch}, ${width}]`);
      }
      return builder.node('Unsqueeze', `${stem}/initial`, [state.name, axes]);
    });
    return D === 1 ? parts[0]! : builder.node('Concat', `${stem}/initial`, parts, { axis });
  });
}

/** Every state after the last step, [B, width]: those of a direction next to one another. */
function lastStates(place: Place, { D, widths, batch, axis }: States, last: readonly string[]) {
  return Array.from({ length: D }, (_, d) =>
    widths.map((width, k): ValueInfo => {
      const made = { from: last[k]!, lead: [batch], axis, D, width };
      return oneDirection(place, made, d, 'last');
    }),
  ).flat();
}

/** A value with an axis of directions. */
interface Made {
  readonly from: string;
  /** The axes in front of the units, without that of directions. */
  readonly lead: readonly Dim[];
  readonly axis: number;
  readonly D: number;
  readonly width: number;
}

const info = ({ lead }: Made, name: string, size: number): ValueInfo => ({
  name,
  type: 'float32',
  dims: [...lead, size],
});

/** One direction of a value. */
function oneDirection({ builder, stem }: Place, made: Made, d: number, what: string): ValueInfo {
  const { from, axis, D, width } = made;
  if (D === 1) {
    return info(
      made,
      builder.node('Squeeze', `${stem}/${what}`, [from, builder.ints([axis])]),
      width,
    );
  }
  const index = builder.constant(`int:${d}`, () => tensor(BigInt64Array.of(BigInt(d)), []));
  return info(made, builder.node('Gather', `${stem}/${what}`, [from, index], { axis }), width);
}

const separate = (place: Place, made: Made): ValueInfo[] =>
  ['forward', 'backward'].map((what, d) => oneDirection(place, made, d, what));

const REDUCTIONS = { sum: 'ReduceSum', mul: 'ReduceProd', ave: 'ReduceMean' } as const;

/** Takes the axis of directions out of a value. */
function joined(place: Place, made: Made, merge: MergeMode): ValueInfo {
  const { builder, stem, path } = place;
  const { from, lead, axis, D, width } = made;
  if (D === 1) return oneDirection(place, made, 0, 'y');
  const axes = builder.ints([axis]);
  if (merge !== 'concat') {
    if (!Object.hasOwn(REDUCTIONS, merge))
      throw invalid(`${path}.merge`, merge, 'concat, sum, mul or ave');
    const op = REDUCTIONS[merge];
    return info(made, builder.node(op, `${stem}/${merge}`, [from, axes], { keepdims: 0 }), width);
  }
  // Concatenated along the units: the axis of directions goes to where the units are next to it.
  const last = lead.length;
  const perm = Array.from({ length: last + 2 }, (_, k) => k);
  perm.splice(last, 0, ...perm.splice(axis, 1));
  const ordered =
    axis === last ? from : builder.node('Transpose', `${stem}/ordered`, [from], { perm });
  const shape = builder.ints([...lead.map(() => 0), 2 * width]);
  return info(made, builder.node('Reshape', `${stem}/concat`, [ordered, shape]), 2 * width);
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
