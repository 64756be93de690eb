// The steps of a chain: each takes the value so far and makes the next one of it, by one operator or
// by a few that belong together in real models.
import { sizeOf, tensor, type Tensor } from '../../src/tensor.ts';
import { integers, list, narrower } from '../support/operator-case.ts';
import { one, type Chain, type Step, type Value } from './chain.ts';
import { slidingSteps } from './sliding-steps.ts';

const scalar = (value: number): Tensor => tensor([value], []);
const index = (value: number): Tensor => tensor([value], [], 'int64');

const anyAxis = ({ random }: Chain, { dims }: Value): number =>
  random.int(-dims.length, dims.length - 1);

// Those that are applied as they are.
const UNARY =
  'Relu Tanh Sigmoid LeakyRelu HardSigmoid Elu Softsign Softplus Selu HardSwish Mish Swish Celu ' +
  'Gelu Erf Abs Neg Sin Cos Exp Identity Dropout ThresholdedRelu';
// Those that leave little of their input, which is therefore added again.
const STEPPED = 'Floor Ceil Round Sign';

const unary = (op: string): [string, Step] => [op, (chain, x) => one(chain, op, [x])];
const stepped = (op: string): [string, Step] => [
  op,
  (chain, x) => one(chain, 'Add', [x, one(chain, op, [x])]),
];

/** |x| + 1/2, for functions of positive numbers. */
const positive = (chain: Chain, x: Value): Value =>
  one(chain, 'Add', [one(chain, 'Abs', [x]), chain.constant(scalar(0.5))]);

/** With a constant that broadcasts to it. */
const withConstant = (op: string, attributes = {}): [string, Step] => [
  op,
  (chain, x) => {
    const value = chain.weights(narrower(chain.random, x.dims));
    // PRelu broadcasts one way only, and has its slopes second; the others go either way.
    const swapped = !['PRelu', 'Mod', 'Div'].includes(op) && chain.random.chance(0.3);
    return one(chain, op, swapped ? [value, x] : [x, value], attributes);
  },
];

const COMPARISONS = ['Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual'];
const compare = (chain: Chain, x: Value): Value => {
  const threshold = chain.weights(narrower(chain.random, x.dims));
  return one(chain, chain.random.pick(COMPARISONS), [x, threshold]);
};

/** Where a condition on it holds it stays, elsewhere it is small. */
const where =
  (condition: (chain: Chain, x: Value) => Value): Step =>
  (chain, x) =>
    one(chain, 'Where', [condition(chain, x), x, chain.weights(narrower(chain.random, x.dims))]);

/** A reduction along some axes, or by its number along all. */
const reduce = (op: string): [string, Step] => [
  op,
  (chain, x) => {
    if (x.dims.length === 0) return undefined;
    const { random } = chain;
    const axes = random.permutation(x.dims.length).slice(0, random.int(1, 2));
    const from = /Log(Sum)?$/.test(op) ? positive(chain, x) : x;
    const keepdims = random.int(0, 1);
    return one(chain, op, [from, chain.constant(list(axes))], { keepdims });
  },
];

const argument = (op: string): [string, Step] => [
  op,
  (chain, x) => {
    if (x.dims.length === 0) return undefined;
    const axis = anyAxis(chain, x);
    const at = one(chain, op, [x], { axis, keepdims: 1 });
    if (chain.random.chance(0.4)) return one(chain, 'GatherElements', [x, at], { axis });
    const even = one(chain, 'Equal', [at, chain.constant(index(0))]);
    return chain.random.chance(0.5)
      ? one(chain, 'Where', [even, x, one(chain, 'Neg', [x])])
      : one(chain, 'Add', [x, one(chain, 'Cast', [even], { to: 1 })]);
  },
];

const oneHot: Step = (chain, x) => {
  if (x.dims.length < 2) return undefined; // ONNX Runtime has no OneHot of a scalar
  const size = x.dims.at(-1)!;
  const at = one(chain, 'ArgMax', [x], { axis: -1, keepdims: 0 });
  const depth = chain.constant(index(size));
  const hot = one(chain, 'OneHot', [at, depth, chain.constant(tensor([0, 1]))]);
  return one(chain, 'Mul', [x, hot]);
};

