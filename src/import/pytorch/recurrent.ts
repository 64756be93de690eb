// nn.RNN, nn.LSTM and nn.GRU with all their layers → one Recurrent node a layer.
// https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html
import { CELLS } from '../../cells/index.ts';
import type { GraphBuilder } from '../../graph-builder.ts';
import type { RecurrentAttributes, ValueInfo } from '../../graph.ts';
import { tensor } from '../../tensor.ts';
import { concat } from '../concat.ts';
import { GATE_ORDER, gateBiases, permuteGates } from '../../cells/gate-order.ts';
import type { PyTorchRecurrent } from './architecture.ts';
import { wrongArchitecture } from './check.ts';
import type { StateDict, StateTensor } from './state-dict.ts';

/** The weights of one layer in one direction, in PyTorch's order of gates. */
interface Weights {
  readonly W: StateTensor; // [G·H, I]
  readonly R: StateTensor; // [G·H, O]
  readonly bW: StateTensor | undefined; // [G·H]
  readonly bR: StateTensor | undefined; // [G·H]
  readonly projection: StateTensor | undefined; // [O, H]
}

/** A recurrent module read from its tensors. */
export interface RecurrentModule {
  readonly layers: readonly (readonly Weights[])[];
  readonly directions: 1 | 2;
  /** I, H, and O: H, or the projected size. */
  readonly inputs: number;
  readonly hidden: number;
  readonly outputs: number;
}

/**
 * Reads a module and checks its tensors against each other. `path` is that of the layer in the
 * architecture, undefined for one that was found out from the file.
 */
export function readRecurrent(
  layer: PyTorchRecurrent,
  state: StateDict,
  path: string | undefined,
): RecurrentModule {
  // nn.LSTMCell has the names of nn.LSTM without the number of the layer.
  const isCell = !state.find(layer, 'weight_ih_l0') && state.find(layer, 'weight_ih') !== undefined;
  const suffix = (k: number): string => (isCell ? '' : `_l${k}`);
  const directions = !isCell && state.find(layer, 'weight_ih_l0_reverse') ? 2 : 1;
  const gates = CELLS[layer.type].gates.length;
  const first = state.get(layer, `weight_ih${suffix(0)}`, path);
  if (first.dims.length !== 2) throw first.fail('2 axes, G·H × I');
  const { hidden, outputs, projected } = sizesOf(layer, state, suffix(0), path);
  const layers: Weights[][] = [];
  let width = first.dims[1]!;
  const isThere = (k: number): boolean =>
    k === 0 || (!isCell && state.find(layer, `weight_ih_l${k}`) !== undefined);
  for (let k = 0; isThere(k); k++) {
    const ends = directions === 2 ? [suffix(k), `${suffix(k)}_reverse`] : [suffix(k)];
    layers.push(
      ends.map((end): Weights => {
        const rows = gates * hidden;
        const meaning = `${gates} gates × ${hidden} hidden units`;
        const get = (leaf: string): StateTensor => state.get(layer, `${leaf}${end}`, path);
        const bW = state.find(layer, `bias_ih${end}`)?.expect([rows], meaning);
        return {
          W: get('weight_ih').expect([rows, width], `${meaning}, input`),
          R: get('weight_hh').expect([rows, outputs], `${meaning}, state`),
          bW,
          bR: bW && get('bias_hh').expect([rows], meaning),
          projection: projected
            ? get('weight_hr').expect([outputs, hidden], 'projection × hidden units')
            : undefined,
        };
      }),
    );
    width = directions * outputs;
  }
  return { layers, directions, inputs: first.dims[1]!, hidden, outputs };
}

/** H and O, from the weights of the first layer, checked against the number of gates. */
function sizesOf(
  layer: PyTorchRecurrent,
  state: StateDict,
  suffix: string,
  path: string | undefined,
) {
  const R = state.get(layer, `weight_hh${suffix}`, path);
  const projection = state.find(layer, `weight_hr${suffix}`);
  const [rows = 0, columns = 0] = R.dims;
  if (R.dims.length !== 2 || rows < 1 || columns < 1) throw R.fail('2 axes, G·H × H');
  const gates = CELLS[layer.type].gates.length;
  if (projection && layer.type !== 'lstm') throw projection.fail('none: only an LSTM has it');
  if (projection && projection.dims.length !== 2) throw projection.fail('2 axes, P × H');
  const hidden = projection?.dims[1] ?? columns;
  if (rows === gates * hidden) return { hidden, outputs: columns, projected: !!projection };
  const kind = Object.entries(CELLS).find(([, cell]) => rows === cell.gates.length * hidden)?.[0];
  const expected = `${gates * hidden} rows, ${gates} gates × ${hidden}`;
  throw kind && kind !== layer.type
    ? wrongArchitecture(
        `${path ?? ''}.type`,
        `got '${layer.type}', the weights are those of '${kind}'`,
      )
    : R.fail(`${expected} of '${layer.type}'`);
}

