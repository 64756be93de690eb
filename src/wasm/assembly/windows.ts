// Convolutions as products, and pooling. Windows slide over height and width; a single axis is a width.
import { gemm } from './gemm';
import { int, ptr } from './math';
import {
  BATCH, CHANNELS, CONV_BIAS, CONV_EDGE, COUNT_PAD, DILATION_H, DILATION_W, END_H, END_W, FILTERS, GROUPS, IMAGE, IN_H,
  IN_W, IS_MEAN, KERNEL_H, KERNEL_W, OUT, OUT_H, OUT_W, PAD_H, PAD_W, PLACES, POOLED, PRODUCT, STRIDE_H, STRIDE_W,
  UNFOLDED, WEIGHTS, WEIGHTS_GROUP,
} from './words';

/** What `count` places from `first` on see of the channels of a group: [place][channel, kernel]. Those of all images are one row. */
function unfold(p: usize, x: usize, first: i32, count: i32, out: usize): void {
  const inH = int(p, IN_H), inW = int(p, IN_W), outW = int(p, OUT_W), kh = int(p, KERNEL_H), kw = int(p, KERNEL_W);
  const dw = int(p, DILATION_W), channels = int(p, CHANNELS), places = int(p, OUT_H) * outW;
  const image = <usize>(int(p, GROUPS) * channels * inH * inW) << 2;
  let place = first % places;
  x += <usize>(first / places) * image;
  for (let q = 0; q < count; q++) {
    const top = place / outW * int(p, STRIDE_H) - int(p, PAD_H), left = place % outW * int(p, STRIDE_W) - int(p, PAD_W);
    const inside = left >= 0 && left + (kw - 1) * dw < inW;
    for (let c = 0; c < channels; c++)
      for (let i = 0; i < kh; i++) {
        const row = top + i * int(p, DILATION_H);
        const isRow = row >= 0 && row < inH;
        const from = x + <usize>(((c * inH + row) * inW + left) << 2);
        for (let j = 0; j < kw; j++, out += 4) {
          const at = left + j * dw;
          const there = isRow && (inside || (at >= 0 && at < inW));
          store<f32>(out, there ? load<f32>(from + (<usize>(j * dw) << 2)) : 0);
        }
      }
    if (++place == places) { place = 0; x += image; }
  }
}

/** Copies products [place][filter] of `count` places from `first` on to where they belong in the result [image][filter][place]. */
function scatter(p: usize, from: usize, first: i32, count: i32, out: usize): void {
  const filters = int(p, FILTERS), places = int(p, OUT_H) * int(p, OUT_W), step = <usize>filters << 2;
  const image = <usize>(int(p, GROUPS) * filters * places) << 2;
  let place = first % places;
  out += <usize>(first / places) * image;
  while (count > 0) {
    const run = min(count, places - place);
    for (let f = 0; f < filters; f++) {
      let at = from + (<usize>f << 2), to = out + (<usize>(f * places + place) << 2);
      for (let q = 0; q < run; q++, at += step, to += 4) store<f32>(to, load<f32>(at));
    }
    from += <usize>run * step;
    out += image;
    count -= run;
    place = 0;
  }
}

/** Convolution. The weights are panels of K = channels · kernel for each group. Places of several images share a product. */
export function conv(p: usize): void {
  const groups = int(p, GROUPS), channels = int(p, CHANNELS), filters = int(p, FILTERS);
  const places = int(p, OUT_H) * int(p, OUT_W), all = int(p, BATCH) * places, K = channels * int(p, KERNEL_H) * int(p, KERNEL_W);
  const area = <usize>(int(p, IN_H) * int(p, IN_W) * channels) << 2;
  const columns = ptr(p, UNFOLDED), product = ptr(p, PRODUCT), chunk = int(p, PLACES), bias = ptr(p, CONV_BIAS);
  let x = ptr(p, IMAGE), out = ptr(p, OUT);
  for (let g = 0; g < groups; g++, x += area, out += <usize>(filters * places) << 2) {
    const w = ptr(p, WEIGHTS) + <usize>g * ptr(p, WEIGHTS_GROUP), b = bias ? bias + (<usize>(g * filters) << 2) : 0;
    for (let first = 0; first < all; first += chunk) {
      const count = min(chunk, all - first);
      unfold(p, x, first, count, columns);
      gemm(count, K, filters, columns, <usize>K << 2, w, b, 0, product, <usize>filters << 2, ptr(p, CONV_EDGE), 0);
      scatter(p, product, first, count, out);
    }
  }
}

