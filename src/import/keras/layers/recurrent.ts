// SimpleRNN, GRU, LSTM and RNN over one or several cells.
// https://keras.io/api/layers/recurrent_layers/, tfjs-layers/src/layers/recurrent.ts
import { CELLS } from '../../../cells/index.ts';
import type { Dim } from '../../../graph-builder.ts';
import type { RecurrentAttributes, ValueInfo } from '../../../graph.ts';
import { tensor } from '../../../tensor.ts';
import { concat } from '../../concat.ts';
import { readCells, statesOf, type CellSpec, type UnboundCell } from './cells.ts';
import type { Config, LayerConfig } from './config.ts';
import { knownDim, misfit, unsupported, value } from './layer.ts';
import type { KerasTensor, LayerCall, Translate } from './layer.ts';
import type { Weights } from './weights.ts';

/** A recurrent layer of one direction, read from its config. */
export interface RecurrentLayer {
  readonly cells: readonly UnboundCell[];
  readonly goBackwards: boolean;
  readonly returnSequences: boolean;
  readonly returnState: boolean;
  /** Zeros at masked steps; else the output before is repeated. */
  readonly zeroMasked: boolean;
  /** States of the last cell come first. */
  readonly reversedStates: boolean;
  /** Calls go on from the state of the call before. */
  readonly stateful: boolean;
}

/** Reads the options that SimpleRNN, GRU, LSTM and RNN have in common. */
export function readLayer(call: LayerCall, layer: LayerConfig, weights: Weights): RecurrentLayer {
  const { config } = layer;
  if (config.flag('time_major', false)) {
    throw unsupported(
      call,
      'time_major',
      'takes sequences as [batch, time, features], got time_major',
    );
  }
  if (config.count('num_constants', 0, 0) > 0) {
    throw unsupported(call, 'num_constants', 'takes no constants besides its states');
  }
  return {
    cells: readCells(layer, weights, call.dialect),
    goBackwards: config.flag('go_backwards', false),
    returnSequences: config.flag('return_sequences', false),
    returnState: config.flag('return_state', false),
    zeroMasked: config.flag('zero_output_for_mask', false),
    // What TimeDistributed wraps is called anew for each frame.
    stateful: config.flag('stateful', false) && !call.detached,
    reversedStates: call.dialect.name === 'tfjs' || reversesStates(config),
  };
}

function reversesStates(config: Config): boolean {
  if (config.raw('cell') === undefined || Array.isArray(config.raw('cell'))) return false;
  const cell = config.child('cell');
  return (
    cell.raw('config') !== undefined && cell.child('config').flag('reverse_state_order', false)
  );
}

/** What a `Recurrent` node gives. Names of values; absent where nobody asked. */
export interface RecurrentValues {
  readonly y: string;
  readonly h: string;
  readonly c: string;
}

/** What one `Recurrent` node is to do. */
export interface RecurrentRun {
  /** Node and constants are called after it. */
  readonly stem: string;
  readonly name: string;
  readonly x: ValueInfo;
  readonly mask: ValueInfo | undefined;
  readonly zeroMasked: boolean;
  readonly stateful: boolean;
  readonly direction: RecurrentAttributes['direction'];
  /** One for each direction; they agree on cell, H and place of the reset gate. */
  readonly cells: readonly CellSpec[];
  /** [B, D, H] each; '' for zeros. */
  readonly initial: readonly string[];
  /** Whether anybody wants Y [B, T, D, H], Y_h and Y_c [B, D, H]. */
  readonly wants: readonly boolean[];
}

type Part = (cell: CellSpec) => Float32Array;

