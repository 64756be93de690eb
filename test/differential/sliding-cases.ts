// Random convolutions and pools, within what ONNX Runtime has.
import { distinct } from '../shaders/random-values.ts';
import { floats, type OperatorCase } from '../support/operator-case.ts';
import type { Random } from '../support/random.ts';
import { randomWindow } from '../support/random-window.ts';

type MakeCase = (random: Random, index: number) => Omit<OperatorCase, 'op'>;

const conv =
  (transposed: boolean): MakeCase =>
  (random, i) => {
    const { sizes, kernel, attributes } = randomWindow(random);
    if (i === 0) sizes[0] = 150;
    const group = random.pick([1, 1, 2, 3]);
    const [depth, channels] = [random.pick([1, 2, 3, 5]), random.pick([1, 2, 4, 7])];
    const weights = transposed ? [group * depth, channels] : [group * channels, depth];
    const strides = (attributes['strides'] ?? kernel.map(() => 1)) as number[];
    const extra = transposed && random.chance(0.3);
    return {
      inputs: [
        // The padding of a transposed convolution is cut off its output, of which some must be left.
        floats(random, [random.int(1, 3), group * depth, ...sizes.map((size) => size + 2)]),
        floats(random, [...weights, ...kernel], 0.5),
        random.chance(0.5) ? floats(random, [group * channels]) : undefined,
      ],
      attributes: {
        ...attributes,
        ...(random.chance(0.5) && { kernel_shape: kernel }),
        ...((group > 1 || random.chance(0.5)) && { group }),
        ...(extra && { output_padding: strides.map((stride) => random.int(0, stride - 1)) }),
      },
    };
  };

/** A transposed convolution that names the shape it wants. */
const toShape: MakeCase = (random) => {
  const [size, kernel, stride] = [random.int(2, 6), random.int(2, 4), random.int(1, 3)];
  const full = (size - 1) * stride + kernel;
  return {
    inputs: [floats(random, [1, 2, size]), floats(random, [2, 1, kernel])],
    attributes: {
      strides: [stride],
      output_shape: [full - random.int(0, kernel - 1)],
      auto_pad: random.pick(['NOTSET', 'SAME_UPPER', 'SAME_LOWER']),
    },
  };
};

const pool =
  (extra: (random: Random) => Readonly<Record<string, number>>, outputs = 1): MakeCase =>
  (random) => {
    const { sizes, kernel, attributes } = randomWindow(random);
    const dims = [random.int(1, 3), random.int(1, 5), ...sizes.map((size) => size + 1)];
    return {
      inputs: [distinct(random, dims)],
      attributes: {
        ...attributes,
        kernel_shape: kernel,
        // With auto_pad the specification and ONNX Runtime disagree on the number of windows.
        ceil_mode: 'auto_pad' in attributes ? 0 : random.int(0, 1),
        ...extra(random),
      },
      outputs: random.int(1, outputs),
    };
  };

/** Cases by operator. */
export const slidingCases: Readonly<Record<string, MakeCase>> = {
  Conv: conv(false),
  ConvTranspose: (random, i) => (i % 5 === 4 ? toShape : conv(true))(random, i),
  MaxPool: pool(() => ({}), 2),
  AveragePool: pool((random) => ({ count_include_pad: random.int(0, 1) })),
};
