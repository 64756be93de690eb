// Convolution and pooling over one or two spatial axes.
import type { Sliding } from '../../ops/window.ts';
import * as id from '../assembly/ids.ts';
import { after, ceil8, isFloat, sizeOf } from '../lowering.ts';
import type { AnyLower, Lowering, LowerOf } from '../lowering.ts';
import type { Place, Word } from '../program.ts';
import { fourier } from './fourier.ts';

type Pair = readonly [number, number];

/** Numbers of a chunk of windows: with its product it stays in the cache of a core. */
const CHUNK = 32768;

/** A window that slides over height and width; a single axis is a width, at a height of 1. */
function windowOf({ params }: { readonly params: Sliding }) {
  const pair = (list: readonly number[], height: number): Pair =>
    list.length === 2 ? [list[0]!, list[1]!] : [height, list[0]!];
  return {
    kernel: pair(params.kernel, 1),
    strides: pair(params.strides, 1),
    dilations: pair(params.dilations, 1),
    before: pair(params.before, 0),
    after: pair(params.after, 0),
  };
}

const sizesOf = (dims: readonly number[]): Pair =>
  dims.length === 4 ? [dims[2]!, dims[3]!] : [1, dims[2]!];

const conv =
  (transposed: boolean): LowerOf<'Conv' | 'ConvTranspose'> =>
  (ctx) => {
    const { groups, kernel: sizes } = ctx.params;
    if (sizes.length > 2) return false;
    if (!transposed && fourier(ctx)) return true;
    const { kernel, strides, dilations, before } = windowOf(ctx);
    const [x, w] = [ctx.input(0), ctx.input(1)];
    const result = ctx.outputs[0]!.dims;
    const [channels, filters] = [x.dims[1]! / groups, result[1]! / groups];
    const taps = kernel[0] * kernel[1];
    // A transposed convolution multiplies what it reads, and adds up what a convolution would unfold.
    const [K, N] = transposed ? [channels, filters * taps] : [channels * taps, filters];
    const [byColumn, byRow] = transposed ? [1, N] : [K, 1];
    const panels = ctx.derived(
      `conv${Number(transposed)}.${groups}`,
      groups * K * ceil8(N),
      [w],
      (emit, [from], out) => {
        for (let g = 0; g < groups; g++) {
          const to = after(out, g * K * ceil8(N));
          emit(id.PACK, after(from!, g * K * N), 0, byColumn * 4, byRow * 4, K, N, to);
        }
      },
    );
    const [wide, narrow] = transposed ? [result, x.dims] : [x.dims, result];
    const [from, to] = [sizesOf(wide), sizesOf(narrow)];
    const places = to[0] * to[1] * (transposed ? 1 : x.dims[0]!);
    const fitting = Math.max(1, Math.floor(CHUNK / Math.max(K, N)));
    const chunk = Math.min(Math.max(places, 1), fitting > 6 ? fitting - (fitting % 6) : fitting);
    const edge: Word = N % 8 === 0 ? 0 : ctx.scratch(chunk * 8, 'edge');
    const words: readonly (Word | readonly Word[])[] = [
      [x.dims[0]!, groups, channels, filters, ...from, ...to],
      [...kernel, ...strides, ...dilations, ...before],
      [ctx.read(0), panels, K * ceil8(N) * 4, ctx.inputs[2] ? ctx.read(2) : 0, ctx.write()],
      [ctx.scratch(chunk * K, 'windows'), ctx.scratch(chunk * N, 'products'), chunk, edge],
    ];
    if (sizeOf(result) > 0) ctx.emit(transposed ? id.CONV_TRANSPOSE : id.CONV, ...words);
    return true;
  };

function pool(ctx: Lowering<Sliding>, isMean: boolean, countPad: boolean): boolean {
  if (ctx.params.kernel.length > 2 || !isFloat(ctx.input(0).type) || ctx.wanted(1)) return false;
  const { kernel, strides, dilations, before, after: behind } = windowOf(ctx);
  const { dims } = ctx.input(0);
  const [from, to] = [sizesOf(dims), sizesOf(ctx.outputs[0]!.dims)];
  const out: Place = ctx.write();
  ctx.emit(
    id.POOL,
    [dims[0]! * dims[1]!, 1, 1, 1, ...from, ...to, ...kernel, ...strides, ...dilations, ...before],
    [ctx.read(0), Number(isMean), out, Number(countPad)],
    [from[0] + behind[0], from[1] + behind[1]],
  );
  return true;
}

const maxPool: LowerOf<'MaxPool'> = (ctx) => pool(ctx, false, false);

const averagePool: LowerOf<'AveragePool'> = (ctx) => pool(ctx, true, ctx.params.countPad);

/** Convolutions and sliding pools. */
export const windows: Readonly<Record<string, AnyLower>> = {
  Conv: conv(false),
  ConvTranspose: conv(true),
  MaxPool: maxPool,
  AveragePool: averagePool,
};