/** Appends one `Recurrent` node. */
export function recurrentNode(call: LayerCall, run: RecurrentRun): RecurrentValues {
  const { builder } = call;
  const { cells, name } = run;
  const first = cells[0]!;
  const width = CELLS[first.cell].gates.length * first.hidden;
  const stacked = (suffix: string, dims: readonly number[], part: Part): string =>
    builder.constant(`${name}/${suffix}`, () =>
      tensor(concat(cells.map(part)), [cells.length, ...dims]),
    );
  const W = stacked('W', [width, first.inputs], (cell) => cell.W());
  const R = stacked('R', [width, first.hidden], (cell) => cell.R());
  const biased = cells.some((cell) => cell.B);
  const B = biased
    ? stacked('B', [2 * width], (cell) => cell.B?.() ?? new Float32Array(2 * width))
    : '';
  const activations = cells.flatMap((cell) => cell.activations);
  const attributes: RecurrentAttributes = {
    cell: first.cell,
    direction: run.direction,
    hidden: first.hidden,
    layout: 1,
    activations: activations.map((activation) => activation.name),
    alphas: activations.map((activation) => activation.alpha),
    betas: activations.map((activation) => activation.beta),
    clip: 0,
    coupled: false,
    resetAfter: first.resetAfter,
    maskedOutput: run.zeroMasked ? 'zero' : 'repeat',
    ...(run.stateful && { stateful: true }),
  };
  const [h = '', c = ''] = run.initial;
  const inputs = [run.x.name, W, R, B, '', h, c, '', run.mask?.name ?? ''];
  const used = inputs.findLastIndex((input) => input !== '') + 1;
  const wants = run.wants.slice(0, 1 + statesOf(first));
  const names = builder.nodes('Recurrent', run.stem, inputs.slice(0, used), attributes, wants);
  return { y: names[0] ?? '', h: names[1] ?? '', c: names[2] ?? '' };
}

/** A sequence that reaches a recurrent layer, and the states that may follow it. */
export function sequenceOf(call: LayerCall): readonly [KerasTensor, readonly KerasTensor[]] {
  const [x, ...states] = call.inputs;
  if (x?.dims.length !== 3) {
    throw misfit(
      call,
      `got an input of shape [${x?.dims.join(', ')}], expected [batch, time, features]`,
    );
  }
  return [x, states];
}

/** How a layer stands in the model. */
export interface Placement {
  /** What its constants and nodes are called after. */
  readonly name: string;
  readonly stem: string;
  /** Reverse a sequence once more, as Bidirectional does with its second one. */
  readonly turned: boolean;
}

/** Appends a recurrent layer of one direction: its output, then its states if it returns them. */
export function runLayer(
  call: LayerCall,
  layer: RecurrentLayer,
  x: KerasTensor,
  states: readonly KerasTensor[],
  { name, stem, turned }: Placement,
): KerasTensor[] {
  const { builder, mask } = call;
  const batch = x.dims[0]!;
  const cells: CellSpec[] = [];
  for (const cell of layer.cells)
    cells.push(cell.bind(cells.at(-1)?.hidden ?? knownDim(call, x, -1)));
  const initial = initialStates(call, layer, cells, x, states);
  // A row without a single step that counts ends with zeros in Keras, with its state in TF.js.
  const lastFromY =
    mask !== undefined &&
    (layer.zeroMasked || (states.length > 0 && call.dialect.startsMaskedAt === 'zero'));
  let input: ValueInfo = x;
  let output: KerasTensor | undefined;
  const ends: KerasTensor[][] = cells.map((cell, i) => {
    const last = i === cells.length - 1;
    const [own, node] =
      cells.length === 1 ? [name, stem] : [`${name}/cell_${i}`, `${stem}/cell_${i}`];
    const wantsY = !last || layer.returnSequences || lastFromY;
    const squeeze = (from: string, axis: number, dims: readonly Dim[]): KerasTensor =>
      value(builder.node('Squeeze', `${node}/squeeze`, [from, builder.ints([axis])]), dims);
    const { y, h, c } = recurrentNode(call, {
      stem: node,
      name: own,
      x: input,
      mask,
      zeroMasked: last && layer.zeroMasked,
      stateful: layer.stateful,
      direction: layer.goBackwards ? 'reverse' : 'forward',
      cells: [cell],
      initial: initial[i]!,
      wants: [wantsY, layer.returnState || (last && !wantsY), layer.returnState],
    });
    const dims = [batch, cell.hidden];
    const ending = [h, c].flatMap((from) => (from === '' ? [] : [squeeze(from, 1, dims)]));
    if (!last) input = squeeze(y, 2, [batch, x.dims[1]!, cell.hidden]);
    else if (layer.returnSequences) {
      const sequence = squeeze(y, 2, [batch, x.dims[1]!, cell.hidden]);
      const started = startedSequence(call, layer, sequence, initial[i]![0], node);
      // The mask stays as it is, also where the sequence is reversed: so do Keras and TF.js.
      output = layer.goBackwards === turned ? started : reversedInTime(call, started, node);
    } else if (lastFromY) {
      const at = builder.constant(`int:${layer.goBackwards ? 0 : -1}`, () =>
        tensor(BigInt64Array.of(layer.goBackwards ? 0n : -1n), []),
      );
      output = squeeze(builder.node('Gather', `${node}/last`, [y, at], { axis: 1 }), 1, dims);
    } else output = ending[0];
    return ending;
  });
  const ordered = layer.reversedStates ? ends.toReversed() : ends;
  return [output!, ...(layer.returnState ? ordered.flat() : [])];
}