/** Inputs of a module besides x. */
export interface RecurrentInputs {
  readonly lengths: string;
  /** [D·L, B, O] and [D·L, B, H]. */
  readonly h0: string;
  readonly c0: string;
}

/** Values that a module gives; `''` where nobody wants one. */
export interface RecurrentResults {
  readonly y: ValueInfo;
  readonly hn: string;
  readonly cn: string;
}

/** [D, B, N] → [B, D, N] with layout 1, and back; the value itself with layout 0. */
const swapStates = (builder: GraphBuilder, layout: 0 | 1, value: string, stem: string): string =>
  layout === 0 ? value : builder.node('Transpose', stem, [value], { perm: [1, 0, 2] });

/** [D·L, B, N] → for each layer [D, B, N], or [B, D, N] with layout 1; `''` where there is no state. */
function statesByLayer(
  builder: GraphBuilder,
  { layers, directions }: RecurrentModule,
  layout: 0 | 1,
  value: string,
  stem: string,
): readonly string[] {
  if (value === '') return layers.map(() => '');
  const sizes = builder.ints(layers.map(() => directions));
  const parts =
    layers.length === 1
      ? [value]
      : builder.nodes('Split', stem, [value, sizes], { axis: 0 }, layers.length);
  return parts.map((part) => swapStates(builder, layout, part, stem));
}

/** The states of all layers as one value, [D·L, B, N]: the inverse of {@link statesByLayer}. */
function joinLayers(
  builder: GraphBuilder,
  layout: 0 | 1,
  parts: readonly string[],
  stem: string,
): string {
  const swapped = parts.map((part) => swapStates(builder, layout, part, stem));
  return swapped.length === 1 ? swapped[0]! : builder.node('Concat', stem, swapped, { axis: 0 });
}

/** The output that the layer declares, from Y of the last layer and its h after the last step. */
function selectOutput(
  builder: GraphBuilder,
  { directions, outputs }: RecurrentModule,
  { output }: PyTorchRecurrent,
  layout: 0 | 1,
  x: ValueInfo,
  { y, h }: { readonly y: string; readonly h: string },
  stem: string,
): ValueInfo {
  const [time, batch] = layout === 1 ? [1, 0] : [0, 1];
  const width = directions * outputs;
  if (output === 'hidden') {
    // Rows first, then directions: what layout 1 has already.
    const perm = [1, 0, 2];
    const rows = layout === 1 ? h : builder.node('Transpose', `${stem}/hidden`, [h], { perm });
    const name = builder.node('Reshape', `${stem}/hidden`, [rows, builder.ints([0, width])]);
    return { name, type: 'float32', dims: [x.dims[batch]!, width] };
  }
  if (output === 'last') {
    const index = builder.constant('last', () => tensor(BigInt64Array.of(-1n), []));
    const name = builder.node('Gather', `${stem}/last`, [y, index], { axis: time });
    return { name, type: 'float32', dims: [x.dims[batch]!, width] };
  }
  return { name: y, type: 'float32', dims: [...x.dims.slice(0, 2), width] };
}

