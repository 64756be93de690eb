// Random cases of operators that fold or look along axes.
import { tensor, type Tensor } from '../../src/tensor.ts';
import { floats, list, narrower } from '../support/operator-case.ts';
import type { Random } from '../support/random.ts';
import {
  randomShape,
  positive,
  whole,
  integersOf,
  distinct,
  withTies,
  type Case,
  type MakeCase,
} from './random-values.ts';

const reduction = (random: Random, i: number, integral = positive): Case => {
  const dims = i === 0 ? [2, 2000] : i === 1 ? [5, 1200, 2] : randomShape(random, 1);
  const axes = [...dims.keys()]
    .filter(() => random.chance(0.5))
    .map((axis) => (random.chance(0.3) ? axis - dims.length : axis));
  const x = random.chance(0.25) ? integral(random, dims) : positive(random, dims);
  return {
    inputs: [x, random.chance(0.2) ? undefined : list(axes)],
    attributes: { keepdims: random.int(0, 1), noop_with_empty_axes: random.int(0, 1) },
  };
};

const withAxis =
  (
    make: (random: Random, dims: readonly number[]) => Tensor,
    extra: (random: Random) => object = () => ({}),
  ): MakeCase =>
  (random, i) => {
    const dims = i === 0 ? [3, 900] : i === 1 ? [2, 500, 3] : randomShape(random, 1);
    return {
      inputs: [make(random, dims)],
      attributes: { axis: random.int(-dims.length, dims.length - 1), ...extra(random) },
    };
  };

/** Cases by operator. */
export const foldCases: Readonly<Record<string, MakeCase>> = {
  ...Object.fromEntries(
    ['Sum', 'Mean', 'Max', 'Min', 'L1', 'SumSquare'].map((name) => [
      `Reduce${name}`,
      ((random, i) => reduction(random, i, whole)) as MakeCase,
    ]),
  ),
  // Integers would be cut off right at the numbers that rounding errors straddle.
  ReduceL2: reduction,
  ReduceLogSum: reduction,
  ReduceLogSumExp: reduction,
  ReduceProd: (random, i) => reduction(random, i + 2),
  Softmax: withAxis((random, dims) => floats(random, dims, 5)),
  LogSoftmax: withAxis((random, dims) => floats(random, dims, 5)),
  ArgMax: withAxis(withTies, (random) => ({
    keepdims: random.int(0, 1),
    select_last_index: random.int(0, 1),
  })),
  ArgMin: withAxis(withTies, (random) => ({
    keepdims: random.int(0, 1),
    select_last_index: random.int(0, 1),
  })),
  TopK: (random) => {
    const dims = randomShape(random, 1, 4);
    const axis = random.int(0, dims.length - 1);
    const k = tensor([random.int(0, Math.min(dims[axis]!, 9))], [1], 'int64');
    const attributes = { axis, largest: random.int(0, 1), sorted: 1 };
    return {
      inputs: [random.pick([distinct, withTies, whole])(random, dims), k],
      attributes,
      outputs: 2,
    };
  },
  CumSum: (random) => {
    const dims = randomShape(random, 1, 4);
    const axis = tensor([random.int(-dims.length, dims.length - 1)], [], 'int64');
    return {
      inputs: [random.pick([floats, integersOf('int32')])(random, dims), axis],
      attributes: { exclusive: random.int(0, 1), reverse: random.int(0, 1) },
    };
  },
  LayerNormalization: (random, i) => {
    const dims = i === 0 ? [3, 700] : randomShape(random, 1, 4);
    const axis = random.int(0, dims.length - 1);
    const inner = random.chance(0.7) ? dims.slice(axis) : narrower(random, dims);
    return {
      inputs: [
        floats(random, dims),
        floats(random, inner),
        random.chance(0.5) ? floats(random, inner) : undefined,
      ],
      attributes: { axis: random.chance(0.5) ? axis : axis - dims.length, epsilon: 1e-2 },
      outputs: random.pick([1, 3]),
    };
  },
  InstanceNormalization: (random) => {
    const dims = [random.int(1, 3), random.int(1, 5), ...randomShape(random, 1, 2)];
    return {
      inputs: [floats(random, dims), floats(random, [dims[1]!]), floats(random, [dims[1]!])],
      attributes: { epsilon: 1e-2 },
    };
  },
  GroupNormalization: (random) => {
    const [groups, each] = [random.int(1, 3), random.int(1, 4)];
    const dims = [random.int(1, 3), groups * each, ...randomShape(random, 1, 2)];
    const attributes = { num_groups: groups, epsilon: 1e-2 };
    return {
      inputs: [floats(random, dims), floats(random, [dims[1]!]), floats(random, [dims[1]!])],
      attributes,
    };
  },
  GlobalAveragePool: (random) => ({
    inputs: [floats(random, [2, 3, ...randomShape(random, 1, 2)])],
  }),
  GlobalMaxPool: (random) => ({ inputs: [floats(random, [2, 3, ...randomShape(random, 1, 2)])] }),
};
