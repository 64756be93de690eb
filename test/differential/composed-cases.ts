// Random cases of operators that become others: those that are rows of others at known shapes, and those of
// quantised models, which the importer writes out.
import { sizeOf, tensor, type DataType, type Tensor } from '../../src/tensor.ts';
import { integersOf, randomShape, withTies } from '../shaders/random-values.ts';
import { floats, integers, list } from '../support/operator-case.ts';
import type { Random } from '../support/random.ts';
import type { Attributes } from './model-builder.ts';

/** A node without its operator. */
interface Case {
  /** The standard one when left out. */
  readonly domain?: string;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly attributes: Attributes;
  readonly outputs: readonly DataType[];
  /** Slots that are weights, which the file holds as a rule. */
  readonly weights?: readonly number[];
}
type MakeCase = (random: Random, index: number) => Case;

const MICROSOFT = 'com.microsoft';

/** Equations of the models there are, and of every rule. */
const EQUATIONS = [
  'btd,dh->bth',
  'bhqd,bhkd->bhqk',
  'ij,jk',
  'bij,bjk->bik',
  '...ij,...jk->...ik',
  'i,j->ij',
  'ii->i',
  'iij->j',
  'ijk->kj',
  'ij->',
  'bi,oi,bi->bo',
  'b...d,d->b...',
  'ab,cd->ca',
  '...d->d...',
  'ij,ij->',
  'xA,Ab',
] as const;

const einsum: MakeCase = (random, i) => {
  const equation = EQUATIONS[i % EQUATIONS.length]!;
  const sizes = new Map<string, number>();
  const size = (label: string): number => {
    if (!sizes.has(label)) sizes.set(label, random.int(1, 5));
    return sizes.get(label)!;
  };
  const hidden = ['<0', '<1'].slice(0, random.int(0, 2));
  const make = random.chance(0.3) ? integersOf('int64') : floats;
  const inputs = equation
    .split('->')[0]!
    .split(',')
    .map((term) => {
      const [before = '', after] = term.split('...');
      const labels = [...before, ...(after === undefined ? [] : hidden), ...(after ?? '')];
      // An axis of an ellipsis may be 1 where another term has more.
      const dims = labels.map((label) =>
        label.startsWith('<') && random.chance(0.3) ? 1 : size(label),
      );
      return make(random, dims);
    });
  return { inputs, attributes: { equation }, outputs: [inputs[0]!.type] };
};

const gatherND: MakeCase = (random, i) => {
  const batchDims = i % 3;
  const dims = randomShape(random, batchDims + 1, 4).map((dim) => Math.min(dim, 7));
  const depth = random.int(1, dims.length - batchDims);
  const outer = [
    ...dims.slice(0, batchDims),
    ...randomShape(random, 0, 1).map((d) => Math.min(d, 5)),
  ];
  const places = Array.from({ length: sizeOf(outer) }, () =>
    dims.slice(batchDims, batchDims + depth).map((dim) => random.int(-dim, dim - 1)),
  );
  const make = random.pick([floats, integersOf('int64')]);
  const inputs = [make(random, dims), tensor(places.flat(), [...outer, depth], 'int64')];
  return { inputs, attributes: { batch_dims: batchDims }, outputs: [inputs[0]!.type] };
};

const resize: MakeCase = (random, i) => {
  const mode = i % 2 === 0 ? 'nearest' : 'linear';
  // Of linear ONNX Runtime has two or three axes that are stretched.
  const dims = Array.from({ length: i % 4 < 2 ? 3 : 4 }, () => random.int(1, 6));
  const isOuter = (axis: number): boolean => dims.length === 4 && axis < 2;
  const scales = dims.map((_, axis) => (isOuter(axis) ? 1 : random.pick([1, 2, 3, 1.5, 2.5])));
  const sizes = dims.map((dim, axis) => (isOuter(axis) ? dim : random.int(1, 9)));
  const bySizes = random.chance(0.4);
  const given = bySizes
    ? [undefined, undefined, list(sizes)]
    : [undefined, tensor(scales, [dims.length])];
  const modes = ['half_pixel', 'pytorch_half_pixel', 'align_corners', 'asymmetric'];
  return {
    inputs: [floats(random, dims), ...given],
    attributes: {
      mode,
      coordinate_transformation_mode: random.pick(modes),
      nearest_mode: random.pick(['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil']),
    },
    outputs: ['float32'],
  };
};

