// Bidirectional. Both directions become one `Recurrent` node where they can.
// https://keras.io/api/layers/recurrent_layers/bidirectional/, tfjs-layers/src/layers/wrappers.ts
import { tensor } from '../../../tensor.ts';
import { statesOf, type CellSpec } from './cells.ts';
import { invalid, layerConfig } from './config.ts';
import { knownDim, misfit, value } from './layer.ts';
import type { KerasTensor, LayerCall, Translate } from './layer.ts';
import { readLayer, recurrentNode, runLayer, sequenceOf } from './recurrent.ts';
import type { RecurrentLayer } from './recurrent.ts';

const MODES = ['concat', 'sum', 'mul', 'ave'] as const;

/** How outputs are joined; `none` gives both. */
type MergeMode = (typeof MODES)[number] | 'none';

// What folds the axis of directions away.
const REDUCTIONS = { sum: 'ReduceSum', mul: 'ReduceProd', ave: 'ReduceMean' } as const;

/** Bidirectional around any recurrent layer. */
export const translateBidirectional: Translate = (call) => {
  const { config, dialect } = call;
  const mode: MergeMode = config.isNull('merge_mode')
    ? 'none'
    : config.choice('merge_mode', MODES, 'concat');
  const zeroed = (layer: RecurrentLayer): RecurrentLayer =>
    dialect.zeroMaskedBidirectional ? { ...layer, zeroMasked: layer.returnSequences } : layer;
  const inner = layerConfig(config.raw('layer'), `${call.path}.layer`);
  const forward = zeroed(readLayer(call, inner, call.weights.part('forward')));
  const backwardConfig = config.raw('backward_layer');
  const other =
    backwardConfig === undefined
      ? inner
      : layerConfig(backwardConfig, `${call.path}.backward_layer`);
  const read = zeroed(readLayer(call, other, call.weights.part('backward')));
  const backward =
    backwardConfig === undefined ? { ...read, goBackwards: !read.goBackwards } : read;
  for (const key of ['returnSequences', 'returnState'] as const) {
    if (forward[key] !== backward[key]) {
      throw invalid(
        `${call.path}.backward_layer`,
        backward[key],
        `the ${key} of the forward layer`,
      );
    }
  }
  const [x, states] = sequenceOf(call);
  if (states.length % 2 !== 0)
    throw misfit(call, `got ${states.length} initial states, expected pairs`);
  return (
    together(call, forward, backward, x, states, mode) ??
    separateLayers(call, forward, backward, x, states, mode)
  );
};

/** One node for both directions; undefined where they differ too much or need more than a node. */
function together(
  call: LayerCall,
  forward: RecurrentLayer,
  backward: RecurrentLayer,
  x: KerasTensor,
  states: readonly KerasTensor[],
  mode: MergeMode,
): readonly KerasTensor[] | undefined {
  const { builder, mask, name, stem } = call;
  const { returnSequences, returnState, zeroMasked } = forward;
  const unbound = [...forward.cells, ...backward.cells];
  // Some masked outputs need more than the node gives, see `runLayer`.
  const masked = mask !== undefined && (states.length > 0 || (zeroMasked && !returnSequences));
  const turned = forward.goBackwards || !backward.goBackwards;
  if (unbound.length !== 2 || masked || turned || call.detached) return undefined;
  const inputs = knownDim(call, x, -1);
  const cells = unbound.map((cell) => cell.bind(inputs));
  const [f, b] = cells as [CellSpec, CellSpec];
  if (f.cell !== b.cell || f.hidden !== b.hidden || f.resetAfter !== b.resetAfter) return undefined;
  if (forward.stateful !== backward.stateful) return undefined;
  const H = f.hidden;
  const count = statesOf(f);
  if (states.length !== 0 && states.length !== 2 * count) {
    throw misfit(call, `got ${states.length} initial states, expected ${2 * count}`);
  }
  const initial = Array.from({ length: states.length / 2 }, (_, k) => {
    const pair = [states[k]!.name, states[k + count]!.name];
    const joined = builder.node('Concat', `${stem}/states`, pair, { axis: 1 });
    return builder.node('Reshape', `${stem}/state`, [joined, builder.ints([0, 2, H])]);
  });
  const { y, h, c } = recurrentNode(call, {
    stem,
    name,
    x,
    mask,
    zeroMasked,
    stateful: forward.stateful,
    direction: 'bidirectional',
    cells,
    initial,
    wants: [returnSequences, returnState || !returnSequences, returnState],
  });
  const batch = x.dims.slice(0, 1);
  const outputs = returnSequences
    ? joinDirections(call, value(y, [...x.dims.slice(0, 2), 2, H], mask), mode)
    : joinDirections(call, value(h, [...batch, 2, H]), mode);
  if (!returnState) return outputs;
  const ends = [h, c].slice(0, count).map((from) => value(from, [...batch, 2, H]));
  return [...outputs, ...[0, 1].flatMap((d) => ends.map((end) => direction(call, end, d)))];
}

