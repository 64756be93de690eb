// Random cases of operators that move elements.
import { tensor } from '../../src/tensor.ts';
import { floats, integers, list, narrower } from '../support/operator-case.ts';
import type { Random } from '../support/random.ts';
import {
  randomShape,
  bools,
  anything,
  numbers,
  integersOf,
  type MakeCase,
} from './random-values.ts';

/** Same sizes, another rank: with axes of 1 thrown in. */
function regrouped(random: Random, dims: readonly number[]): number[] {
  const result = dims.slice();
  if (result.length > 1 && random.chance(0.7)) {
    const at = random.int(0, result.length - 2);
    result.splice(at, 2, result[at]! * result[at + 1]!);
  }
  if (random.chance(0.5)) result.splice(random.int(0, result.length), 0, 1);
  return result;
}

/** Cases by operator. */
export const moveCases: Readonly<Record<string, MakeCase>> = {
  Reshape: (random) => {
    const dims = randomShape(random, 1);
    return { inputs: [anything(random, dims), list(regrouped(random, dims))] };
  },
  Flatten: (random) => {
    const dims = randomShape(random);
    return { inputs: [anything(random, dims)], attributes: { axis: random.int(0, dims.length) } };
  },
  Squeeze: (random) => ({
    inputs: [
      anything(random, [1, ...randomShape(random, 0, 3), 1]),
      random.chance(0.5) ? list([0, -1]) : undefined,
    ],
  }),
  Unsqueeze: (random) => ({ inputs: [anything(random, randomShape(random, 0, 3)), list([0, -1])] }),
  Identity: (random) => ({ inputs: [anything(random, randomShape(random))] }),
  Dropout: (random) => ({
    inputs: [floats(random, randomShape(random))],
    outputs: random.int(1, 2),
  }),
  Transpose: (random, i) => {
    const dims = i === 0 ? [2, 1, 3, 2, 2, 3] : randomShape(random);
    return {
      inputs: [anything(random, dims)],
      attributes: random.chance(0.8) ? { perm: random.permutation(dims.length) } : {},
    };
  },
  Expand: (random) => {
    const dims = randomShape(random);
    return { inputs: [anything(random, narrower(random, dims)), list(dims)] };
  },
  Tile: (random) => {
    const dims = randomShape(random, 1, 4);
    return { inputs: [anything(random, dims), list(dims.map(() => random.int(1, 3)))] };
  },
  Slice: (random) => {
    const dims = randomShape(random, 1, 4);
    const axes = [...dims.keys()].filter(() => random.chance(0.7));
    const bound = (): number => random.int(-15, 15);
    const steps = axes.map(() => random.pick([1, 1, 2, 3, -1, -2]));
    return {
      inputs: [
        anything(random, dims),
        list(
          axes.map((_, n) =>
            steps[n]! < 0 && random.chance(0.5) ? 1000 : random.chance(0.5) ? 0 : bound(),
          ),
        ),
        list(axes.map((_, n) => (steps[n]! < 0 ? -1000 : random.chance(0.5) ? 1000 : bound()))),
        list(axes.map((axis) => (random.chance(0.3) ? axis - dims.length : axis))),
        list(steps),
      ],
    };
  },
  Split: (random) => {
    const dims = randomShape(random, 1, 4);
    const axis = random.int(0, dims.length - 1);
    const first = random.int(0, dims[axis]!);
    return {
      inputs: [anything(random, dims), list([first, dims[axis]! - first])],
      attributes: { axis: random.chance(0.5) ? axis : axis - dims.length },
      outputs: 2,
    };
  },
  Concat: (random) => {
    const dims = randomShape(random, 1, 4);
    const axis = random.int(0, dims.length - 1);
    const make = random.pick([floats, bools, integersOf('int64')]);
    const inputs = Array.from({ length: random.int(1, 9) }, () =>
      make(random, dims.with(axis, random.int(0, 4))),
    );
    return { inputs, attributes: { axis: random.chance(0.5) ? axis : axis - dims.length } };
  },
  Pad: (random, i) => {
    const dims = randomShape(random, 1, 5);
    const mode = (['constant', 'edge', 'reflect', 'wrap'] as const)[i % 4]!;
    const maxPad = (axis: number): number =>
      mode === 'reflect' ? Math.min(dims[axis]! - 1, 3) : 3;
    const amounts = [...dims.keys(), ...dims.keys()].map((axis) =>
      random.int(mode === 'constant' && dims[axis]! > 4 ? -2 : 0, maxPad(axis)),
    );
    const value = random.chance(0.5) && mode === 'constant';
    return {
      inputs: [floats(random, dims), list(amounts), value ? tensor([0.5], []) : undefined],
      attributes: { mode },
    };
  },
  Trilu: (random) => ({
    inputs: [
      numbers(random, [...randomShape(random, 0, 2), random.int(1, 9), random.int(1, 9)]),
      random.chance(0.5) ? tensor([random.int(-3, 3)], [], 'int64') : undefined,
    ],
    attributes: { upper: random.int(0, 1) },
  }),
  OneHot: (random) => {
    const dims = randomShape(random, 0, 3);
    const values = random.pick([tensor([0, 1], [2]), tensor([5, -7], [2], 'int32')]);
    return {
      inputs: [integers(random, dims, -6, 6), tensor([random.int(1, 6)], [1], 'int64'), values],
      attributes: { axis: random.int(-dims.length - 1, dims.length) },
    };
  },
  ReverseSequence: (random) => {
    const dims = [random.int(1, 7), random.int(1, 7), ...randomShape(random, 0, 2)];
    const batch = random.int(0, 1);
    return {
      inputs: [numbers(random, dims), integers(random, [dims[batch]!], 0, dims[1 - batch]!)],
      attributes: { batch_axis: batch, time_axis: 1 - batch },
    };
  },
  Gather: (random) => {
    const dims = randomShape(random, 1, 4);
    const axis = random.int(0, dims.length - 1);
    const indices = integers(
      random,
      randomShape(random, 0, 2).map((dim) => Math.min(dim, 9)),
      -dims[axis]!,
      dims[axis]! - 1,
    );
    return {
      inputs: [anything(random, dims), indices],
      attributes: { axis: random.chance(0.5) ? axis : axis - dims.length },
    };
  },
  GatherElements: (random) => {
    const dims = randomShape(random, 1, 4);
    const axis = random.int(0, dims.length - 1);
    const shape = dims.map((dim, k) => (k === axis ? random.int(1, 9) : random.int(1, dim)));
    return {
      inputs: [anything(random, dims), integers(random, shape, -dims[axis]!, dims[axis]! - 1)],
      attributes: { axis },
    };
  },
  ScatterElements: (random, i) => {
    const dims = randomShape(random, 1, 4);
    const axis = random.int(0, dims.length - 1);
    const shape = dims.map((dim, k) => (k === axis ? random.int(1, 9) : random.int(1, dim)));
    const make = random.chance(0.5) ? floats : integersOf('int64');
    return {
      inputs: [
        make(random, dims),
        integers(random, shape, -dims[axis]!, dims[axis]! - 1),
        make(random, shape),
      ],
      attributes: {
        axis: random.chance(0.5) ? axis : axis - dims.length,
        reduction: ['none', 'add', 'mul', 'min', 'max'][i % 5]!,
      },
    };
  },
  ScatterND: (random, i) => {
    const dims = randomShape(random, 1, 4);
    const depth = random.int(1, dims.length);
    const count = random.int(1, 9);
    const indices = Array.from({ length: count }, () =>
      dims.slice(0, depth).map((dim) => random.int(-dim, dim - 1)),
    );
    const make = random.chance(0.5) ? floats : integersOf('int64');
    return {
      inputs: [
        make(random, dims),
        tensor(indices.flat(), [count, depth], 'int64'),
        make(random, [count, ...dims.slice(depth)]),
      ],
      attributes: { reduction: ['none', 'add', 'mul', 'min', 'max'][i % 5]! },
    };
  },
  ConstantOfShape: (random) => ({ inputs: [list(randomShape(random, 1, 3))] }),
  Range: () => ({
    inputs: [tensor([1], [], 'int32'), tensor([9], [], 'int32'), tensor([2], [], 'int32')],
  }),
};