/** Puts the states that a model passes where each cell wants them, [B, 1, H] each. */
function initialStates(
  call: LayerCall,
  layer: RecurrentLayer,
  cells: readonly CellSpec[],
  x: KerasTensor,
  states: readonly KerasTensor[],
): string[][] {
  const { builder, stem } = call;
  const sizes = cells.map((cell) => Array.from({ length: statesOf(cell) }, () => cell.hidden));
  if (states.length === 0) {
    return sizes.map((own) => own.map((size) => (call.detached ? zeroState(call, x, size) : '')));
  }
  const order = layer.reversedStates ? sizes.toReversed() : sizes;
  if (states.length !== order.flat().length) {
    throw misfit(call, `got ${states.length} initial states, expected ${order.flat().length}`);
  }
  order.flat().forEach((size, i) => {
    const { dims } = states[i]!;
    if (dims.length !== 2 || (typeof dims[1] === 'number' && dims[1] !== size)) {
      throw misfit(
        call,
        `got initial state ${i} of shape [${dims.join(', ')}], expected [batch, ${size}]`,
      );
    }
  });
  const names = states.map((state) =>
    builder.node('Unsqueeze', `${stem}/state`, [state.name, builder.ints([1])]),
  );
  const placed = order.map((own) => names.splice(0, own.length));
  return layer.reversedStates ? placed.toReversed() : placed;
}

/**
 * Zeros [B, 1, H] for a layer inside TimeDistributed, whose every sequence begins anew. They are
 * made from the numbers of the input, for a stream takes a state that is made from nothing, or from
 * shapes alone, for one that it should carry.
 */
function zeroState({ builder, stem }: LayerCall, x: ValueInfo, size: number): string {
  const range = [builder.ints([0, 0]), builder.ints([1, 1]), builder.ints([1, 2])];
  const first = builder.node('Slice', `${stem}/first`, [x.name, ...range]);
  const never = builder.node('Less', `${stem}/never`, [first, first]);
  const zero = builder.node('Cast', `${stem}/zero`, [never], { to: 'float32' });
  return builder.node('Expand', `${stem}/zeros`, [zero, builder.ints([1, 1, size])]);
}

/** Before the first step that counts, TF.js repeats the initial state where Keras has zeros. */
function startedSequence(
  call: LayerCall,
  layer: RecurrentLayer,
  y: KerasTensor,
  initial: string | undefined,
  stem: string,
): KerasTensor {
  const { builder, mask } = call;
  const zeros = layer.zeroMasked || call.dialect.startsMaskedAt === 'zero';
  if (!mask || !initial || zeros) return { ...y, mask };
  const one = builder.node('Cast', `${stem}/counts`, [mask.name], { to: 'int32' });
  const axis = builder.constant('int:1', () => tensor(BigInt64Array.of(1n), []));
  const reverse = Number(layer.goBackwards);
  const seen = builder.node('CumSum', `${stem}/seen`, [one, axis], { exclusive: 0, reverse });
  const zero = builder.constant('int32:0', () => tensor(Int32Array.of(0), []));
  const none = builder.node('Equal', `${stem}/before`, [seen, zero]);
  const wide = builder.node('Unsqueeze', `${stem}/before_wide`, [none, builder.ints([2])]);
  return value(builder.node('Where', `${stem}/started`, [wide, initial, y.name]), y.dims, mask);
}

/** [B, T, H] in reverse order of time. */
function reversedInTime({ builder }: LayerCall, y: KerasTensor, stem: string): KerasTensor {
  const ends = [
    builder.ints([-1]),
    builder.ints([-(2 ** 31)]),
    builder.ints([1]),
    builder.ints([-1]),
  ];
  return { ...y, name: builder.node('Slice', `${stem}/reversed`, [y.name, ...ends]) };
}

/** SimpleRNN, GRU, LSTM, RNN. */
export const translateRecurrent: Translate = (call) => {
  const { className, config, name, stem } = call;
  const layer = readLayer(call, { className, config }, call.weights);
  const [x, states] = sequenceOf(call);
  return runLayer(call, layer, x, states, { name, stem, turned: false });
};