const topK: Step = (chain, x) => {
  if (x.dims.length === 0) return undefined;
  const axis = anyAxis(chain, x);
  const k = chain.constant(list([chain.random.int(1, Math.min(x.dims.at(axis)!, 6))]));
  const [values, at] = chain.apply('TopK', [x, k], { axis, largest: chain.random.int(0, 1) }, 2);
  return chain.random.chance(0.5) ? values : one(chain, 'GatherElements', [x, at!], { axis });
};

/** Whatever has the same shape, or stretches to it, and came before. */
const residual: Step = (chain, x) => {
  const fits = chain.values.filter(
    ({ type, dims, name }) =>
      type === 'float32' &&
      name !== x.name &&
      dims.length <= x.dims.length &&
      dims.every((dim, i) => dim === 1 || dim === x.dims[x.dims.length - dims.length + i]),
  );
  if (fits.length === 0) return undefined;
  const other = chain.random.pick(fits);
  return one(chain, chain.random.pick(['Add', 'Mul', 'Sub', 'Max', 'Min', 'Sum', 'Mean']), [
    x,
    other,
  ]);
};

const matMul: Step = (chain, x) => {
  const width = x.dims.at(-1);
  if (width === undefined) return undefined;
  const wide = chain.random.pick([1, 3, 8, 16, 21]);
  const y = one(chain, 'MatMul', [x, chain.weights([width, wide], 1.5 / Math.sqrt(width))]);
  return chain.random.chance(0.5) ? one(chain, 'Add', [y, chain.weights([wide])]) : y;
};

const gemm: Step = (chain, x) => {
  const { random } = chain;
  if (x.dims.length === 0) return undefined;
  const flat =
    x.dims.length === 2
      ? x
      : random.chance(0.5)
        ? one(chain, 'Flatten', [x], { axis: anyAxis(chain, x) })
        : one(chain, 'Reshape', [x, chain.constant(list([-1, x.dims.at(-1)!]))]);
  const [transA, transB] = [random.int(0, 1), random.int(0, 1)];
  const [m, k] = transA === 1 ? flat.dims.toReversed() : flat.dims;
  const n = random.pick([1, 4, 9, 16]);
  const weights = chain.weights(transB === 1 ? [n, k!] : [k!, n], 1.5 / Math.sqrt(k!));
  const bias = random.pick([undefined, [n], [m!, 1]]);
  const attributes = { transA, transB, ...(random.chance(0.3) && { alpha: 0.5, beta: 1.5 }) };
  return one(chain, 'Gemm', [flat, weights, bias && chain.weights(bias)], attributes);
};

/** Attention of a sequence to itself. */
const attention: Step = (chain, x) => {
  const rank = x.dims.length;
  if (rank < 2) return undefined;
  const perm = [...Array(rank - 2).keys(), rank - 1, rank - 2];
  const scores = one(chain, 'MatMul', [x, one(chain, 'Transpose', [x], { perm })]);
  const scaled = one(chain, 'Div', [scores, chain.constant(scalar(Math.sqrt(x.dims.at(-1)!)))]);
  return one(chain, 'MatMul', [one(chain, 'Softmax', [scaled], { axis: -1 }), x]);
};

const layerNormalization: Step = (chain, x) => {
  if (x.dims.length === 0) return undefined;
  const axis = anyAxis(chain, x);
  const inner = x.dims.slice(axis);
  const bias = chain.random.chance(0.5) ? chain.weights(inner) : undefined;
  // Rows of nearly equal numbers would have their rounding errors made as large as the others.
  return one(chain, 'LayerNormalization', [x, chain.weights(inner), bias], { axis, epsilon: 0.05 });
};

const reshape: Step = (chain, x) => {
  const { dims } = x;
  if (dims.length < 2) return undefined;
  const at = chain.random.int(0, dims.length - 2);
  const shape = dims.map((dim, axis) => (axis < at && chain.random.chance(0.5) ? 0 : dim));
  shape.splice(at, 2, chain.random.chance(0.5) ? -1 : dims[at]! * dims[at + 1]!);
  return one(chain, 'Reshape', [x, chain.constant(list(shape))]);
};

/** As exporters flatten a value whose sizes they do not know. */
const reshapeByShape: Step = (chain, x) => {
  if (x.dims.length < 2) return undefined;
  const shape = one(chain, 'Shape', [x]);
  const first = one(chain, 'Gather', [shape, chain.constant(index(0))], { axis: 0 });
  const head = one(chain, 'Unsqueeze', [first, chain.constant(list([0]))]);
  const wanted = one(chain, 'Concat', [head, chain.constant(list([-1]))], { axis: 0 });
  return one(chain, 'Reshape', [x, wanted]);
};

