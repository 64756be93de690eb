// Convolution and pooling over one or two spatial axes.
import { type ConvOptions, convKernel, convWidth } from '../../../shaders/conv.ts';
import { type PoolOptions, poolKernel } from '../../../shaders/pool.ts';
import { unsupported } from '../../ops/define.ts';
import { forEachIndex, offsetOf } from '../../ops/indexing.ts';
import type { Sliding } from '../../ops/window.ts';
import { sizeOf } from '../../tensor.ts';
import type { Lowering } from '../lowering.ts';
import type { BufferId } from '../types.ts';
import { copy } from './move.ts';
import { convPlaces } from '../select/operator-tiles.ts';
import { input, runItems, scalarOf, type LowerOf } from './operator.ts';

type Pair = readonly [number, number];

/** A window that slides over height and width; a single axis is a width, at a height of 1. */
function windowOf(ctx: Lowering<Sliding>) {
  const { kernel, strides, dilations, before, after } = ctx.params;
  if (kernel.length > 2) {
    throw unsupported(ctx.path, 'spatial axes on WebGPU', kernel.length, 'at most 2');
  }
  const pair = (list: readonly number[], height: number): Pair =>
    list.length === 2 ? [list[0]!, list[1]!] : [height, list[0]!];
  return {
    kernel: pair(kernel, 1),
    strides: pair(strides, 1),
    dilations: pair(dilations, 1),
    before: pair(before, 0),
    after: pair(after, 0),
    from: pair(input(ctx, 0).dims.slice(2), 1),
    to: pair(ctx.outputs[0]!.dims.slice(2), 1),
  };
}

/** Weights in the layout of {@link convKernel}, packed once where they are constant. */
function convWeights(ctx: Lowering, options: ConvOptions): BufferId {
  const { transposed, channels, filters, groups } = options;
  const w = input(ctx, 1);
  const area = options.kernel[0] * options.kernel[1];
  const width = convWidth(filters);
  const blocks = Math.ceil(filters / width);
  // Strides of W: [M, channels, kernel], or [C, filters, kernel] where transposed.
  const [perFilter, perChannel] = transposed ? [area, filters * area] : [channels * area, area];
  const perGroup = filters * channels * area;
  const size = groups * blocks * width * area * channels;
  // One of the `width` filters of every block: [groups, blocks, area, channels] on both sides.
  const part = (j: number) => ({
    dims: [groups, Math.ceil((filters - j) / width), area, channels],
    from: { start: j * perFilter, strides: [perGroup, width * perFilter, 1, perChannel] },
    to: {
      start: j,
      strides: [blocks, 1, 0, 0]
        .map((n) => n * area * channels * width)
        .with(2, channels * width)
        .with(3, width),
    },
  });
  const parts = Array.from({ length: width }, (_, j) => part(j)).filter(({ dims }) => dims[1]! > 0);
  if (!w.constant) {
    const packed = ctx.scratch(size, 'packed weights');
    for (const { dims, from, to } of parts) {
      copy(ctx, dims, { buffer: ctx.read(1), ...from }, { buffer: packed, ...to });
    }
    return packed;
  }
  return ctx.weight(`${w.name}#conv${transposed ? 'T' : ''}${groups}`, size, () => {
    const data = (w.tensor?.data ?? w.host!.data) as ArrayLike<number>;
    const packed = new Float32Array(size);
    for (const { dims, from, to } of parts) {
      forEachIndex(dims, (index) => {
        const at = to.start + offsetOf(index, to.strides);
        packed[at] = data[from.start + offsetOf(index, from.strides)]!;
      });
    }
    return packed;
  });
}

const conv =
  (transposed: boolean): LowerOf<'Conv' | 'ConvTranspose'> =>
  (ctx) => {
    const { groups } = ctx.params;
    const { kernel, strides, dilations, before, from, to } = windowOf(ctx);
    const x = input(ctx, 0).dims;
    const out = ctx.outputs[0]!.dims;
    const [[padH, padW], [inH, inW], [outH, outW]] = [before, from, to];
    const [channels, filters] = [x[1]! / groups, out[1]! / groups];
    const rows = x[0]! * groups * Math.ceil(filters / convWidth(filters)) * outH;
    const places = convPlaces(rows * outW, outW, ctx.device);
    const bias = ctx.inputs[2] !== undefined;
    const shape = { kernel, strides, dilations };
    const options = { transposed, channels, filters, groups, ...shape, bias, places } as const;
    const buffers = {
      x: ctx.read(0),
      w: convWeights(ctx, options),
      ...(bias && { b: ctx.read(2) }),
      out: ctx.write(0),
    };
    const chunk = Math.ceil(outW / places);
    const flops = 2 * sizeOf(out) * channels * sizeOf(kernel);
    const uniforms = { chunk, inH, inW, outH, outW, padH, padW };
    runItems(ctx, convKernel(options), rows * chunk, buffers, uniforms, flops);
  };

/** Dispatches a pooling into the output of a slot; `countPad` averages count the padding as zeros. */
function pool(
  ctx: Lowering<Sliding>,
  kind: PoolOptions['kind'],
  slot: number,
  countPad = false,
): void {
  const { kernel, strides, dilations, before, after, from, to } = windowOf(ctx);
  const [[padH, padW], [inH, inW], [outH, outW]] = [before, from, to];
  const [endH, endW] = [inH + after[0], inW + after[1]];
  const uniforms = { inH, inW, outH, outW, padH, padW, endH, endW };
  const type = scalarOf(input(ctx, 0).type);
  const count = sizeOf(ctx.outputs[0]!.dims);
  const buffers = { x: ctx.read(0), out: ctx.write(slot) };
  const poolOf = poolKernel({ kind, type, kernel, strides, dilations, countPad });
  runItems(ctx, poolOf, count, buffers, uniforms, count * sizeOf(kernel));
}

const maxPool: LowerOf<'MaxPool'> = (ctx) => {
  if (ctx.wanted(0)) pool(ctx, 'max', 0);
  if (ctx.wanted(1)) pool(ctx, 'place', 1);
};

const averagePool: LowerOf<'AveragePool'> = (ctx) => {
  pool(ctx, 'average', 0, ctx.params.countPad);
};

/** Convolutions and sliding pools. */
export const windows = {
  Conv: conv(false),
  ConvTranspose: conv(true),
  MaxPool: maxPool,
  AveragePool: averagePool,
};
