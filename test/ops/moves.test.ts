// Operators that move, reshape and make values, against ONNX Runtime.
import { describe, expect, it } from 'vitest';
import { sizeOf, tensor, type Tensor } from '../../src/tensor.ts';
import {
  evaluateCase,
  expectLikeOnnxRuntime,
  expectManyLikeOnnxRuntime,
  floats,
  inferCase,
  integers,
  list,
  narrower,
  randomDims,
} from '../support/operator-case.ts';
import { randomOf } from '../support/random.ts';
import { SEED } from '../support/settings.ts';

const CASES = 15;
const scalar = (value: number): Tensor => tensor([value], [], 'int64');
const INT64_MAX = 2n ** 63n - 1n;

describe(`operators that move numbers agree with ONNX Runtime, seed ${SEED}`, () => {
  const random = randomOf(SEED);
  const axisIn = (dims: readonly number[]): number => random.int(-dims.length, dims.length - 1);

  it('Concat', () =>
    expectManyLikeOnnxRuntime(CASES, () => {
      const dims = randomDims(random, 1);
      const axis = axisIn(dims);
      const inputs = Array.from({ length: random.int(1, 4) }, () =>
        floats(random, dims.with(axis, random.int(0, 4))),
      );
      return { op: 'Concat', inputs, attributes: { axis } };
    }));

  it('Split by sizes and by count', () =>
    expectManyLikeOnnxRuntime(CASES, (i) => {
      const dims = randomDims(random, 1);
      const axis = axisIn(dims);
      const sizes = Array.from({ length: random.int(1, 3) }, () => random.int(0, 3));
      if (i % 2 === 0) {
        const total = sizes.reduce((a, b) => a + b, 0);
        const inputs = [floats(random, dims.with(axis, total)), list(sizes)];
        return { op: 'Split', inputs, attributes: { axis }, outputs: sizes.length };
      }
      const parts = random.int(1, 3);
      const inputs = [floats(random, dims.with(axis, parts * random.int(2, 3) - random.int(0, 1)))];
      return { op: 'Split', inputs, attributes: { axis, num_outputs: parts }, outputs: parts };
    }));

  it('Slice with any bounds and steps', () =>
    expectManyLikeOnnxRuntime(CASES * 4, (i) => {
      const dims = randomDims(random, 1, 4, 6);
      const axes = random.permutation(dims.length).slice(0, random.int(1, dims.length));
      const bounds = (): Tensor => list(axes.map(() => random.int(-8, 8)));
      const steps = list(axes.map(() => random.pick([1, 1, 2, 3, -1, -2, -3])));
      const named = list(axes.map((axis) => (random.chance(0.5) ? axis : axis - dims.length)));
      const inputs = [floats(random, dims), bounds(), bounds()];
      if (i % 4 !== 0) return { op: 'Slice', inputs: [...inputs, named, steps] };
      return {
        op: 'Slice',
        inputs: [inputs[0]!, ...[0, 1].map(() => list(dims.map(() => random.int(-3, 5))))],
      };
    }));

  it('Slice to the ends of int64, as exporters write it', async () => {
    const x = floats(random, [7]);
    const one = (value: bigint): Tensor => tensor(BigInt64Array.of(value), [1]);
    for (const step of [1n, 2n, -1n, -2n]) {
      for (const end of [INT64_MAX, INT64_MAX - 1n, -INT64_MAX, -INT64_MAX - 1n]) {
        // Backwards, ONNX Runtime takes the greatest int64 for the least; the specification does not.
        if (step < 0n && end === INT64_MAX) continue;
        const inputs = [x, one(step > 0n ? 1n : -1n), one(end), one(0n), one(step)];
        await expectLikeOnnxRuntime({ op: 'Slice', inputs });
      }
    }
  });

  it('Transpose', () =>
    expectManyLikeOnnxRuntime(CASES, (i) => {
      const dims = randomDims(random, 0, 5);
      const attributes = i % 4 === 0 ? {} : { perm: random.permutation(dims.length) };
      return { op: 'Transpose', inputs: [floats(random, dims)], attributes };
    }));

  it('Expand stretches either operand', () =>
    expectManyLikeOnnxRuntime(CASES, () => {
      const dims = randomDims(random, 1);
      return {
        op: 'Expand',
        inputs: [floats(random, narrower(random, dims)), list(narrower(random, dims))],
      };
    }));

  it('Tile', () =>
    expectManyLikeOnnxRuntime(CASES, () => {
      const dims = randomDims(random, 1);
      return { op: 'Tile', inputs: [floats(random, dims), list(dims.map(() => random.int(0, 3)))] };
    }));

  it.each(['constant', 'edge', 'wrap', 'reflect'])('Pad %s', (mode) =>
    expectManyLikeOnnxRuntime(CASES, (i) => {
      const dims = randomDims(random, 1, 3, 5).map((dim) => dim + 1);
      const axes = random.permutation(dims.length).slice(0, random.int(1, dims.length));
      // reflect and wrap: ONNX Runtime takes no more than the axis holds.
      const pads = [...axes, ...axes].map((axis) =>
        random.int(mode === 'constant' ? -1 : 0, dims[axis]! - 1),
      );
      const every = [...dims, ...dims].map((dim) => random.int(0, dim - 1));
      const value = tensor([0.5], []);
      const inputs =
        i % 3 === 0
          ? [floats(random, dims), list(every), value]
          : [floats(random, dims), list(pads), i % 3 === 1 ? value : undefined, list(axes)];
      return { op: 'Pad', inputs, attributes: { mode } };
    }),
  );

  it('Pad reflect goes to and fro where it needs more than there is, as numpy does', () => {
    const pad = (values: number[], pads: number[]): number[] => {
      const inputs = [tensor(values), list(pads)];
      return [...evaluateCase({ op: 'Pad', inputs, attributes: { mode: 'reflect' } })[0]!.data];
    };
    expect(pad([1, 2, 3], [5, 4])).toEqual([2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3]);
    expect(pad([7], [2, 1])).toEqual([7, 7, 7, 7]);
  });

  it('Gather', () =>
    expectManyLikeOnnxRuntime(CASES, () => {
      const dims = randomDims(random, 1);
      const axis = axisIn(dims);
      const size = dims.at(axis)!;
      const indices = integers(random, randomDims(random, 0, 2), -size, size - 1);
      return { op: 'Gather', inputs: [floats(random, dims), indices], attributes: { axis } };
    }));

  it('GatherElements', () =>
    expectManyLikeOnnxRuntime(CASES, () => {
      const dims = randomDims(random, 1);
      const axis = random.int(0, dims.length - 1);
      const shape = dims.map((dim, k) => (k === axis ? random.int(1, 5) : random.int(1, dim)));
      const indices = integers(random, shape, -dims[axis]!, dims[axis]! - 1);
      return {
        op: 'GatherElements',
        inputs: [floats(random, dims), indices],
        attributes: { axis },
      };
    }));

  it.each(['none', 'add', 'mul', 'max', 'min'])('ScatterElements, reduction %s', (reduction) =>
    expectManyLikeOnnxRuntime(CASES, () => {
      const dims = randomDims(random, 1);
      const axis = random.int(0, dims.length - 1);
      const size = dims[axis]!;
      // Without a reduction the order of updates to one place is left open: use each place once.
      const max = reduction === 'none' ? 1 : 5;
      const shape = dims.map((dim, k) => random.int(1, k === axis ? max : dim));
      return {
        op: 'ScatterElements',
        inputs: [
          floats(random, dims),
          integers(random, shape, -size, size - 1),
          floats(random, shape),
        ],
        attributes: { axis: random.chance(0.5) ? axis : axis - dims.length, reduction },
      };
    }),
  );

  it.each(['none', 'add', 'mul', 'max', 'min'])('ScatterND, reduction %s', (reduction) =>
    expectManyLikeOnnxRuntime(CASES, () => {
      const dims = randomDims(random, 1);
      const depth = random.int(1, dims.length);
      const outer = randomDims(random, 0, 2);
      // Without a reduction the order of updates to one place is left open: use each place once.
      const places = reduction === 'none' ? 1 : sizeOf(outer);
      const shape = reduction === 'none' ? [1] : outer;
      const indices = Array.from({ length: places }, () =>
        dims.slice(0, depth).map((dim) => random.int(-dim, dim - 1)),
      ).flat();
      const updates = floats(random, [...shape, ...dims.slice(depth)]);
      const inputs = [floats(random, dims), tensor(indices, [...shape, depth], 'int64'), updates];
      return { op: 'ScatterND', inputs, attributes: { reduction } };
    }),
  );

  it('Trilu', () =>
    expectManyLikeOnnxRuntime(CASES, (i) => {
      const k = i % 3 === 0 ? undefined : scalar(random.int(-4, 4));
      const inputs = [floats(random, randomDims(random, 2)), k];
      return { op: 'Trilu', inputs, attributes: { upper: random.int(0, 1) } };
    }));

  it('ReverseSequence', () =>
    expectManyLikeOnnxRuntime(CASES, (i) => {
      const dims = randomDims(random, 2);
      const time = i % 2;
      const lengths = integers(random, [dims[1 - time]!], 1, dims[time]!);
      return {
        op: 'ReverseSequence',
        inputs: [floats(random, dims), lengths],
        attributes: { time_axis: time, batch_axis: 1 - time },
      };
    }));
});