/** Appends the nodes of a module. */
export function appendRecurrent(
  builder: GraphBuilder,
  module: RecurrentModule,
  layer: PyTorchRecurrent,
  x: ValueInfo,
  from: RecurrentInputs,
  wants: { readonly states: boolean; readonly stem: string },
): RecurrentResults {
  const { layers, directions, hidden } = module;
  const layout = layer.batchFirst ? 1 : 0;
  const { stem } = wants;
  const h0 = statesByLayer(builder, module, layout, from.h0, `${stem}/h0`);
  const c0 = statesByLayer(builder, module, layout, from.c0, `${stem}/c0`);
  const isLstm = layer.type === 'lstm';
  const takesHidden = layer.output === 'hidden';
  const attributes = attributesOf(layer, hidden, directions, layout);
  const last: { h: string[]; c: string[] } = { h: [], c: [] };
  let y = x.name;
  layers.forEach((weights, k) => {
    const isTop = k === layers.length - 1;
    const name = layers.length === 1 ? stem : `${stem}/l${k}`;
    const inputs = [
      y,
      ...constants(builder, weights, layer.type, hidden, name),
      from.lengths,
      h0[k]!,
      c0[k]!,
      '',
      '',
      weights[0]!.projection ? projections(builder, weights, hidden, name) : '',
    ];
    while (inputs.at(-1) === '') inputs.pop();
    const [Y = '', h = '', c = ''] = builder.nodes('Recurrent', name, inputs, attributes, [
      !isTop || !takesHidden,
      wants.states || (isTop && takesHidden),
      ...(isLstm ? [wants.states] : []),
    ]);
    last.h.push(h);
    last.c.push(c);
    if (Y !== '') y = joinDirections(builder, Y, module, layout, name);
  });
  return {
    y: selectOutput(builder, module, layer, layout, x, { y, h: last.h.at(-1)! }, stem),
    hn: wants.states ? joinLayers(builder, layout, last.h, `${stem}/hn`) : '',
    cn: wants.states && isLstm ? joinLayers(builder, layout, last.c, `${stem}/cn`) : '',
  };
}

/** [T, D, B, O] → [T, B, D·O]; with layout 1 [B, T, D, O] → [B, T, D·O]. */
function joinDirections(
  builder: GraphBuilder,
  Y: string,
  { directions, outputs }: RecurrentModule,
  layout: 0 | 1,
  name: string,
): string {
  if (layout === 0 && directions === 1) {
    return builder.node('Squeeze', `${name}/y`, [Y, builder.ints([1])]);
  }
  const ordered =
    layout === 1 ? Y : builder.node('Transpose', `${name}/y`, [Y], { perm: [0, 2, 1, 3] });
  return builder.node('Reshape', `${name}/y`, [
    ordered,
    builder.ints([0, 0, directions * outputs]),
  ]);
}

function attributesOf(
  { type, nonlinearity }: PyTorchRecurrent,
  hidden: number,
  directions: 1 | 2,
  layout: 0 | 1,
): RecurrentAttributes {
  const { activations } = CELLS[type];
  const names = type === 'rnn' && nonlinearity === 'relu' ? ['Relu'] : activations;
  const all = Array.from({ length: directions }, () => names).flat();
  const none = all.map(() => Number.NaN);
  return {
    cell: type,
    direction: directions === 2 ? 'bidirectional' : 'forward',
    hidden,
    layout,
    activations: all,
    alphas: none,
    betas: none,
    clip: 0,
    coupled: false,
    resetAfter: type === 'gru',
    maskedOutput: 'zero',
  };
}

/** W [D, G·H, I], R [D, G·H, O] and B [D, 2·G·H] in the order of the graph. */
function constants(
  builder: GraphBuilder,
  weights: readonly Weights[],
  type: PyTorchRecurrent['type'],
  hidden: number,
  name: string,
): readonly string[] {
  const order = GATE_ORDER.pytorch[type];
  const D = weights.length;
  const matrix = (key: 'W' | 'R'): string =>
    builder.constant(`${name}/${key}`, () =>
      tensor(
        concat(weights.map((part) => permuteGates(part[key].floats(), order, part[key].name))),
        [D, ...weights[0]![key].dims],
      ),
    );
  const hasBias = weights.some(({ bW }) => bW);
  const B = (): Float32Array =>
    concat(
      weights.map(({ bW, bR }) => gateBiases(bW?.floats(), bR?.floats(), hidden, order, name)),
    );
  return [
    matrix('W'),
    matrix('R'),
    hasBias ? builder.constant(`${name}/B`, () => tensor(B(), [D, 2 * order.length * hidden])) : '',
  ];
}

/** [D, O, H]. */
function projections(
  builder: GraphBuilder,
  weights: readonly Weights[],
  hidden: number,
  name: string,
): string {
  const parts = weights.map(({ projection }) => projection!);
  return builder.constant(`${name}/projection`, () =>
    tensor(concat(parts.map((part) => part.floats())), [parts.length, parts[0]!.dims[0]!, hidden]),
  );
}
