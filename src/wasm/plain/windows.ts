// Convolutions as products, and pooling. Windows slide over height and width; a single axis is a width.
import * as word from '../assembly/words.ts';
import { gemm } from './gemm.ts';
import { wordAt, type PlainKernel, type PlainMemory } from './memory.ts';

/** What `count` places from `first` on see of the channels of a group: [place][channel, kernel]. Those of all images are one row. */
function unfold(
  { f32, i32 }: PlainMemory,
  p: number,
  x: number,
  first: number,
  count: number,
  out: number,
): void {
  const [inH, inW, outW] = [i32[p + word.IN_H]!, i32[p + word.IN_W]!, i32[p + word.OUT_W]!];
  const [kh, kw] = [i32[p + word.KERNEL_H]!, i32[p + word.KERNEL_W]!];
  const [dh, dw] = [i32[p + word.DILATION_H]!, i32[p + word.DILATION_W]!];
  const [sh, sw] = [i32[p + word.STRIDE_H]!, i32[p + word.STRIDE_W]!];
  const [ph, pw] = [i32[p + word.PAD_H]!, i32[p + word.PAD_W]!];
  const channels = i32[p + word.CHANNELS]!;
  const places = i32[p + word.OUT_H]! * outW;
  const image = i32[p + word.GROUPS]! * channels * inH * inW;
  for (let q = first; q < first + count; q++) {
    const place = q % places;
    const base = x + Math.floor(q / places) * image;
    const top = Math.floor(place / outW) * sh - ph;
    const left = (place % outW) * sw - pw;
    for (let c = 0; c < channels; c++)
      for (let i = 0; i < kh; i++) {
        const row = top + i * dh;
        const isRow = row >= 0 && row < inH;
        const from = base + (c * inH + row) * inW;
        for (let j = 0, at = left; j < kw; j++, at += dw)
          f32[out++] = isRow && at >= 0 && at < inW ? f32[from + at]! : 0;
      }
  }
}

/** Copies products [place][filter] of `count` places from `first` on to where they belong in the result. */
function scatter(
  { f32, i32 }: PlainMemory,
  p: number,
  from: number,
  first: number,
  count: number,
  out: number,
): void {
  const [groups, filters] = [i32[p + word.GROUPS]!, i32[p + word.FILTERS]!];
  const places = i32[p + word.OUT_H]! * i32[p + word.OUT_W]!;
  for (let q = first; q < first + count;) {
    const place = q % places;
    const run = Math.min(first + count - q, places - place);
    const image = out + Math.floor(q / places) * groups * filters * places + place;
    for (let f = 0; f < filters; f++) {
      let [at, to] = [from + f, image + f * places];
      for (let k = 0; k < run; k++, at += filters) f32[to++] = f32[at]!;
    }
    from += run * filters;
    q += run;
  }
}

/** Convolution. The weights are panels of K = channels · kernel for each group. Places of several images share a product. */
export const conv: PlainKernel = (m, p) => {
  const { i32 } = m;
  const [groups, channels, filters] = [
    i32[p + word.GROUPS]!,
    i32[p + word.CHANNELS]!,
    i32[p + word.FILTERS]!,
  ];
  const places = i32[p + word.OUT_H]! * i32[p + word.OUT_W]!;
  const all = i32[p + word.BATCH]! * places;
  const K = channels * i32[p + word.KERNEL_H]! * i32[p + word.KERNEL_W]!;
  const area = i32[p + word.IN_H]! * i32[p + word.IN_W]! * channels;
  const [columns, product] = [wordAt(i32[p + word.UNFOLDED]!), wordAt(i32[p + word.PRODUCT]!)];
  const [weights, bias] = [wordAt(i32[p + word.WEIGHTS]!), wordAt(i32[p + word.CONV_BIAS]!)];
  const chunk = i32[p + word.PLACES]!;
  let [x, out] = [wordAt(i32[p + word.IMAGE]!), wordAt(i32[p + word.OUT]!)];
  for (let g = 0; g < groups; g++, x += area, out += filters * places) {
    const w = weights + g * (i32[p + word.WEIGHTS_GROUP]! >> 2);
    const b = bias === 0 ? 0 : bias + g * filters;
    for (let first = 0; first < all; first += chunk) {
      const count = Math.min(chunk, all - first);
      unfold(m, p, x, first, count, columns);
      gemm(m, count, K, filters, columns, K, w, b, 0, product, filters, 0);
      scatter(m, p, product, first, count, out);
    }
  }
};

