// The weights of a recurrent layer in the layouts that its kernels read.
import { gridOf } from '../../../../shaders/kernel.ts';
import type { RecurrentSpec } from '../../../../shaders/recurrent/spec.ts';
import { stepPhases } from '../../../../shaders/recurrent/spec.ts';
import { gatherWeights, STATE_INVOCATIONS } from '../../../../shaders/recurrent/state.ts';
import { directionsOf, recurrentAttributes } from '../../../graph.ts';
import { sizeOf } from '../../../tensor.ts';
import type { Lowering } from '../../lowering.ts';
import type { PlanValue } from '../../values.ts';
import {
  packFoldedBias,
  packInputBias,
  packProduct,
  packRun,
  productShape,
  productSize,
} from '../../weights/pack.ts';
import type { ProductLayout, Source } from '../../weights/pack.ts';
import { storedWords, storeWeights } from '../../weights/quantize.ts';
import type { BufferId, MakeWeight } from '../../types.ts';
import { B, cellOfLayer, P, PROJECTION, R, storageOf, W } from './spec.ts';

/** Copies numbers from a weight of the graph into a layout. Numbers that it leaves out stay zero. */
type Pack = (source: Source, out: Float32Array | Uint32Array) => void;

/** Layers of a wavefront from the bottom, or one layer by itself. */
export type Stack = readonly [Lowering, ...Lowering[]];

/** A weight of each layer in some layout. The numbers of several packs are added up. */
interface Packing {
  readonly slot: number;
  readonly packs: readonly Pack[];
}

function packOnHost(
  values: readonly (PlanValue | undefined)[],
  size: number,
  packs: readonly Pack[],
): Float32Array<ArrayBuffer> {
  const all = new Float32Array(size * values.length);
  const part = new Float32Array(size);
  values.forEach((value, layer) => {
    if (!value) return;
    const source = (value.tensor?.data ?? value.host!.data) as unknown as Source;
    const out = all.subarray(layer * size, (layer + 1) * size);
    packs.forEach((pack, i) => {
      if (i === 0) return pack(source, out);
      part.fill(0);
      pack(source, part);
      part.forEach((number, k) => (out[k]! += number));
    });
  });
  return all;
}

const namesOf = (values: readonly (PlanValue | undefined)[]): string =>
  values.map((value) => value?.name ?? '').join('+');

/**
 * A buffer of `size` numbers for each layer: packed once on the host where the weight is constant, by a
 * dispatch in each run where it is not. All weights of a wavefront are constant.
 */
function packed(stack: Stack, layout: string, size: number, { slot, packs }: Packing): BufferId {
  const [ctx] = stack;
  const values = stack.map(({ inputs }) => inputs[slot]);
  const total = size * stack.length;
  const [value] = values;
  if (values.every((each) => each === undefined)) return zeros(ctx, total);
  if (!value || value.constant) {
    const key = `${namesOf(values)}#${layout}`;
    return ctx.weight(key, total, () => packOnHost(values, size, packs));
  }
  const elements = sizeOf(value.dims);
  const key = `map#${layout}#${value.dims.join('x')}#${size}`;
  const map = ctx.weight(key, size * packs.length, () => {
    const from = Uint32Array.from({ length: elements }, (_, i) => i + 1);
    const maps = new Uint32Array(size * packs.length);
    packs.forEach((pack, j) => pack(from, maps.subarray(j * size, (j + 1) * size)));
    return maps;
  });
  const out = ctx.scratch(size, layout);
  const buffers = { source: ctx.bufferOf(value), map, out };
  ctx.dispatch(gatherWeights(packs.length), gridOf(size, STATE_INVOCATIONS), buffers, { n: size });
  return out;
}

/** A buffer of zeros, shared by all that need as many. */
export const zeros = (ctx: Lowering, size: number): BufferId =>
  ctx.weight(`zeros#${size}`, size, () => new Float32Array(size));

/** The weights of a product, stored as the layer's spec says. */
export function product(stack: Stack, slot: number, layout: ProductLayout): BufferId {
  const { slices = 1 } = layout;
  const key = `product:${layout.blocks.join(',')}:${layout.tile}${slices > 1 ? `/${slices}` : ''}`;
  const [ctx] = stack;
  const values = stack.map(({ inputs }) => inputs[slot]);
  const storage = storageOf(ctx, slot);
  const size = productSize(layout);
  const packs: readonly Pack[] = [(source, out) => packProduct(source, layout, out)];
  if (storage === 'f32') return packed(stack, key, size, { slot, packs });
  const { groups, ...rest } = productShape(layout);
  const shape = { ...rest, groups: groups * stack.length };
  const make: MakeWeight = () =>
    storeWeights(packOnHost(values, size, packs), storage, shape, ctx.path);
  return ctx.weight(`${namesOf(values)}#${key}:${storage}`, storedWords(storage, shape), make);
}