describe(`operators about shapes agree with ONNX Runtime, seed ${SEED}`, () => {
  const random = randomOf(SEED);

  it('Reshape copies zeros and works out -1', () =>
    expectManyLikeOnnxRuntime(CASES, (i) => {
      const [a, b, c] = [random.int(1, 4), random.int(1, 4), random.int(1, 4)];
      const shape = [[a * b, c], [0, -1], [-1], [0, 0, 0], [c, 1, -1, b], [0, b * c]][i % 6]!;
      return { op: 'Reshape', inputs: [floats(random, [a, b, c]), list(shape)] };
    }));

  it('Reshape of nothing, with allowzero', async () => {
    const empty = floats(random, [0, 3]);
    await expectLikeOnnxRuntime({
      op: 'Reshape',
      inputs: [empty, list([3, 0])],
      attributes: { allowzero: 1 },
    });
    await expectLikeOnnxRuntime({
      op: 'Reshape',
      inputs: [empty, list([5, 0, 2])],
      attributes: { allowzero: 1 },
    });
    await expectLikeOnnxRuntime({ op: 'Reshape', inputs: [floats(random, [1]), list([])] });
  });

  it('Flatten, Squeeze, Unsqueeze', async () => {
    await expectManyLikeOnnxRuntime(CASES, () => {
      const dims = randomDims(random, 1);
      const axis = random.int(-dims.length, dims.length);
      return { op: 'Flatten', inputs: [floats(random, dims)], attributes: { axis } };
    });
    await expectManyLikeOnnxRuntime(CASES, () => {
      const dims = randomDims(random, 1).map((dim) => (random.chance(0.5) ? 1 : dim));
      const ones = [...dims.keys()].filter((axis) => dims[axis] === 1 && random.chance(0.7));
      const axes = ones.map((axis) => (random.chance(0.5) ? axis : axis - dims.length));
      // An empty list names no axis; ONNX Runtime takes it for a list left out.
      return {
        op: 'Squeeze',
        inputs: [floats(random, dims), axes.length === 0 ? undefined : list(axes)],
      };
    });
    await expectManyLikeOnnxRuntime(CASES, () => {
      const dims = randomDims(random);
      const count = random.int(1, 3);
      const rank = dims.length + count;
      const axes = random.permutation(rank).slice(0, count);
      const signed = axes.map((axis) => (random.chance(0.5) ? axis : axis - rank));
      return { op: 'Unsqueeze', inputs: [floats(random, dims), list(signed)] };
    });
  });

  it('Shape with bounds, Size', async () => {
    await expectManyLikeOnnxRuntime(CASES, (i) => {
      const attributes = i % 2 ? { start: random.int(-5, 5), end: random.int(-5, 5) } : {};
      return { op: 'Shape', inputs: [floats(random, randomDims(random))], attributes };
    });
    await expectManyLikeOnnxRuntime(3, () => ({
      op: 'Size',
      inputs: [floats(random, randomDims(random))],
    }));
  });

  it('ConstantOfShape', async () => {
    await expectLikeOnnxRuntime({ op: 'ConstantOfShape', inputs: [list([2, 3])] });
    await expectLikeOnnxRuntime({ op: 'ConstantOfShape', inputs: [list([])] });
    const value = tensor([7], [1], 'int64');
    await expectLikeOnnxRuntime({
      op: 'ConstantOfShape',
      inputs: [list([4, 0])],
      attributes: { value },
    });
    await expectLikeOnnxRuntime({
      op: 'ConstantOfShape',
      inputs: [list([4])],
      attributes: { value },
    });
  });

  it('Range', () =>
    expectManyLikeOnnxRuntime(CASES, (i) => {
      const step = random.pick([-3, -1, 1, 2]);
      const bounds = [random.int(-5, 5), random.int(-5, 5), step];
      if (i % 2 === 0) return { op: 'Range', inputs: bounds.map(scalar) };
      return { op: 'Range', inputs: bounds.map((bound) => tensor([bound / 2], [])) };
    }));

  it('OneHot', () =>
    expectManyLikeOnnxRuntime(CASES, () => {
      const dims = randomDims(random, 1, 3);
      const depth = random.int(1, 4);
      const inputs = [integers(random, dims, -depth - 1, depth), scalar(depth), tensor([-1, 2])];
      return {
        op: 'OneHot',
        inputs,
        attributes: { axis: random.int(-dims.length - 1, dims.length) },
      };
    }));
});

