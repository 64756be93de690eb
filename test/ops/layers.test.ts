// Convolution, pooling and normalisation against ONNX Runtime.
import { describe, expect, it } from 'vitest';
import { tensor } from '../../src/tensor.ts';
import {
  evaluateCase,
  expectManyLikeOnnxRuntime,
  floats,
  inferCase,
  type OperatorCase,
} from '../support/operator-case.ts';
import { randomOf } from '../support/random.ts';
import { randomWindow } from '../support/random-window.ts';
import { SEED } from '../support/settings.ts';

const random = randomOf(SEED);
const CASES = 40;

describe(`layers agree with ONNX Runtime, seed ${SEED}`, () => {
  it('Conv', () =>
    expectManyLikeOnnxRuntime(CASES, () => {
      const { sizes, kernel, attributes } = randomWindow(random);
      const group = random.int(1, 3);
      const [depth, channels] = [random.int(1, 3), random.int(1, 3)];
      const inputs = [
        floats(random, [random.int(1, 2), group * depth, ...sizes]),
        floats(random, [group * channels, depth, ...kernel], 0.5),
        random.chance(0.5) ? floats(random, [group * channels]) : undefined,
      ];
      const given = random.chance(0.5) ? { kernel_shape: kernel } : {};
      return { op: 'Conv', inputs, attributes: { ...attributes, ...given, group } };
    }));

  it('ConvTranspose', () =>
    expectManyLikeOnnxRuntime(CASES, () => {
      const { sizes, kernel, attributes } = randomWindow(random);
      const group = random.int(1, 3);
      const [depth, channels] = [random.int(1, 3), random.int(1, 3)];
      const strides = (attributes['strides'] ?? kernel.map(() => 1)) as number[];
      const extra = strides.map((stride) => random.int(0, stride - 1));
      const inputs = [
        floats(random, [random.int(1, 2), group * depth, ...sizes.map((size) => size + 2)]),
        floats(random, [group * depth, channels, ...kernel], 0.5),
        random.chance(0.5) ? floats(random, [group * channels]) : undefined,
      ];
      const padding = random.chance(0.3) ? { output_padding: extra } : {};
      return { op: 'ConvTranspose', inputs, attributes: { ...attributes, ...padding, group } };
    }));

  it('ConvTranspose SAME is input × stride long even where the kernel is shorter', () => {
    // The specification and TensorFlow say so; ONNX Runtime stops at the last element it touches.
    const inputs = [tensor([1, 2], [1, 1, 2]), tensor([5], [1, 1, 1])];
    for (const auto_pad of ['SAME_UPPER', 'SAME_LOWER']) {
      const [y] = evaluateCase({
        op: 'ConvTranspose',
        inputs,
        attributes: { strides: [3], auto_pad },
      });
      expect(y!.data).toEqual(Float64Array.of(5, 0, 0, 10, 0, 0));
    }
  });

  it('ConvTranspose to a wanted shape', () =>
    expectManyLikeOnnxRuntime(CASES / 2, () => {
      const [size, kernel, stride] = [random.int(2, 6), random.int(2, 4), random.int(1, 3)];
      const full = (size - 1) * stride + kernel;
      const attributes = {
        strides: [stride],
        output_shape: [full - random.int(0, kernel - 1)],
        auto_pad: random.pick(['NOTSET', 'SAME_UPPER', 'SAME_LOWER']),
      };
      return {
        op: 'ConvTranspose',
        inputs: [floats(random, [1, 2, size]), floats(random, [2, 1, kernel])],
        attributes,
      };
    }));

  const pooling = (op: string): OperatorCase => {
    const { sizes, kernel, attributes } = randomWindow(random);
    const input = floats(random, [
      random.int(1, 2),
      random.int(1, 3),
      ...sizes.map((size) => size + 1),
    ]);
    const ceil = 'auto_pad' in attributes ? 0 : random.int(0, 1);
    return {
      op,
      inputs: [input],
      attributes: { ...attributes, kernel_shape: kernel, ceil_mode: ceil },
    };
  };

  it('MaxPool with its indices', () =>
    expectManyLikeOnnxRuntime(CASES, () => ({ ...pooling('MaxPool'), outputs: random.int(1, 2) })));

  it('AveragePool, with and without its padding', () =>
    expectManyLikeOnnxRuntime(CASES, () => {
      const { attributes, ...rest } = pooling('AveragePool');
      return { ...rest, attributes: { ...attributes, count_include_pad: random.int(0, 1) } };
    }));

  it('AveragePool does not count what lies beyond its padding', async () => {
    const input = tensor([1, 2, 3, -4], [1, 1, 4]);
    for (const pads of [
      [0, 0],
      [1, 1],
      [0, 1],
    ]) {
      const attributes = {
        kernel_shape: [3],
        strides: [2],
        pads,
        ceil_mode: 1,
        count_include_pad: 1,
      };
      await expectManyLikeOnnxRuntime(1, () => ({
        op: 'AveragePool',
        inputs: [input],
        attributes,
      }));
    }
  });

  it.each(['GlobalAveragePool', 'GlobalMaxPool'])('%s', (op) =>
    expectManyLikeOnnxRuntime(6, (i) => ({
      op,
      inputs: [floats(random, [2, 3, ...[4, 5].slice(i % 2)])],
    })),
  );

  it('LayerNormalization over any number of last axes', () =>
    expectManyLikeOnnxRuntime(CASES, (i) => {
      const dims = [random.int(1, 3), random.int(2, 4), random.int(2, 9)];
      const axis = random.int(-3, 2);
      const inner = dims.slice(axis);
      const bias = i % 3 === 0 ? undefined : floats(random, inner);
      const attributes = i % 2 ? { axis, epsilon: 1e-2 } : { axis, epsilon: 1e-3 };
      const outputs = i % 4 === 0 ? 3 : 1;
      return {
        op: 'LayerNormalization',
        inputs: [floats(random, dims), floats(random, inner), bias],
        attributes,
        outputs,
      };
    }));

  it('BatchNormalization', () =>
    expectManyLikeOnnxRuntime(CASES / 2, () => {
      const channels = random.int(1, 4);
      const dims = [random.int(1, 3), channels, 3, 2].slice(0, random.int(2, 4));
      const [scale, bias, mean] = [0, 1, 2].map(() => floats(random, [channels]));
      const variance = tensor(random.floats(channels).map((x) => Math.abs(x) + 0.1));
      return {
        op: 'BatchNormalization',
        inputs: [floats(random, dims), scale, bias, mean, variance],
        attributes: { epsilon: 1e-3 },
      };
    }));

  it('InstanceNormalization and GroupNormalization', async () => {
    await expectManyLikeOnnxRuntime(CASES / 4, () => {
      const channels = random.int(1, 4);
      const inputs = [
        floats(random, [2, channels, 5, 2]),
        floats(random, [channels]),
        floats(random, [channels]),
      ];
      return { op: 'InstanceNormalization', inputs, attributes: { epsilon: 1e-2 } };
    });
    await expectManyLikeOnnxRuntime(CASES / 4, () => {
      const [groups, depth] = [random.int(1, 3), random.int(1, 3)];
      const parameters = [0, 1].map(() => floats(random, [groups * depth]));
      const inputs = [floats(random, [2, groups * depth, 5]), ...parameters];
      return {
        op: 'GroupNormalization',
        inputs,
        attributes: { num_groups: groups, epsilon: 1e-2 },
      };
    });
  });
});