const slice: Step = (chain, x) => {
  const { random } = chain;
  const axes = [...x.dims.keys()].filter((axis) => x.dims[axis]! > 1 && random.chance(0.6));
  if (axes.length === 0) return undefined;
  const steps = axes.map(() => random.pick([1, 1, 2, -1]));
  const lists = [
    axes.map((axis, i) =>
      steps[i]! < 0 ? random.pick([-1, 1000]) : random.int(0, Math.floor(x.dims[axis]! / 2)),
    ),
    axes.map((_, i) => (steps[i]! < 0 ? -1000 : 1000)),
    axes,
    steps,
  ];
  return one(chain, 'Slice', [x, ...lists.map((numbers) => chain.constant(list(numbers)))]);
};

/** Half of it through a sigmoid gates the other half. */
const gated: Step = (chain, x) => {
  const axis = x.dims.findLastIndex((dim) => dim % 2 === 0);
  if (axis < 0) return undefined;
  const half = x.dims[axis]! / 2;
  const halves = chain.apply('Split', [x, chain.constant(list([half, half]))], { axis }, 2);
  return one(chain, 'Mul', [halves[0], one(chain, 'Sigmoid', [halves[1]])]);
};

const concat: Step = (chain, x) => {
  if (x.dims.length === 0) return undefined;
  const axis = anyAxis(chain, x);
  const other = chain.random.chance(0.5)
    ? one(chain, 'Tanh', [x])
    : chain.weights(x.dims.with(axis, 2));
  return one(chain, 'Concat', chain.random.chance(0.5) ? [x, other] : [other, x], { axis });
};

const pad: Step = (chain, x) => {
  if (x.dims.length === 0) return undefined;
  const mode = chain.random.pick(['constant', 'edge', 'reflect']);
  const amounts = [...x.dims, ...x.dims].map((dim) => chain.random.int(0, Math.min(dim - 1, 2)));
  return one(chain, 'Pad', [x, chain.constant(list(amounts))], { mode });
};

const gather: Step = (chain, x) => {
  if (x.dims.length === 0) return undefined;
  const axis = anyAxis(chain, x);
  const size = x.dims.at(axis)!;
  const count = chain.random.pick([[], [3], [2, 2]]);
  const at = integers(chain.random, count, -size, size - 1);
  return one(chain, 'Gather', [x, chain.random.chance(0.5) ? chain.constant(at) : chain.feed(at)], {
    axis,
  });
};

const scatter: Step = (chain, x) => {
  if (x.dims.length === 0) return undefined;
  const at = chain.constant(tensor([chain.random.int(0, x.dims[0]! - 1)], [1, 1], 'int64'));
  const updates = chain.weights([1, ...x.dims.slice(1)]);
  return one(chain, 'ScatterND', [x, at, updates], {
    reduction: chain.random.pick(['none', 'add', 'max']),
  });
};

const reverseSequence: Step = (chain, x) => {
  if (x.dims.length < 2) return undefined;
  const lengths = integers(chain.random, [x.dims[1]!], 1, x.dims[0]!);
  const given = chain.random.chance(0.5) ? chain.constant(lengths) : chain.feed(lengths);
  return one(chain, 'ReverseSequence', [x, given], { time_axis: 0, batch_axis: 1 });
};

/** Adds the number of its place to each step. */
const positions: Step = (chain, x) => {
  if (x.dims.length === 0) return undefined;
  const shape = one(chain, 'Shape', [x]);
  const last = one(chain, 'Gather', [shape, chain.constant(index(-1))], { axis: 0 });
  const [zero, by] = [chain.constant(index(0)), chain.constant(index(1))];
  const range = one(chain, 'Cast', [one(chain, 'Range', [zero, last, by])], { to: 1 });
  return one(chain, 'Add', [x, one(chain, 'Mul', [range, chain.constant(scalar(0.01))])]);
};

const bySize: Step = (chain, x) => {
  const size = one(chain, 'Cast', [one(chain, 'Size', [x])], { to: 1 });
  return one(chain, 'Add', [x, one(chain, 'Reciprocal', [size])]);
};

const zerosLike: Step = (chain, x) => {
  const value = tensor([0.25], [1]);
  const zeros = one(chain, 'ConstantOfShape', [one(chain, 'Shape', [x])], { value });
  return one(chain, 'Max', [x, zeros]);
};

