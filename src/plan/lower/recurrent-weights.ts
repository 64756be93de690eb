// What a recurrent layer is to its kernels: its spec, and its weights in the layouts they read.
import { gridOf } from '../../../shaders/kernel.ts';
import type { RecurrentSpec } from '../../../shaders/recurrent/spec.ts';
import { stepPhases } from '../../../shaders/recurrent/step.ts';
import type { WeightStorage } from '../../../shaders/recurrent/weights.ts';
import { gatherWeights, STATE_LANES } from '../../../shaders/recurrent/state.ts';
import { CELLS, findActivation } from '../../cells/index.ts';
import { directionsOf, recurrentAttributes } from '../../graph.ts';
import { isFloat } from '../../tensor.ts';
import type { Lowering, PlanValue } from '../lowering.ts';
import {
  packFoldedBias,
  packInputBias,
  packProduct,
  packRun,
  productShape,
  productSize,
} from '../pack.ts';
import type { ProductLayout, Source } from '../pack.ts';
import { storedWords, storeWeights } from '../store.ts';
import type { RecurrentCall } from './recurrent-dispatch.ts';
import type { BufferId, MakeWeight } from '../types.ts';

type Pack = (source: Source, out: Float32Array | Uint32Array) => void;

/** Layers that compute side by side, or one by itself. */
export type Stack = readonly [Lowering, ...Lowering[]];

/** Input slots of a `Recurrent` node, see RECURRENT_INPUTS. */
export const [X, W, R, B, LENGTHS, INITIAL_H, INITIAL_C, P, MASK, PROJECTION] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
];

/** The last layer of a stack, which stands for it where one must. */
export const topOf = (stack: Stack): Lowering => stack.at(-1)!;

/** The sizes of a call of a layer. */
export function callOf({ node, inputs }: Lowering): RecurrentCall {
  const dims = inputs[X]!.dims;
  const { layout } = recurrentAttributes(node);
  return { steps: dims[layout]!, rows: dims[1 - layout]!, inputs: dims[2]! };
}

/** How the weights of a slot are stored: as asked for, but inputs are packed by a kernel that only moves numbers. */
const storageOf = ({ inputs, options }: Lowering, slot: number): WeightStorage =>
  inputs[slot]?.constant ? (options.weights ?? 'f32') : 'f32';

/** The spec of a node. */
export function specOf(l: Lowering): RecurrentSpec {
  const { node, inputs, wanted } = l;
  const a = recurrentAttributes(node);
  const cell = CELLS[a.cell];
  const variant = {
    coupled: a.coupled,
    resetAfter: a.resetAfter,
    peepholes: inputs[P] !== undefined,
  };
  const unfolded = cell.gates.filter((_, g) => !cell.foldsBias(g, variant));
  const each = cell.activations.length;
  const mask = inputs[MASK];
  return {
    gates: cell.gates,
    hasC: cell.hasC,
    variant,
    phases: cell.phases(variant),
    hidden: a.hidden,
    projected: inputs[PROJECTION] !== undefined,
    output: inputs[PROJECTION]?.dims[1] ?? a.hidden,
    direction: a.direction,
    layers: 1,
    activations: Array.from({ length: directionsOf(a) }, (_, d) =>
      a.activations.slice(d * each, (d + 1) * each).map((name, k) => ({
        name: findActivation(name)!,
        alpha: a.alphas[d * each + k]!,
        beta: a.betas[d * each + k]!,
      })),
    ),
    clip: a.clip,
    extra: [...(variant.peepholes ? ['p_i', 'p_o', 'p_f'] : []), ...unfolded.map((g) => `rb_${g}`)],
    hasLengths: inputs[LENGTHS] !== undefined,
    mask: mask && (isFloat(mask.type) ? 'f32' : 'i32'),
    maskedOutput: a.maskedOutput,
    writesY: wanted(0),
    storage: {
      input: storageOf(l, W),
      recurrent: storageOf(l, R),
      projection: storageOf(l, PROJECTION),
    },
    arithmetic: l.options.arithmetic ?? 'f32',
  };
}

/** Numbers of a constant in a layout. */
function packOnHost(
  value: PlanValue,
  size: number,
  packs: readonly Pack[],
): Float32Array<ArrayBuffer> {
  const source = value.tensor?.data ?? value.host!.data;
  return packs
    .map((pack) => {
      const out = new Float32Array(size);
      pack(source as unknown as Source, out);
      return out;
    })
    .reduce((sum, part) => sum.map((v, i) => v + part[i]!));
}

/** Numbers of constants in a layout, one after another; zeros where there is none. */
function packAll(
  values: readonly (PlanValue | undefined)[],
  size: number,
  packs: readonly Pack[],
): Float32Array<ArrayBuffer> {
  if (values.length === 1) return packOnHost(values[0]!, size, packs);
  const all = new Float32Array(size * values.length);
  values.forEach((value, i) => value && all.set(packOnHost(value, size, packs), i * size));
  return all;
}

const namesOf = (values: readonly (PlanValue | undefined)[]): string =>
  values.map((value) => value?.name ?? '').join('+');

/**
 * Brings weights of the layers of a stack, or of one layer, into a layout: once on the host for constants,
 * by a dispatch for others, which only a layer by itself may have.
 */
