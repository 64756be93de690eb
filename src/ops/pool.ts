// Pooling: one number for each window, or for each whole channel.
import { sizeOf } from '../tensor.ts';
import {
  define,
  mismatch,
  unsupported,
  type Call,
  type Description,
  type Output,
} from './define.ts';
import { forEachIndex } from './indexing.ts';
import { slide, tapsAt, type Sliding } from './window.ts';

type Pool = (values: Float64Array, offsets: Int32Array, from: number) => number;

function image(call: Call) {
  const { dims } = call.input(0, 'number');
  if (dims.length < 3) throw mismatch(call.at(0), 'shape', dims, '[batch, channels, sizes…]');
  return { channels: dims.slice(0, 2), spatial: dims.slice(2) };
}

/** Slides a window over each channel; one output for each function. */
function pooling(call: Call, functions: readonly Pool[]): Description<Sliding> {
  const { channels, spatial } = image(call);
  const kernel = call.ints('kernel_shape');
  if (kernel?.length !== spatial.length) {
    const expected = `${spatial.length} sizes`;
    throw mismatch(`${call.path}.kernel_shape`, 'attribute', kernel ?? [], expected);
  }
  const { windows, counts } = slide(call, spatial, kernel, call.flag('ceil_mode', false));
  const [area, places] = [sizeOf(spatial), sizeOf(counts)];
  const outputs = functions.map((f): Output => ({
    dims: [...channels, ...counts],
    fill: (out) => {
      const x = call.data(0);
      forEachIndex(counts, (at, place) => {
        const offsets = tapsAt(windows, at, spatial);
        for (let c = 0; c * area < x.length; c++) out[c * places + place] = f(x, offsets, c * area);
      });
    },
  }));
  return { params: windows, outputs };
}

function global(call: Call, f: (values: Float64Array) => number): readonly Output[] {
  const { channels, spatial } = image(call);
  const area = sizeOf(spatial);
  const fill = (out: Float64Array): void => {
    const x = call.data(0);
    out.forEach((_, c) => (out[c] = f(x.subarray(c * area, (c + 1) * area))));
  };
  return [{ dims: [...channels, ...spatial.map(() => 1)], fill }];
}

/**
 * Where the largest element of a window is. NaN counts as larger than any number, and the last one wins, as in
 * PyTorch: https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/cpu/MaxPoolKernel.cpp. ONNX Runtime
 * ignores NaN or not, depending on the position in the window.
 */
const largest = (x: Float64Array, offsets: Int32Array, from: number): number =>
  offsets
    .filter((offset) => offset >= 0)
    .reduce((best, offset) => {
      const value = x[from + offset]!;
      return best < 0 || value > x[best]! || Number.isNaN(value) ? from + offset : best;
    }, -1);

const sum = (values: Float64Array): number => values.reduce((a, b) => a + b, 0);

/** Pooling operators. */
export const pools = [
  define(
    'MaxPool',
    [1, 1],
    (call) => {
      if (call.flag('storage_order', false)) {
        throw unsupported(`${call.path}.storage_order`, 'column-major indices', 1, 0);
      }
      return pooling(call, [
        (x, offsets, from) => x[largest(x, offsets, from)] ?? -Infinity,
        largest,
      ]);
    },
    { resultType: (_, slot) => (slot === 0 ? 0 : 'int64') },
  ),
  define('AveragePool', [1, 1], (call) => {
    const countPad = call.flag('count_include_pad', false);
    const minOffset = countPad ? -1 : 0; // see tapsAt
    const average: Pool = (x, offsets, from) => {
      let [total, count] = [0, 0];
      for (const offset of offsets) {
        if (offset >= minOffset) count++;
        if (offset >= 0) total += x[from + offset]!;
      }
      return total / count;
    };
    const { params, outputs } = pooling(call, [average]);
    return { params: { ...params, countPad }, outputs };
  }),
  define('GlobalAveragePool', [1, 1], (call) => global(call, (x) => sum(x) / x.length)),
  define('GlobalMaxPool', [1, 1], (call) =>
    global(call, (x) => x.reduce((a, b) => Math.max(a, b))),
  ),
];