describe('operators that move numbers refuse what does not fit', () => {
  const x = tensor([1, 2, 3, 4, 5, 6], [2, 3]);
  it.each([
    [
      'Reshape',
      [x, list([4, -1])],
      {},
      /inputs\[1\]: shape, got \[4, -1\], expected one that fits \[2, 3\]/,
    ],
    ['Reshape', [x, list([-1, -1])], {}, /inputs\[1\]: shape/],
    ['Reshape', [x, list([2, 3, 0])], {}, /inputs\[1\]\[2\]: size, got 0/],
    ['Slice', [x, list([0]), list([1]), list([2])], {}, /inputs\[3\]: axis out of range, got 2/],
    ['Slice', [x, list([0]), list([1]), list([0]), list([0])], {}, /inputs\[4\]\[0\]: step, got 0/],
    ['Slice', [x, list([0]), list([1, 2])], {}, /inputs\[2\]: number of bounds, got 2, expected 1/],
    ['Concat', [x, tensor([1, 2])], { axis: 0 }, /inputs\[1\]: shape, got \[2\]/],
    ['Concat', [x, x], {}, /axis: attribute of Concat, got nothing, expected a whole number/],
    ['Split', [x, list([1, 2])], { axis: 0 }, /sum of sizes along axis 0, got 3, expected 2/],
    ['Transpose', [x], { perm: [0, 0] }, /perm: order of axes, got \[0, 0\]/],
    ['Squeeze', [x, list([0])], {}, /size of axis 0, got 2, expected 1/],
    ['Expand', [x, list([4])], {}, /inputs\[1\]: got \[2, 3\] and \[4\]/],
    ['Tile', [x, list([2])], {}, /number of repeats, got 1, expected 2/],
    ['Pad', [x, list([1, 1])], {}, /number of pads, got 2, expected 4/],
    ['Pad', [x, list([0, 0, 0, 0])], { mode: 'mirror' }, /mode: attribute of Pad, got mirror/],
    ['ConstantOfShape', [list([-1])], {}, /inputs\[0\]\[0\]: size, got -1, expected 0 or more/],
    ['Range', [scalar(0), scalar(9), scalar(0)], {}, /inputs\[2\]: step, got 0/],
    ['Gather', [x, list([0])], { axis: 5 }, /axis: axis out of range, got 5/],
    [
      'ScatterElements',
      [x, tensor([0, 0, 0, 0], [1, 4], 'int64'), tensor([1, 2, 3, 4], [1, 4])],
      {},
      /inputs\[1\]: shape, got \[1, 4\], expected one within \[2, 3\]/,
    ],
    [
      'ScatterElements',
      [x, tensor([0, 0], [1, 2], 'int64'), tensor([1], [1, 1])],
      {},
      /inputs\[2\]: shape, got \[1, 1\], expected \[1, 2\]/,
    ],
  ] as const)('%s %#', (op, inputs, attributes, message) => {
    expect(() => inferCase({ op, inputs, attributes })).toThrow(message);
  });

  it('indices out of range', () => {
    const message = /graph\.nodes\[0\]\.inputs\[1\]\[0\]: index, got 2, expected -2 to 1/;
    expect(() => evaluateCase({ op: 'Gather', inputs: [x, list([2])] })).toThrow(message);
    const indices = tensor([2], [1, 1], 'int64');
    expect(() => evaluateCase({ op: 'GatherElements', inputs: [x, indices] })).toThrow(message);
    expect(() =>
      evaluateCase({ op: 'ScatterElements', inputs: [x, indices, tensor([1], [1, 1])] }),
    ).toThrow(message);
    expect(() =>
      evaluateCase({ op: 'ScatterND', inputs: [x, indices, tensor([1, 2, 3], [1, 3])] }),
    ).toThrow(message);
    expect(() => evaluateCase({ op: 'ReverseSequence', inputs: [x, list([1, 1, 3])] })).toThrow(
      /inputs\[1\]\[2\]: length, got 3, expected 0 to 2/,
    );
  });

  it('more elements than any model needs', () => {
    const inputs = [list([1e6, 1e6])];
    expect(inferCase({ op: 'ConstantOfShape', inputs })[0]!.dims).toEqual([1e6, 1e6]);
    expect(() => evaluateCase({ op: 'ConstantOfShape', inputs })).toThrow(
      /at most 67108864 \(limits.maxLiveElements\)/,
    );
  });
});