function packed(
  stack: Stack,
  slot: number,
  layout: string,
  size: number,
  packs: readonly Pack[],
): BufferId {
  const [l] = stack;
  const values = stack.map(({ inputs }) => inputs[slot]);
  const total = size * stack.length;
  const [value] = values;
  if (values.every((each) => each === undefined)) {
    return l.weight(`zeros#${total}`, total, () => new Float32Array(total));
  }
  if (!value || value.constant) {
    const key = `${namesOf(values)}#${layout}`;
    return l.weight(key, total, () => packAll(values, size, packs));
  }
  const elements = value.dims.reduce((n, dim) => n * dim, 1);
  const key = `map#${layout}#${value.dims.join('x')}#${size}`;
  const map = l.weight(key, size * packs.length, () => {
    const from = Uint32Array.from({ length: elements }, (_, i) => i + 1);
    const maps = new Uint32Array(size * packs.length);
    packs.forEach((pack, j) => pack(from, maps.subarray(j * size, (j + 1) * size)));
    return maps;
  });
  const out = l.scratch(size, layout);
  const kernel = gatherWeights(packs.length);
  l.dispatch(
    kernel,
    gridOf(size, STATE_LANES),
    { source: l.bufferOf(value), map, out },
    { n: size },
  );
  return out;
}

/** The weights of a product, stored as the layer's spec says. */
export function product(stack: Stack, slot: number, layout: ProductLayout): BufferId {
  const key = `product:${layout.blocks.join(',')}:${layout.tile}`;
  const [l] = stack;
  const values = stack.map(({ inputs }) => inputs[slot]);
  const storage = storageOf(l, slot);
  const size = productSize(layout);
  const pack: Pack = (source, out) => packProduct(source, layout, out);
  if (storage === 'f32') return packed(stack, slot, key, size, [pack]);
  const { groups, ...rest } = productShape(layout);
  const shape = { ...rest, groups: groups * stack.length };
  const make: MakeWeight = () =>
    storeWeights(packAll(values, size, [pack]), storage, shape, l.path);
  return l.weight(`${namesOf(values)}#${key}:${storage}`, storedWords(storage, shape), make);
}

/** The weights of each product of the recurrence, for workgroups of `tile` units. */
export function recurrentProducts(stack: Stack, spec: RecurrentSpec, tile: number): BufferId[] {
  const directions = directionsOf(recurrentAttributes(stack[0].node));
  const { hidden, output } = spec;
  const layout = { directions, tile };
  return stepPhases(spec).map((phase) => {
    if (phase === 'projection') {
      const own = { sourceRows: output, blocks: [0], units: output, width: hidden };
      return product(stack, PROJECTION, { ...layout, ...own });
    }
    const width = phase.operand === 'u' ? hidden : output;
    const own = { sourceRows: spec.gates.length * hidden, blocks: phase.gates, units: hidden };
    return product(stack, R, { ...layout, ...own, width });
  });
}

/** The weights of W·x + b of all gates, for workgroups of `tile` columns. */
export function inputProduct(stack: Stack, spec: RecurrentSpec, tile: number): BufferId {
  const columns = spec.gates.length * spec.hidden;
  return product(stack, W, {
    directions: directionsOf(recurrentAttributes(stack[0].node)),
    sourceRows: columns,
    blocks: [0],
    units: columns,
    tile,
    width: stack[0].inputs[X]!.dims[2]!,
  });
}

/** Vectors of `extra`: peepholes, then biases that cannot be folded, [D, names, H]. */
export function extraVectors(stack: Stack, spec: RecurrentSpec): BufferId | undefined {
  const directions = directionsOf(recurrentAttributes(stack[0].node));
  if (spec.extra.length === 0) return undefined;
  const { hidden, gates } = spec;
  if (spec.variant.peepholes) {
    // [D, 3·H] in the order i, o, f is already the layout of `extra`.
    return packed(stack, P, 'peepholes', directions * 3 * hidden, [
      (source, out) =>
        packRun(source, { directions, stride: 3 * hidden, offset: 0, count: 3 * hidden }, out),
    ]);
  }
  const gate = gates.indexOf(spec.extra[0]!.slice('rb_'.length));
  const width = gates.length * hidden;
  const run = { directions, stride: 2 * width, offset: width + gate * hidden, count: hidden };
  return packed(stack, B, `bias:${gate}`, directions * hidden, [
    (source, out) => packRun(source, run, out),
  ]);
}

/** Input biases with the recurrent ones that fold into them, [D, G·H]; undefined without biases. */
export function foldedBias(stack: Stack, spec: RecurrentSpec): BufferId | undefined {
  const directions = directionsOf(recurrentAttributes(stack[0].node));
  const { hidden, gates, variant } = spec;
  const columns = gates.length * hidden;
  const cell = CELLS[recurrentAttributes(stack[0].node).cell];
  const folds = (g: number): boolean => cell.foldsBias(g, variant);
  if (stack.every(({ inputs }) => inputs[B] === undefined)) return undefined;
  return packed(stack, B, `bias:${variant.resetAfter}`, directions * columns, [
    (source, out) => packInputBias(source, directions, columns, out),
    (source, out) => packFoldedBias(source, directions, columns, hidden, folds, out),
  ]);
}
