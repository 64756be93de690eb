// Convolutions over any number of axes.
import { sizeOf } from '../tensor.ts';
import { define, expectDims, invalid, mismatch, type Call } from './define.ts';
import { sameType } from './elementwise.ts';
import { forEachIndex } from './indexing.ts';
import { type Dims } from './shapes.ts';
import {
  AUTO_PAD,
  explicitPads,
  kernelExtent,
  slide,
  slidingAttributes,
  tapsAt,
} from './window.ts';

/** Checks X, W and B against each other; `transposed` weights have their channels swapped. */
function operands(call: Call, transposed: boolean) {
  sameType(call, call.optional(2) ? [0, 1, 2] : [0, 1], 'float');
  const [x, w] = [call.input(0).dims, call.input(1).dims];
  if (x.length < 3) throw mismatch(call.at(0), 'shape', x, '[batch, channels, sizes…]');
  const groups = call.int('group', 1);
  const channels = x[1]!;
  const kernel = w.slice(2);
  if (groups < 1 || channels % groups !== 0 || (!transposed && w[0]! % groups !== 0)) {
    throw invalid(`${call.path}.group`, `groups of ${channels} channels`, groups, 'a divisor');
  }
  const expected = transposed ? [channels, w[1] ?? 0] : [w[0] ?? 0, channels / groups];
  expectDims(call.at(1), w, [...expected, ...(call.ints('kernel_shape') ?? kernel)], 'weights');
  if (w.length !== x.length) throw mismatch(call.at(1), 'shape', w, `${x.length} axes`);
  const filters = transposed ? w[1]! * groups : w[0]!;
  const bias = call.optional(2);
  if (bias) expectDims(call.at(2), bias.dims, [filters], 'bias of each filter');
  return { batch: x[0]!, channels, groups, filters, kernel, spatial: x.slice(2) };
}

const conv = define('Conv', [2, 3], (call) => {
  const { batch, channels, groups, filters, kernel, spatial } = operands(call, false);
  const { windows, counts } = slide(call, spatial, kernel);
  const fill = (out: Float64Array): void => {
    const [x, w, bias] = [call.data(0), call.data(1), call.host(2)?.data];
    const [area, taps, places] = [sizeOf(spatial), sizeOf(kernel), sizeOf(counts)];
    const [groupChannels, groupFilters] = [channels / groups, filters / groups];
    forEachIndex(counts, (at, place) => {
      const offsets = tapsAt(windows, at, spatial);
      for (let n = 0; n < batch; n++) {
        for (let m = 0; m < filters; m++) {
          let sum = bias?.[m] ?? 0;
          for (let c = 0; c < groupChannels; c++) {
            const from = (n * channels + Math.floor(m / groupFilters) * groupChannels + c) * area;
            for (let k = 0; k < taps; k++) {
              if (offsets[k]! >= 0)
                sum += x[from + offsets[k]!]! * w[(m * groupChannels + c) * taps + k]!;
            }
          }
          out[(n * filters + m) * places + place] = sum;
        }
      }
    });
  };
  const outputs = [{ dims: [batch, filters, ...counts], fill }];
  return { params: { ...windows, groups }, outputs };
});

/** Output sizes and the padding of a transposed convolution. */
function transposedSizes(call: Call, spatial: Dims, kernel: Dims) {
  const base = slidingAttributes(call, kernel);
  const auto = call.text('auto_pad', AUTO_PAD);
  const extra = call.ints('output_padding') ?? spatial.map(() => 0);
  const outputShape = call.ints('output_shape');
  for (const [name, list] of [
    ['output_padding', extra],
    ['output_shape', outputShape],
  ] as const) {
    if (list && (list.length !== spatial.length || list.some((value) => value < 0))) {
      throw invalid(`${call.path}.${name}`, 'attribute', list, `${spatial.length} sizes`);
    }
  }
  let [before, after] = explicitPads(call, spatial.length);
  const full = spatial.map(
    (size, axis) =>
      base.strides[axis]! * (size - 1) +
      extra[axis]! +
      kernelExtent(kernel[axis]!, base.dilations[axis]!),
  );
  let sizes = full.map((size, axis) => size - before[axis]! - after[axis]!);
  if (auto === 'VALID') [sizes, before, after] = [full, spatial.map(() => 0), spatial.map(() => 0)];
  if (outputShape || auto.startsWith('SAME')) {
    sizes = [...(outputShape ?? spatial.map((size, axis) => size * base.strides[axis]!))];
    const totals = full.map((size, axis) => Math.max(size - sizes[axis]!, 0));
    before = totals.map((total) => Math.floor((total + Number(auto !== 'SAME_UPPER')) / 2));
    after = totals.map((total, axis) => total - before[axis]!);
  }
  if (sizes.some((size) => size < 1)) {
    throw mismatch(`${call.path}.pads`, 'output sizes', sizes, '1 or more');
  }
  return { windows: { ...base, before, after }, sizes };
}

const convTranspose = define('ConvTranspose', [2, 3], (call) => {
  const { batch, channels, groups, filters, kernel, spatial } = operands(call, true);
  const { windows, sizes } = transposedSizes(call, spatial, kernel);
  const fill = (out: Float64Array): void => {
    const [x, w, bias] = [call.data(0), call.data(1), call.host(2)?.data];
    const [area, taps, places] = [sizeOf(sizes), sizeOf(kernel), sizeOf(spatial)];
    const [groupChannels, groupFilters] = [channels / groups, filters / groups];
    if (bias) out.forEach((_, i) => (out[i] = bias[Math.floor(i / area) % filters]!));
    // The windows of the convolution that this one undoes, scattered instead of gathered.
    forEachIndex(spatial, (at, place) => {
      const offsets = tapsAt(windows, at, sizes);
      for (let n = 0; n < batch; n++) {
        for (let c = 0; c < channels; c++) {
          const value = x[(n * channels + c) * places + place]!;
          for (let j = 0; j < groupFilters; j++) {
            const to = (n * filters + Math.floor(c / groupChannels) * groupFilters + j) * area;
            for (let k = 0; k < taps; k++) {
              if (offsets[k]! >= 0)
                out[to + offsets[k]!]! += value * w[(c * groupFilters + j) * taps + k]!;
            }
          }
        }
      }
    });
  };
  const outputs = [{ dims: [batch, filters, ...sizes], fill }];
  return { params: { ...windows, groups }, outputs };
});

/** Conv and ConvTranspose. */
export const convolutions = [conv, convTranspose];