const expand: Step = (chain, x) => {
  if (sizeOf(x.dims) > 200) return undefined;
  return one(chain, 'Expand', [x, chain.constant(list([2, ...x.dims.map(() => 1)]))]);
};

/** Steps by the operator that they are about. */
export const STEPS: Readonly<Record<string, Step>> = {
  ...Object.fromEntries(UNARY.split(' ').map(unary)),
  ...Object.fromEntries(STEPPED.split(' ').map(stepped)),
  ...Object.fromEntries(
    ['Sqrt', 'Log', 'Reciprocal'].map((op) => [
      op,
      ((chain, x) => one(chain, op, [positive(chain, x)])) as Step,
    ]),
  ),
  Pow: (chain, x) => {
    const exponent = chain.constant(scalar(chain.random.pick([2, 0.5, 1.5, -1])));
    return one(chain, 'Pow', [positive(chain, x), exponent]);
  },
  ...Object.fromEntries(
    ['Add', 'Sub', 'Mul', 'Min', 'Max', 'Sum', 'Mean', 'PRelu'].map((op) => withConstant(op)),
  ),
  Div: (chain, x) => one(chain, 'Div', [x, positive(chain, x)]),
  Mod: (chain, x) => one(chain, 'Mod', [x, chain.constant(scalar(1.5))], { fmod: 1 }),
  Clip: (chain, x) =>
    one(chain, 'Clip', [x, chain.constant(scalar(-0.7)), chain.constant(scalar(0.8))]),
  residual,
  compared: where(compare),
  Not: where((chain, x) => one(chain, 'Not', [compare(chain, x)])),
  IsNaN: (chain, x) =>
    one(chain, 'Where', [one(chain, 'IsNaN', [x]), chain.constant(scalar(0)), x]),
  ...Object.fromEntries(
    ['And', 'Or', 'Xor'].map((op) => [
      op,
      where((chain, x) => one(chain, op, [compare(chain, x), compare(chain, x)])),
    ]),
  ),
  MatMul: matMul,
  Gemm: gemm,
  attention,
  ...Object.fromEntries(
    ['Softmax', 'LogSoftmax'].map((op) => [
      op,
      ((chain, x) =>
        x.dims.length === 0 ? undefined : one(chain, op, [x], { axis: anyAxis(chain, x) })) as Step,
    ]),
  ),
  LayerNormalization: layerNormalization,
  ...Object.fromEntries(
    'Mean Sum Max Min L1 L2 SumSquare Prod LogSum LogSumExp'
      .split(' ')
      .map((name) => reduce(`Reduce${name}`)),
  ),
  ...Object.fromEntries(['ArgMax', 'ArgMin'].map(argument)),
  OneHot: oneHot,
  TopK: topK,
  CumSum: (chain, x) =>
    x.dims.length === 0
      ? undefined
      : one(chain, 'CumSum', [x, chain.constant(index(anyAxis(chain, x)))]),
  Transpose: (chain, x) =>
    one(chain, 'Transpose', [x], { perm: chain.random.permutation(x.dims.length) }),
  Reshape: reshape,
  reshapeByShape,
  Flatten: (chain, x) => one(chain, 'Flatten', [x], { axis: chain.random.int(0, x.dims.length) }),
  Unsqueeze: (chain, x) =>
    one(chain, 'Unsqueeze', [x, chain.constant(list([chain.random.int(0, x.dims.length)]))]),
  Squeeze: (chain, x) =>
    x.dims.includes(1)
      ? one(chain, 'Squeeze', [x, chain.constant(list([x.dims.indexOf(1)]))])
      : undefined,
  Slice: slice,
  gated,
  Concat: concat,
  Pad: pad,
  Gather: gather,
  ScatterND: scatter,
  ReverseSequence: reverseSequence,
  Trilu: (chain, x) =>
    x.dims.length < 2 ? undefined : one(chain, 'Trilu', [x], { upper: chain.random.int(0, 1) }),
  Expand: expand,
  Tile: (chain, x) =>
    sizeOf(x.dims) > 200 || x.dims.length === 0
      ? undefined
      : one(chain, 'Tile', [x, chain.constant(list(x.dims.map(() => chain.random.int(1, 2))))]),
  positions,
  bySize,
  zerosLike,
  ...slidingSteps,
};