/** Numbers of the gates in W, R and B by name, in the order of the cell. */
export const blocksOf = ({ gates }: RecurrentSpec, names: readonly string[]): readonly number[] =>
  names.map((name) => gates.indexOf(name));

/**
 * The weights of the product of each phase, for workgroups of `tile` units and `slices` of K; undefined for
 * a phase that has none.
 */
export function recurrentProducts(
  stack: Stack,
  spec: RecurrentSpec,
  tile: number,
  slices: number,
): readonly (BufferId | undefined)[] {
  const directions = directionsOf(recurrentAttributes(stack[0].node));
  const { hidden, output, gates, states } = spec;
  return stepPhases(spec).map((phase) => {
    if (phase === 'projection') {
      const layout = { directions, sourceRows: output, blocks: [0], units: output };
      return product(stack, PROJECTION, { ...layout, tile, slices, width: hidden });
    }
    if (phase.product.length === 0) return undefined;
    const width = phase.of === states[0] ? output : hidden;
    const blocks = blocksOf(spec, phase.product);
    const layout = { directions, sourceRows: gates.length * hidden, blocks, units: hidden };
    return product(stack, R, { ...layout, tile, slices, width });
  });
}

/** The weights of W·x + b of all gates, for workgroups of `tile` columns. */
export function inputProduct(
  stack: Stack,
  spec: RecurrentSpec,
  width: number,
  tile: number,
): BufferId {
  const columns = spec.gates.length * spec.hidden;
  return product(stack, W, {
    directions: directionsOf(recurrentAttributes(stack[0].node)),
    sourceRows: columns,
    blocks: [0],
    units: columns,
    tile,
    width,
  });
}

/** The numbers per unit that the cell declares, [D, names, H]; undefined where there are none. */
export function parameterVectors(stack: Stack, spec: RecurrentSpec): BufferId | undefined {
  const [ctx] = stack;
  const { hidden, gates, parameters, variant } = spec;
  if (parameters.length === 0) return undefined;
  const directions = directionsOf(recurrentAttributes(ctx.node));
  const declared = cellOfLayer(ctx).parameters(variant);
  const biases = declared.filter(({ recurrentBias }) => recurrentBias !== undefined);
  const size = directions * parameters.length * hidden;
  if (biases.length === 0) {
    const run = { directions, stride: size / directions, offset: 0, count: size / directions };
    const packs: readonly Pack[] = [(source, out) => packRun(source, run, out)];
    return packed(stack, 'parameters', size, { slot: P, packs });
  }
  // [D, 2·G·H], the recurrent biases behind the input biases.
  const width = gates.length * hidden;
  const packs = declared.map(({ recurrentBias }, k): Pack => {
    const offset = width + gates.indexOf(recurrentBias!) * hidden;
    const run = { directions, stride: 2 * width, offset, count: hidden };
    const into = { stride: parameters.length * hidden, offset: k * hidden };
    return (source, out) => packRun(source, run, out, into);
  });
  const key = `bias:${declared.map(({ recurrentBias }) => recurrentBias).join(',')}`;
  return packed(stack, key, size, { slot: B, packs });
}

/**
 * Input biases plus the recurrent biases that no parameter of the cell takes, [D, G·H]; undefined without
 * biases.
 */
export function foldedBias(stack: Stack, spec: RecurrentSpec): BufferId | undefined {
  const [ctx] = stack;
  const directions = directionsOf(recurrentAttributes(ctx.node));
  const { hidden, gates, variant } = spec;
  const columns = gates.length * hidden;
  if (stack.every(({ inputs }) => inputs[B] === undefined)) return undefined;
  const taken = cellOfLayer(ctx)
    .parameters(variant)
    .map(({ recurrentBias }) => recurrentBias);
  const folds = (g: number): boolean => !taken.includes(gates[g]);
  const unfolded = gates.filter((gate) => taken.includes(gate));
  return packed(stack, `bias-without:${unfolded.join(',')}`, directions * columns, {
    slot: B,
    packs: [
      (source, out) => packInputBias(source, directions, columns, out),
      (source, out) => packFoldedBias(source, directions, columns, hidden, folds, out),
    ],
  });
}
