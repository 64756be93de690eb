// Normalization over the elements of a row: layer, group and instance.
import { literal } from '../../../shaders/wgsl.ts';
import { broadcastStrides, stridesOf } from '../../ops/shapes.ts';
import { sizeOf } from '../../tensor.ts';
import type { Lower, Lowering } from '../lowering.ts';
import type { BufferId } from '../types.ts';
import { copy } from './move.ts';
import { FOLDS, fold } from './reduce.ts';
import { axisOf, input, numberOf } from './strides.ts';

const folds = [
  FOLDS.sum('total', 'x'),
  FOLDS.sum('squares', '(x - total / f32(params.size)) * (x - total / f32(params.size))'),
];
const MEAN = 'total / f32(params.size)';

const inverse = (l: Lowering): string =>
  `1.0 / sqrt(squares / f32(params.size) + ${literal(numberOf(l, 'epsilon', 1e-5))})`;

/** Where the parameters of an element are: (row mod `cycle`) · `each` + place in the row / `run`. */
interface Parameters {
  readonly cycle: number;
  readonly each: number;
  readonly run: number;
}

/** The normalized elements, scaled and shifted, to output 0. */
function normalize(
  l: Lowering,
  axes: readonly number[],
  dims: readonly number[],
  [scale, bias]: readonly BufferId[],
  at: Parameters,
): void {
  const parameter = '[index % params.cycle * params.each + r / params.run]';
  const shift = bias === undefined ? '' : ` + bias${parameter}`;
  const work = {
    folds,
    each: true,
    result: `(x - ${MEAN}) * (${inverse(l)}) * scale${parameter}${shift}`,
    buffers: { scale: scale!, ...(bias !== undefined && { bias }) },
    uniforms: { ...at },
  };
  fold(l, axes, work, 0, dims);
}

const layerNormalization: Lower = (l) => {
  const { dims } = input(l, 0);
  const axis = axisOf(l, -1, dims.length);
  const axes = [...dims.keys()].slice(axis);
  const inner = dims.slice(axis);
  const size = sizeOf(inner);
  // Usually the parameters have the shape of a row; else they are stretched to that of the input.
  const slots = [1, 2].filter((slot) => l.inputs[slot]);
  const isRow = slots.every((slot) => input(l, slot).dims.join() === inner.join());
  const parameter = (slot: number): BufferId => {
    if (isRow) return l.read(slot);
    const wide = l.scratch(sizeOf(dims), 'stretched');
    const strides = broadcastStrides(input(l, slot).dims, dims);
    copy(l, dims, { buffer: l.read(slot), strides }, { buffer: wide, strides: stridesOf(dims) });
    return wide;
  };
  if (l.wanted(0)) {
    const rows = Math.max(sizeOf(dims.slice(0, axis)), 1);
    const at = isRow ? { cycle: 1, each: 0, run: 1 } : { cycle: rows, each: size, run: 1 };
    normalize(l, axes, dims, slots.map(parameter), at);
  }
  if (l.wanted(1)) fold(l, axes, { folds: folds.slice(0, 1), result: MEAN }, 1);
  if (l.wanted(2)) fold(l, axes, { folds, result: inverse(l) }, 2);
};

const instanceNormalization: Lower = (l) => {
  const { dims } = input(l, 0);
  const axes = [...dims.keys()].slice(2);
  const run = Math.max(sizeOf(dims.slice(2)), 1);
  normalize(l, axes, dims, [l.read(1), l.read(2)], { cycle: dims[1]!, each: 1, run });
};

const groupNormalization: Lower = (l) => {
  const { dims } = input(l, 0);
  const groups = numberOf(l, 'num_groups', 1);
  const each = dims[1]! / groups;
  // Rows are whole groups of channels, so the input is read as [batch, groups, channels / groups · area].
  const area = sizeOf(dims.slice(2));
  const grouped = [dims[0]!, groups, each * area];
  const at = { cycle: groups, each, run: Math.max(area, 1) };
  normalize(l, [2], grouped, [l.read(1), l.read(2)], at);
};

/** Normalizations. */
export const normalizations: Readonly<Record<string, Lower>> = {
  LayerNormalization: layerNormalization,
  InstanceNormalization: instanceNormalization,
  GroupNormalization: groupNormalization,
};