/** Transposed convolution. "In" is what it writes, "out" what it reads: those of the convolution that it undoes. */
export function convTranspose(p: usize): void {
  const groups = int(p, GROUPS), channels = int(p, CHANNELS), filters = int(p, FILTERS);
  const kh = int(p, KERNEL_H), kw = int(p, KERNEL_W), inH = int(p, IN_H), inW = int(p, IN_W), outW = int(p, OUT_W);
  const places = int(p, OUT_H) * outW, N = filters * kh * kw;
  const columns = ptr(p, UNFOLDED), product = ptr(p, PRODUCT), chunk = int(p, PLACES), bias = ptr(p, CONV_BIAS);
  const area = inH * inW;
  let x = ptr(p, IMAGE), out = ptr(p, OUT);
  for (let n = 0; n < int(p, BATCH); n++)
    for (let g = 0; g < groups; g++, x += <usize>(channels * places) << 2, out += <usize>(filters * area) << 2) {
      for (let f = 0; f < filters; f++) {
        const b: f32 = bias ? load<f32>(bias + (<usize>(g * filters + f) << 2)) : 0;
        for (let k = 0; k < area; k++) store<f32>(out + (<usize>(f * area + k) << 2), b);
      }
      for (let first = 0; first < places; first += chunk) {
        const count = min(chunk, places - first);
        for (let q = 0; q < count; q++)
          for (let c = 0; c < channels; c++)
            store<f32>(columns + (<usize>(q * channels + c) << 2), load<f32>(x + (<usize>(c * places + first + q) << 2)));
        gemm(count, channels, N, columns, <usize>channels << 2, ptr(p, WEIGHTS) + <usize>g * ptr(p, WEIGHTS_GROUP), 0, 0, product, <usize>N << 2, ptr(p, CONV_EDGE), 0);
        let from = product;
        for (let q = first; q < first + count; q++) {
          const top = q / outW * int(p, STRIDE_H) - int(p, PAD_H), left = q % outW * int(p, STRIDE_W) - int(p, PAD_W);
          for (let f = 0; f < filters; f++)
            for (let i = 0; i < kh; i++) {
              const row = top + i * int(p, DILATION_H);
              for (let j = 0; j < kw; j++, from += 4) {
                const at = left + j * int(p, DILATION_W);
                if (row < 0 || row >= inH || at < 0 || at >= inW) continue;
                const to = out + (<usize>((f * inH + row) * inW + at) << 2);
                store<f32>(to, load<f32>(to) + load<f32>(from));
              }
            }
        }
      }
    }
}

/**
 * Largest element or mean of each window; `batch` counts images of one channel.
 */
export function pool(p: usize): void {
  const inH = int(p, IN_H), inW = int(p, IN_W), mean = int(p, IS_MEAN) != 0, padded = int(p, COUNT_PAD) != 0;
  const endH = int(p, END_H), endW = int(p, END_W);
  let x = ptr(p, IMAGE), out = ptr(p, POOLED);
  for (let n = 0; n < int(p, BATCH); n++, x += <usize>(inH * inW) << 2)
    for (let oh = 0; oh < int(p, OUT_H); oh++)
      for (let ow = 0; ow < int(p, OUT_W); ow++, out += 4) {
        let sum: f32 = 0, top: f32 = -Infinity, count = 0, any = false;
        for (let i = 0; i < int(p, KERNEL_H); i++) {
          const row = oh * int(p, STRIDE_H) - int(p, PAD_H) + i * int(p, DILATION_H);
          for (let j = 0; j < int(p, KERNEL_W); j++) {
            const at = ow * int(p, STRIDE_W) - int(p, PAD_W) + j * int(p, DILATION_W);
            if (row >= endH || at >= endW) continue;
            const inside = row >= 0 && row < inH && at >= 0 && at < inW;
            if (inside || padded) count++;
            if (!inside) continue;
            const value = load<f32>(x + (<usize>(row * inW + at) << 2));
            sum += value;
            // The first element is taken whatever it is, as a comparison with NaN never holds.
            if (!any || value > top) top = value;
            any = true;
          }
        }
        store<f32>(out, mean ? sum / <f32>count : top);
      }
}