/** Adds the products of `count` places to the images that they come from: the reverse of `unfold`. */
function foldBack(
  { f32, i32 }: PlainMemory,
  p: number,
  from: number,
  first: number,
  count: number,
  out: number,
): void {
  const [inH, inW, outW] = [i32[p + word.IN_H]!, i32[p + word.IN_W]!, i32[p + word.OUT_W]!];
  const [kh, kw] = [i32[p + word.KERNEL_H]!, i32[p + word.KERNEL_W]!];
  const [dh, dw] = [i32[p + word.DILATION_H]!, i32[p + word.DILATION_W]!];
  const [sh, sw] = [i32[p + word.STRIDE_H]!, i32[p + word.STRIDE_W]!];
  const [ph, pw] = [i32[p + word.PAD_H]!, i32[p + word.PAD_W]!];
  const filters = i32[p + word.FILTERS]!;
  for (let q = first; q < first + count; q++) {
    const top = Math.floor(q / outW) * sh - ph;
    const left = (q % outW) * sw - pw;
    for (let f = 0; f < filters; f++)
      for (let i = 0; i < kh; i++) {
        const row = top + i * dh;
        const isRow = row >= 0 && row < inH;
        const to = out + (f * inH + row) * inW;
        for (let j = 0, at = left; j < kw; j++, at += dw, from++)
          if (isRow && at >= 0 && at < inW) f32[to + at] = f32[to + at]! + f32[from]!;
      }
  }
}

/** Transposed convolution. "In" is what it writes, "out" what it reads: those of the convolution that it undoes. */
export const convTranspose: PlainKernel = (m, p) => {
  const { f32, i32 } = m;
  const [groups, channels, filters] = [
    i32[p + word.GROUPS]!,
    i32[p + word.CHANNELS]!,
    i32[p + word.FILTERS]!,
  ];
  const places = i32[p + word.OUT_H]! * i32[p + word.OUT_W]!;
  const N = filters * i32[p + word.KERNEL_H]! * i32[p + word.KERNEL_W]!;
  const area = i32[p + word.IN_H]! * i32[p + word.IN_W]!;
  const [columns, product] = [wordAt(i32[p + word.UNFOLDED]!), wordAt(i32[p + word.PRODUCT]!)];
  const [weights, bias] = [wordAt(i32[p + word.WEIGHTS]!), wordAt(i32[p + word.CONV_BIAS]!)];
  const chunk = i32[p + word.PLACES]!;
  let [x, out] = [wordAt(i32[p + word.IMAGE]!), wordAt(i32[p + word.OUT]!)];
  for (let n = 0; n < i32[p + word.BATCH]!; n++)
    for (let g = 0; g < groups; g++, x += channels * places, out += filters * area) {
      for (let f = 0; f < filters; f++)
        f32.fill(
          bias === 0 ? 0 : f32[bias + g * filters + f]!,
          out + f * area,
          out + (f + 1) * area,
        );
      const w = weights + g * (i32[p + word.WEIGHTS_GROUP]! >> 2);
      for (let first = 0; first < places; first += chunk) {
        const count = Math.min(chunk, places - first);
        for (let q = 0; q < count; q++)
          for (let c = 0; c < channels; c++)
            f32[columns + q * channels + c] = f32[x + c * places + first + q]!;
        gemm(m, count, channels, N, columns, channels, w, 0, 0, product, N, 0);
        foldBack(m, p, product, first, count, out);
      }
    }
};

/** Largest element or mean of one window whose first tap is at (top, left). */
function pooled(
  { f32, i32 }: PlainMemory,
  p: number,
  x: number,
  top: number,
  left: number,
): number {
  const [inH, inW] = [i32[p + word.IN_H]!, i32[p + word.IN_W]!];
  const [endH, endW] = [i32[p + word.END_H]!, i32[p + word.END_W]!];
  const padded = i32[p + word.COUNT_PAD] !== 0;
  let [sum, count, highest, any] = [0, 0, -Infinity, false];
  for (let i = 0; i < i32[p + word.KERNEL_H]!; i++) {
    const row = top + i * i32[p + word.DILATION_H]!;
    for (let j = 0; j < i32[p + word.KERNEL_W]!; j++) {
      const at = left + j * i32[p + word.DILATION_W]!;
      if (row >= endH || at >= endW) continue;
      const inside = row >= 0 && row < inH && at >= 0 && at < inW;
      if (inside || padded) count++;
      if (!inside) continue;
      const value = f32[x + row * inW + at]!;
      sum += value;
      // The first element is taken whatever it is, as a comparison with NaN never holds.
      if (!any || value > highest) highest = value;
      any = true;
    }
  }
  return i32[p + word.IS_MEAN] ? sum / count : highest;
}

/** Largest element or mean of each window; `batch` counts images of one channel. */
export const pool: PlainKernel = (m, p) => {
  const { f32, i32 } = m;
  const [inH, inW] = [i32[p + word.IN_H]!, i32[p + word.IN_W]!];
  let [x, out] = [wordAt(i32[p + word.IMAGE]!), wordAt(i32[p + word.POOLED]!)];
  for (let n = 0; n < i32[p + word.BATCH]!; n++, x += inH * inW)
    for (let oh = 0; oh < i32[p + word.OUT_H]!; oh++)
      for (let ow = 0; ow < i32[p + word.OUT_W]!; ow++) {
        const top = oh * i32[p + word.STRIDE_H]! - i32[p + word.PAD_H]!;
        const left = ow * i32[p + word.STRIDE_W]! - i32[p + word.PAD_W]!;
        f32[out++] = pooled(m, p, x, top, left);
      }
};
