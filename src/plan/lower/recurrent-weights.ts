// What a recurrent layer is to its kernels: its spec, and its weights in the layouts they read.
import { gridOf } from '../../../shaders/kernel.ts';
import type { RecurrentSpec } from '../../../shaders/recurrent/spec.ts';
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
import type { BufferId, MakeWeight } from '../types.ts';

type Pack = (source: Source, out: Float32Array | Uint32Array) => void;

/** Input slots of a `Recurrent` node, see RECURRENT_INPUTS. */
export const [X, W, R, B, LENGTHS, INITIAL_H, INITIAL_C, P, MASK, PROJECTION] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
];

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

/** Brings weights into a layout: once on the host for constants, by a dispatch for others. */
function packed(
  l: Lowering,
  value: PlanValue | undefined,
  layout: string,
  size: number,
  packs: readonly Pack[],
): BufferId {
  if (value === undefined) return l.weight(`zeros#${size}`, size, () => new Float32Array(size));
  if (value.constant) {
    return l.weight(`${value.name}#${layout}`, size, () => packOnHost(value, size, packs));
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
export function product(l: Lowering, slot: number, layout: ProductLayout): BufferId {
  const key = `product:${layout.blocks.join(',')}:${layout.tile}`;
  const value = l.inputs[slot];
  const storage = storageOf(l, slot);
  const size = productSize(layout);
  const pack: Pack = (source, out) => packProduct(source, layout, out);
  if (storage === 'f32' || value === undefined) return packed(l, value, key, size, [pack]);
  const shape = productShape(layout);
  const make: MakeWeight = () =>
    storeWeights(packOnHost(value, size, [pack]), storage, shape, l.path);
  return l.weight(`${value.name}#${key}:${storage}`, storedWords(storage, shape), make);
}

/** Vectors of `extra`: peepholes, then biases that cannot be folded, [D, names, H]. */
export function extraVectors(
  l: Lowering,
  spec: RecurrentSpec,
  directions: number,
): BufferId | undefined {
  if (spec.extra.length === 0) return undefined;
  const { hidden, gates } = spec;
  const peepholes = l.inputs[P];
  if (peepholes !== undefined) {
    // [D, 3·H] in the order i, o, f is already the layout of `extra`.
    return packed(l, peepholes, 'peepholes', directions * 3 * hidden, [
      (source, out) =>
        packRun(source, { directions, stride: 3 * hidden, offset: 0, count: 3 * hidden }, out),
    ]);
  }
  const gate = gates.indexOf(spec.extra[0]!.slice('rb_'.length));
  const width = gates.length * hidden;
  const run = { directions, stride: 2 * width, offset: width + gate * hidden, count: hidden };
  return packed(l, l.inputs[B], `bias:${gate}`, directions * hidden, [
    (source, out) => packRun(source, run, out),
  ]);
}

/** Input biases with the recurrent ones that fold into them, [D, G·H]; undefined without biases. */
export function foldedBias(
  l: Lowering,
  spec: RecurrentSpec,
  directions: number,
): BufferId | undefined {
  const { hidden, gates, variant } = spec;
  const columns = gates.length * hidden;
  const cell = CELLS[recurrentAttributes(l.node).cell];
  const folds = (g: number): boolean => cell.foldsBias(g, variant);
  if (l.inputs[B] === undefined) return undefined;
  return packed(l, l.inputs[B], `bias:${variant.resetAfter}`, directions * columns, [
    (source, out) => packInputBias(source, directions, columns, out),
    (source, out) => packFoldedBias(source, directions, columns, hidden, folds, out),
  ]);
}