const bytes = (random: Random, dims: readonly number[], type: DataType): Tensor =>
  type === 'int8'
    ? integers(random, dims, -128, 127, 'int8')
    : integers(random, dims, 0, 255, 'uint8');

/** A [.., M, K] and B [K, N] of bytes, and zero points: one of A, one of B or one for each column. */
function products(random: Random) {
  const [M, K, N] = [random.int(1, 6), random.int(1, 40), random.int(1, 9)];
  const outer = random.chance(0.3) ? [random.int(1, 3)] : [];
  const type = random.pick(['uint8', 'int8'] as const);
  const perColumn = random.chance(0.4);
  const columns = perColumn ? [N] : [];
  return {
    a: bytes(random, [...outer, M, K], 'uint8'),
    b: bytes(random, [K, N], type),
    zeroA: bytes(random, [], 'uint8'),
    zeroB: bytes(random, columns, type),
    scaleA: tensor([random.int(1, 9) / 256], []),
    scaleB: tensor(
      Array.from({ length: sizeOf(columns) }, () => random.int(1, 9) / 128),
      columns,
    ),
    x: floats(random, [...outer, M, K], 3),
    bias: random.chance(0.5) ? floats(random, [N]) : undefined,
  };
}

/** Cases by operator. */
export const composedCases: Readonly<Record<string, MakeCase>> = {
  Einsum: einsum,
  GatherND: gatherND,
  Resize: resize,
  Hardmax: (random) => {
    const dims = randomShape(random, 1, 4);
    const axis = random.int(-dims.length, dims.length - 1);
    return { inputs: [withTies(random, dims)], attributes: { axis }, outputs: ['float32'] };
  },
  DynamicQuantizeLinear: (random, i) => {
    const x = floats(random, randomShape(random, 1, 3), 3);
    const data = (x.data as Float32Array).map((value) => (i % 3 === 0 ? Math.abs(value) : value));
    return {
      inputs: [i === 1 ? tensor([0, 0], [2]) : tensor(data, x.dims)],
      attributes: {},
      outputs: ['uint8', 'float32', 'uint8'],
    };
  },
  MatMulInteger: (random, i) => {
    const { a, b, zeroA, zeroB } = products(random);
    const zeros = [[], [zeroA], [zeroA, zeroB], [undefined, zeroB]][i % 4]!;
    return { inputs: [a, b, ...zeros], attributes: {}, outputs: ['int32'], weights: [1] };
  },
  ConvInteger: (random, i) => {
    const x = bytes(random, [random.int(1, 2), 3, random.int(5, 9)], 'uint8');
    const w = bytes(random, [4, 3, 3], 'uint8');
    const zeros = i % 2 === 0 ? [] : [bytes(random, [], 'uint8'), bytes(random, [], 'uint8')];
    const attributes = { pads: [1, 1], kernel_shape: [3] };
    return { inputs: [x, w, ...zeros], attributes, outputs: ['int32'], weights: [1] };
  },
  MatMulIntegerToFloat: (random, i) => {
    const { a, b, scaleA, scaleB, zeroA, zeroB, bias } = products(random);
    const zeros = i % 2 === 0 ? [undefined, undefined] : [zeroA, zeroB];
    const inputs = [a, b, scaleA, scaleB, ...zeros, bias];
    return { domain: MICROSOFT, inputs, attributes: {}, outputs: ['float32'], weights: [1, 3] };
  },
  DynamicQuantizeMatMul: (random, i) => {
    const { x, b, scaleB, zeroB, bias } = products(random);
    const inputs = [x, b, scaleB, i % 2 === 0 ? undefined : zeroB, bias];
    return { domain: MICROSOFT, inputs, attributes: {}, outputs: ['float32'], weights: [1, 2] };
  },
};