describe('layers refuse what does not fit', () => {
  const x = floats(random, [1, 4, 8]);
  const channel = floats(random, [4]);
  it.each([
    [
      'Conv',
      [x, floats(random, [2, 3, 3])],
      {},
      /inputs\[1\]: shape, got \[2, 3, 3\], expected \[2, 4, 3\]/,
    ],
    [
      'Conv',
      [x, floats(random, [2, 4, 3])],
      { group: 3 },
      /group: groups of 4 channels, got 3, expected a divisor/,
    ],
    [
      'Conv',
      [x, floats(random, [2, 4, 9])],
      {},
      /size of sliding axis 0, got 8, expected at least 9/,
    ],
    ['Conv', [x, floats(random, [2, 4, 3])], { strides: [0] }, /strides: attribute, got \[0\]/],
    ['Conv', [x, floats(random, [2, 4, 3])], { pads: [-1, 0] }, /pads: attribute, got \[-1, 0\]/],
    [
      'Conv',
      [x, floats(random, [2, 4, 3])],
      { kernel_shape: [2] },
      /inputs\[1\]: shape, got \[2, 4, 3\], expected \[2, 4, 2\]/,
    ],
    [
      'Conv',
      [x, floats(random, [2, 4, 3, 1])],
      {},
      /inputs\[1\]: shape, got \[2, 4, 3, 1\], expected 3 axes/,
    ],
    [
      'Conv',
      [x, floats(random, [2, 4, 3]), channel],
      {},
      /inputs\[2\]: shape, got \[4\], expected \[2\]/,
    ],
    ['Conv', [channel, channel], {}, /inputs\[0\]: shape, got \[4\], expected \[batch, channels/],
    ['MaxPool', [x], {}, /kernel_shape: attribute, got \[\], expected 1 sizes/],
    [
      'MaxPool',
      [x],
      { kernel_shape: [2], storage_order: 1 },
      /storage_order: column-major indices/,
    ],
    [
      'BatchNormalization',
      [x, channel, channel, channel, floats(random, [3])],
      {},
      /inputs\[4\]: shape, got \[3\], expected \[4\]/,
    ],
    [
      'BatchNormalization',
      [x, channel, channel, channel, channel],
      { training_mode: 1 },
      /training/,
    ],
    ['LayerNormalization', [x, floats(random, [7])], {}, /inputs\[1\]/],
    [
      'GroupNormalization',
      [x, channel, channel],
      { num_groups: 3 },
      /num_groups: groups of 4 channels, got 3/,
    ],
  ] as const)('%s %#', (op, inputs, attributes, message) => {
    expect(() => inferCase({ op, inputs, attributes })).toThrow(message);
  });
});
