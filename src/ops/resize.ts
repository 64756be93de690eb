// Resize with the nearest or two neighbours: along each axis a Gather, or the weighted sum of two.
// https://onnx.ai/onnx/operators/onnx__Resize.html
import { RnnError } from '../errors.ts';
import { sizeOf } from '../tensor.ts';
import {
  integers,
  numbersOf,
  tensorOf,
  type ControlCall,
  type ControlOperator,
  type Flow,
} from './control.ts';
import { Attributes, invalid, mismatch, unsupported } from './define.ts';
import type { ValueType } from './operator.ts';
import { axesOf } from './shapes.ts';

const ADVICE = 'export it with scales or sizes that follow from shapes or constants';

const COORDINATES = [
  'half_pixel',
  'half_pixel_symmetric',
  'pytorch_half_pixel',
  'align_corners',
  'asymmetric',
  'tf_crop_and_resize',
] as const;
const ROUNDINGS = ['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'] as const;

/** One axis: `size` elements become `count`, at distances of `1 / scale`. */
interface Stretch {
  readonly size: number;
  readonly count: number;
  readonly scale: number;
}

const { fround } = Math;

/** Where element `i` of the result lies among those of the input, in float32 as ONNX Runtime computes it. */
function coordinate(
  mode: (typeof COORDINATES)[number],
  i: number,
  { size, count, scale }: Stretch,
): number {
  const halfPixel = (): number => fround(fround(fround(i + 0.5) / fround(scale)) - 0.5);
  switch (mode) {
    case 'asymmetric':
      return fround(i / fround(scale));
    case 'align_corners':
      return count === 1 ? 0 : fround(fround(i * (size - 1)) / (count - 1));
    case 'pytorch_half_pixel':
      return count > 1 ? halfPixel() : 0;
    case 'half_pixel_symmetric':
      return (size / 2) * (1 - count / (scale * size)) + halfPixel();
    default:
      return halfPixel();
  }
}

function rounded(x: number, mode: (typeof ROUNDINGS)[number]): number {
  if (mode === 'floor') return Math.floor(x);
  if (mode === 'ceil') return Math.ceil(x);
  return mode === 'round_prefer_floor' ? Math.ceil(x - 0.5) : Math.floor(x + 0.5);
}

/** Positions along one axis, whose neighbours are worked out on the host. A minute of sound has 3·10^6. */
const MAX_COUNT = 2 ** 22;

/** The axes and how each is stretched, from the scales or the sizes. */
function stretches<V extends ValueType>(
  call: ControlCall<V>,
  attributes: Attributes,
): Map<number, Stretch> {
  const { path, inputs } = call;
  const { dims } = tensorOf(call, 0);
  const axes = axesOf(attributes.ints('axes') ?? [...dims.keys()], dims.length, `${path}.axes`);
  const read = (slot: number, what: string): readonly number[] | undefined => {
    if (inputs[slot] === undefined) return undefined;
    const value = tensorOf(call, slot);
    if (sizeOf(value.dims) === 0) return undefined; // how older opsets leave it out
    const where = `${path}.inputs[${slot}]`;
    const found = numbersOf(call, value, { advice: ADVICE }, what, where);
    const isSound = found.length === axes.length && found.every((n) => n > 0 && Number.isFinite(n));
    if (!isSound) throw mismatch(where, what, found, `${axes.length} numbers above 0`);
    return found;
  };
  const [scales, sizes] = [read(2, 'scales'), read(3, 'sizes')];
  if ((scales === undefined) === (sizes === undefined)) {
    throw invalid(
      `${path}.inputs`,
      'inputs of Resize',
      scales ? 'both' : 'none',
      'scales or sizes',
    );
  }
  const found = axes.map((axis, i): [number, Stretch] => {
    const size = dims[axis]!;
    const count = sizes?.[i] ?? Math.floor(fround(size * scales![i]!));
    if (count > MAX_COUNT) {
      const what = `size of axis ${axis} of Resize, got ${count}, at most ${MAX_COUNT}`;
      throw new RnnError('LIMIT_EXCEEDED', `${path}.inputs`, what);
    }
    return [axis, { size, count, scale: scales?.[i] ?? count / size }];
  });
  return new Map(found);
}

/** What is asked for and not offered. */
function refuse(attributes: Attributes, mode: string, coordinates: string): void {
  const { path } = attributes;
  const check = (name: string, got: unknown, expected: string | number): void => {
    if (got !== expected) throw unsupported(`${path}.${name}`, 'Resize', got, expected);
  };
  if (mode === 'cubic') check('mode', mode, 'nearest or linear');
  if (coordinates === 'tf_crop_and_resize') {
    check('coordinate_transformation_mode', coordinates, 'one without a region');
  }
  check('antialias', attributes.int('antialias', 0), 0);
  const policy = ['stretch', 'not_larger', 'not_smaller'] as const;
  check('keep_aspect_ratio_policy', attributes.text('keep_aspect_ratio_policy', policy), 'stretch');
}

/** One axis by its elements, each the sum of neighbours with their weights. */
function resizeAxis<V extends ValueType>(
  flow: Flow<V>,
  x: V,
  axis: number,
  neighbours: readonly (readonly (readonly [index: number, weight: number])[])[],
): V {
  const gather = (k: number): V => {
    const indices = integers(
      flow,
      neighbours.map((found) => found[k]![0]),
    );
    return flow.apply('Gather', [x, indices], { axis });
  };
  if (neighbours.every((found) => found.length === 1)) return gather(0);
  const dims = x.dims.map((_, k) => (k === axis ? neighbours.length : 1));
  const parts = [0, 1].map((k) => {
    const data = Float64Array.from(neighbours, (found) => found[k]![1]);
    return flow.apply('Mul', [gather(k), flow.literal({ type: x.type, dims, data })]);
  });
  return flow.apply('Add', parts);
}

function run<V extends ValueType>(call: ControlCall<V>): readonly V[] {
  const { node, path, flow } = call;
  const attributes = new Attributes(node, path);
  const mode = attributes.text('mode', ['nearest', 'linear', 'cubic']);
  const coordinates = attributes.text('coordinate_transformation_mode', COORDINATES);
  const rounding = attributes.text('nearest_mode', ROUNDINGS);
  refuse(attributes, mode, coordinates);
  let x = tensorOf(call, 0);
  for (const [axis, stretch] of stretches(call, attributes)) {
    const { size, count } = stretch;
    if (count === size && stretch.scale === 1) continue;
    if (size === 0) throw mismatch(`${path}.inputs[0]`, `size of axis ${axis}`, 0, '1 or more');
    const inside = (at: number): number => Math.min(Math.max(at, 0), size - 1);
    const neighbours = Array.from({ length: count }, (_, i) => {
      const at = coordinate(coordinates, i, stretch);
      if (mode === 'nearest') return [[inside(rounded(at, rounding)), 1]] as const;
      const low = Math.floor(inside(at));
      const weight = inside(at) - low;
      return [
        [low, 1 - weight],
        [inside(low + 1), weight],
      ] as const;
    });
    x = resizeAxis(flow, x, axis, neighbours);
  }
  return [x === tensorOf(call, 0) ? flow.apply('Identity', [x]) : x];
}

/** Resize. */
export const resize: ControlOperator = {
  name: 'Resize',
  hostInputs: [2, 3],
  resultType: () => 0,
  advice: ADVICE,
  run: (call) => run(call),
};