/** [..., 2, H] → [..., H] of one direction. */
function direction({ builder, stem }: LayerCall, both: KerasTensor, d: number): KerasTensor {
  const index = builder.constant(`int:${d}`, () => tensor(BigInt64Array.of(BigInt(d)), []));
  const axis = both.dims.length - 2;
  const name = builder.node('Gather', `${stem}/direction`, [both.name, index], { axis });
  return value(name, both.dims.toSpliced(axis, 1), both.mask);
}

/** [..., 2, H] → what Bidirectional returns. */
function joinDirections(call: LayerCall, both: KerasTensor, mode: MergeMode): KerasTensor[] {
  const { builder, stem } = call;
  const axis = both.dims.length - 2;
  const lead = both.dims.slice(0, axis);
  const H = both.dims.at(-1) as number;
  if (mode === 'none') return [0, 1].map((d) => direction(call, both, d));
  if (mode === 'concat') {
    const shape = builder.ints([...lead.map(() => 0), 2 * H]);
    const name = builder.node('Reshape', `${stem}/concat`, [both.name, shape]);
    return [value(name, [...lead, 2 * H], both.mask)];
  }
  const inputs = [both.name, builder.ints([axis])];
  const name = builder.node(REDUCTIONS[mode], `${stem}/${mode}`, inputs, { keepdims: 0 });
  return [value(name, [...lead, H], both.mask)];
}

/** A layer for each direction, joined by nodes of their own. */
function separateLayers(
  call: LayerCall,
  forward: RecurrentLayer,
  backward: RecurrentLayer,
  x: KerasTensor,
  states: readonly KerasTensor[],
  mode: MergeMode,
): readonly KerasTensor[] {
  const { builder, stem } = call;
  const count = states.length / 2;
  const [f, ...endsF] = runLayer(call, forward, x, states.slice(0, count), {
    name: `${call.name}/forward`,
    stem: `${stem}/forward`,
    turned: false,
  });
  // Whatever the direction of the wrapped layer, the second sequence is reversed.
  const [b, ...endsB] = runLayer(call, backward, x, states.slice(count), {
    name: `${call.name}/backward`,
    stem: `${stem}/backward`,
    turned: true,
  });
  const ends = [...endsF, ...endsB];
  if (mode === 'none') return [f!, b!, ...ends];
  const widths = [f!, b!].map((half) => half.dims.at(-1) as number) as [number, number];
  if (mode !== 'concat' && widths[0] !== widths[1]) {
    throw misfit(
      call,
      `got ${widths.join(' and ')} units, expected as many in both directions for ${mode}`,
    );
  }
  const pair = [f!.name, b!.name];
  const joined =
    mode === 'concat'
      ? builder.node('Concat', `${stem}/concat`, pair, { axis: -1 })
      : builder.node(mode === 'mul' ? 'Mul' : 'Add', `${stem}/${mode}`, pair);
  const name =
    mode === 'ave' ? builder.node('Mul', `${stem}/halved`, [joined, builder.scalar(0.5)]) : joined;
  const width = mode === 'concat' ? widths[0] + widths[1] : widths[0];
  return [value(name, f!.dims.with(-1, width), f!.mask), ...ends];
}
