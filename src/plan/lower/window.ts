// Convolution and pooling over one or two spatial axes.
import { type ConvOptions, convKernel, convWidth } from '../../../shaders/conv.ts';
import { type PoolOptions, poolKernel } from '../../../shaders/pool.ts';
import { sizeOf } from '../../tensor.ts';
import type { Lower, Lowering } from '../lowering.ts';
import type { BufferId } from '../types.ts';
import { copy } from './move.ts';
import {
  input,
  isSoftware,
  listOf,
  numberOf,
  runItems,
  scalarOf,
  textOf,
  unsupported,
} from './strides.ts';

type Pair = readonly [number, number];

/** Height and width, where one axis is a width. */
function pair(ctx: Lowering, list: readonly number[], missing: number): Pair {
  if (list.length > 2) throw unsupported(ctx, `${list.length} spatial axes, at most 2`);
  return list.length === 2 ? [list[0]!, list[1]!] : [missing, list[0]!];
}

/** Kernel, strides and dilations from the attributes, and the sizes of the axes. */
function windowOf(ctx: Lowering, kernel: readonly number[]) {
  const ones = kernel.map(() => 1);
  return {
    kernel: pair(ctx, kernel, 1),
    strides: pair(ctx, listOf(ctx, 'strides') ?? ones, 1),
    dilations: pair(ctx, listOf(ctx, 'dilations') ?? ones, 1),
    from: pair(ctx, input(ctx, 0).dims.slice(2), 1),
    to: pair(ctx, ctx.outputs[0]!.dims.slice(2), 1),
  };
}

type Window = ReturnType<typeof windowOf>;

/** Padding before the first element of each axis; that after the last follows from the sizes. */
function padsBefore(
  ctx: Lowering,
  { kernel, strides, dilations, from, to }: Window,
  transposed = false,
): Pair {
  const auto = textOf(ctx, 'auto_pad', 'NOTSET');
  const counted = transposed && listOf(ctx, 'output_shape') !== undefined;
  if (auto === 'VALID' && !counted) return [0, 0];
  const pads = listOf(ctx, 'pads') ?? [0, 0, 0, 0];
  if (!auto.startsWith('SAME') && !counted) return pair(ctx, pads.slice(0, pads.length / 2), 0);
  const extra = pair(ctx, listOf(ctx, 'output_padding') ?? [0, 0], 0);
  const before = (axis: 0 | 1): number => {
    const reach = (kernel[axis] - 1) * dilations[axis] + 1;
    const total = transposed
      ? strides[axis] * (from[axis] - 1) + extra[axis] + reach - to[axis]
      : (to[axis] - 1) * strides[axis] + reach - from[axis];
    return Math.floor((Math.max(total, 0) + Number(auto !== 'SAME_UPPER')) / 2);
  };
  return [before(0), before(1)];
}

/** Weights in the order of {@link convKernel}, packed once where they are constant. */
function convWeights(ctx: Lowering, options: ConvOptions): BufferId {
  const { transposed, channels, filters, groups } = options;
  const w = input(ctx, 1);
  const area = options.kernel[0] * options.kernel[1];
  const width = convWidth(filters);
  const blocks = Math.ceil(filters / width);
  // Steps in W: [M, channels, kernel], or [C, filters, kernel] where transposed.
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
      const at = (side: typeof from, ...index: number[]): number =>
        index.reduce((sum, k, axis) => sum + k * side.strides[axis]!, side.start);
      for (let g = 0; g < groups; g++) {
        for (let b = 0; b < dims[1]!; b++) {
          for (let k = 0; k < area; k++) {
            for (let c = 0; c < channels; c++)
              packed[at(to, g, b, k, c)] = data[at(from, g, b, k, c)]!;
          }
        }
      }
    }
    return packed;
  });
}

const conv =
  (transposed: boolean): Lower =>
  (ctx) => {
    const [x, w] = [input(ctx, 0).dims, input(ctx, 1).dims];
    const window = windowOf(ctx, w.slice(2));
    const [padH, padW] = padsBefore(ctx, window, transposed);
    const [[inH, inW], [outH, outW]] = [window.from, window.to];
    const groups = numberOf(ctx, 'group', 1);
    const channels = x[1]! / groups;
    const filters = ctx.outputs[0]!.dims[1]! / groups;
    const rows = x[0]! * groups * Math.ceil(filters / convWidth(filters)) * outH;
    // Four places an invocation where that leaves enough of them to keep a GPU busy.
    const places = outW >= 4 && (isSoftware(ctx) || rows * outW >= 1 << 16) ? 4 : 1;
    const { kernel, strides, dilations } = window;
    const bias = ctx.inputs[2] !== undefined;
    const options: ConvOptions = {
      transposed,
      channels,
      filters,
      groups,
      kernel,
      strides,
      dilations,
      bias,
      places,
    };
    const buffers = {
      x: ctx.read(0),
      w: convWeights(ctx, options),
      ...(bias && { b: ctx.read(2) }),
      out: ctx.write(0),
    };
    const chunk = Math.ceil(outW / places);
    const flops = 2 * sizeOf(ctx.outputs[0]!.dims) * channels * sizeOf(kernel);
    const uniforms = { chunk, inH, inW, outH, outW, padH: padH >>> 0, padW: padW >>> 0 };
    runItems(ctx, convKernel(options), rows * chunk, buffers, uniforms, flops);
  };

const pool =
  (kind: 'max' | 'average'): Lower =>
  (ctx) => {
    const { type } = input(ctx, 0);
    const window = windowOf(ctx, listOf(ctx, 'kernel_shape')!);
    const [padH, padW] = padsBefore(ctx, window);
    const [[inH, inW], [outH, outW]] = [window.from, window.to];
    // Padding after the input counts in an average only as far as the attributes say.
    const end = pair(
      ctx,
      (listOf(ctx, 'pads') ?? [0, 0, 0, 0]).slice(-input(ctx, 0).dims.length + 2),
      0,
    );
    const auto = textOf(ctx, 'auto_pad', 'NOTSET');
    const reaches = ([0, 1] as const).map((axis) => {
      const reach = (window.kernel[axis] - 1) * window.dilations[axis] + 1;
      const total = (window.to[axis] - 1) * window.strides[axis] + reach;
      if (auto === 'NOTSET') return window.from[axis] + end[axis];
      return auto === 'VALID' ? window.from[axis] : total - [padH, padW][axis]!;
    });
    const uniforms = { inH, inW, outH, outW, padH, padW, endH: reaches[0]!, endW: reaches[1]! };
    const count = sizeOf(ctx.outputs[0]!.dims);
    const run = (slot: number, what: PoolOptions['kind']): void => {
      const countPad = kind === 'average' && numberOf(ctx, 'count_include_pad', 0) !== 0;
      const kernel = poolKernel({ ...window, kind: what, type: scalarOf(type), countPad });
      runItems(
        ctx,
        kernel,
        count,
        { x: ctx.read(0), out: ctx.write(slot) },
        uniforms,
        count * sizeOf(window.kernel),
      );
    };
    if (ctx.wanted(0)) run(0, kind);
    if (ctx.wanted(1)) run(1, 'place');
  };

/** Convolutions and sliding pools. */
export const windows: Readonly<Record<string, Lower>> = {
  Conv: conv(false),
  ConvTranspose: conv(true),
  MaxPool: pool('max'),
  AveragePool: pool('average'),
};
