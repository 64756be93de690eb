// Random cases of products, convolutions and pools.
import { floats, narrower } from '../support/operator-case.ts';
import type { Random } from '../support/random.ts';
import { randomShape, integersOf, distinct, type MakeCase } from './random-values.ts';

/** Attributes of a sliding window over `spatial`, whose sizes it may enlarge so that it fits. */
function sliding(
  random: Random,
  spatial: number[],
  transposed = false,
): Record<string, number[] | string> {
  const axes = [...spatial.keys()];
  const kernel = axes.map(() => random.int(1, 4));
  const dilations = axes.map(() => random.int(1, 3));
  axes.forEach(
    (axis) =>
      (spatial[axis] = Math.max(spatial[axis]!, (kernel[axis]! - 1) * dilations[axis]! + 1)),
  );
  const strides = axes.map(() => random.int(1, 3));
  const reach = (axis: number): number => (kernel[axis]! - 1) * dilations[axis]! + 1;
  const pad = (axis: number): number =>
    random.int(0, transposed ? Math.floor((reach(axis) - 1) / 2) : kernel[axis]! - 1);
  const mode = random.int(0, 4);
  return {
    kernel_shape: kernel,
    strides,
    dilations,
    ...(mode === 0 && { auto_pad: random.pick(['SAME_UPPER', 'SAME_LOWER', 'VALID']) }),
    ...(mode > 1 && { pads: [...axes.map(pad), ...axes.map(pad)] }),
  };
}

const conv =
  (transposed: boolean): MakeCase =>
  (random, i) => {
    const spatial = Array.from({ length: random.int(1, 2) }, () => random.pick([1, 5, 9, 11]));
    if (i === 0) spatial[spatial.length - 1] = 200;
    const { kernel_shape, ...attributes } = sliding(random, spatial, transposed) as Record<
      string,
      number[]
    >;
    const groups = random.pick([1, 1, 2, 3]);
    const [channels, filters] = [random.pick([1, 2, 5]), random.pick([1, 3, 4, 6])];
    const total = transposed ? groups * filters : groups * filters;
    const weights = transposed ? [groups * channels, filters] : [total, channels];
    if (transposed && random.chance(0.3)) {
      attributes['output_padding'] = spatial.map((_, axis) =>
        random.int(0, attributes['strides']![axis]! - 1),
      );
    }
    return {
      inputs: [
        floats(random, [random.int(1, 3), groups * channels, ...spatial]),
        floats(random, [...weights, ...kernel_shape!]),
        random.chance(0.5) ? floats(random, [total]) : undefined,
      ],
      attributes: {
        ...attributes,
        group: groups,
        ...(random.chance(0.5) && { kernel_shape: kernel_shape! }),
      },
    };
  };

const pool =
  (extra: (random: Random) => object): MakeCase =>
  (random) => {
    const spatial = Array.from({ length: random.int(1, 2) }, () => random.pick([4, 5, 9, 12]));
    const attributes = sliding(random, spatial);
    // A window that lies in the padding altogether has no largest element.
    if (Array.isArray(attributes['pads']))
      attributes['pads'] = attributes['pads'].map((pad) => Math.min(pad as number, 1));
    return {
      inputs: [distinct(random, [random.int(1, 3), random.int(1, 5), ...spatial])],
      attributes: { ...attributes, ceil_mode: 0, ...extra(random) },
    };
  };

const matrices: MakeCase = (random, i) => {
  const [m, k, n] = [
    i === 0 ? 70 : random.pick([1, 2, 5, 9, 37]),
    i === 1 ? 300 : random.pick([1, 3, 8, 33, 64]),
    i === 2 ? 150 : random.pick([1, 4, 6, 31, 65]),
  ];
  const batch = randomShape(random, 0, 2).map((dim) => Math.min(dim, 5));
  const [left, right] = random.chance(0.5)
    ? [batch, narrower(random, batch)]
    : [narrower(random, batch), batch];
  const make = random.chance(0.2) ? integersOf('int32') : floats;
  const kind = random.int(0, 7);
  if (kind === 0) return { inputs: [make(random, [k]), make(random, [...right, k, n])] };
  if (kind === 1) return { inputs: [make(random, [...left, m, k]), make(random, [k])] };
  if (kind === 2) return { inputs: [make(random, [k]), make(random, [k])] };
  if (kind < 5) return { inputs: [make(random, [...left, m, k]), make(random, [k, n])] };
  return { inputs: [make(random, [...left, m, k]), make(random, [...right, k, n])] };
};

const gemm: MakeCase = (random, i) => {
  const [m, k, n] = [
    i === 0 ? 40 : random.pick([1, 3, 5, 34]),
    random.pick([1, 7, 40, 130]),
    random.pick([1, 6, 64, 71]),
  ];
  const [transA, transB] = [random.int(0, 1), random.int(0, 1)];
  const bias = random.pick([undefined, [], [n], [1, n], [m, 1], [m, n]]);
  return {
    inputs: [
      floats(random, transA === 1 ? [k, m] : [m, k]),
      floats(random, transB === 1 ? [n, k] : [k, n]),
      bias && floats(random, bias),
    ],
    attributes: { transA, transB, ...(random.chance(0.5) && { alpha: 0.5, beta: 1.5 }) },
  };
};

/** Cases by operator. */
export const productCases: Readonly<Record<string, MakeCase>> = {
  MatMul: matrices,
  Gemm: gemm,
  Conv: conv(false),
  ConvTranspose: conv(true),
  MaxPool: (random, i) => ({ ...pool(() => ({}))(random, i), outputs: random.int(1, 2) }),
  AveragePool: pool((random) => ({
    count_include_pad: random.int(0, 1),
    ceil_mode: random.int(0, 1),
  })),
};
