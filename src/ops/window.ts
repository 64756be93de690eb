// Windows that slide over the axes after batch and channels, for convolution and pooling.
import { sizeOf } from '../tensor.ts';
import { invalid, mismatch, type Call } from './define.ts';
import { forEachIndex, stridesOf } from './indexing.ts';
import { type Dims } from './shapes.ts';

/** The windows of a convolution or pooling. All arrays have one number for each sliding axis. */
export interface Sliding {
  readonly kernel: Dims;
  readonly strides: Dims;
  readonly dilations: Dims;
  /** Padding before the first and after the last element. */
  readonly before: Dims;
  readonly after: Dims;
}

/** Strides, dilations and kernel size from the attributes; all at least 1. */
export function slidingAttributes(call: Call, kernel: Dims): Omit<Sliding, 'before' | 'after'> {
  const positive = (name: string, fallback: Dims): Dims => {
    const found = call.ints(name) ?? fallback;
    if (found.length !== kernel.length || found.some((value) => value < 1)) {
      const expected = `${kernel.length} numbers, 1 or more`;
      throw invalid(`${call.path}.${name}`, 'attribute', found, expected);
    }
    return found;
  };
  const ones = kernel.map(() => 1);
  const size = positive('kernel_shape', kernel);
  return {
    kernel: size,
    strides: positive('strides', ones),
    dilations: positive('dilations', ones),
  };
}

/** The explicit padding, [before, after]; zeros when left out. */
export function explicitPads(call: Call, rank: number): readonly [Dims, Dims] {
  const pads = call.ints('pads') ?? Array.from({ length: 2 * rank }, () => 0);
  if (pads.length !== 2 * rank || pads.some((pad) => pad < 0)) {
    throw invalid(`${call.path}.pads`, 'attribute', pads, `${2 * rank} numbers, 0 or more`);
  }
  return [pads.slice(0, rank), pads.slice(rank)];
}

/** Values of `auto_pad`. */
export const AUTO_PAD = ['NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'] as const;

/** Elements from the first to the last tap of a dilated kernel, both included. */
export const kernelExtent = (kernel: number, dilation: number): number =>
  (kernel - 1) * dilation + 1;

/** The windows of a convolution or pooling over axes of sizes `spatial`, and how many there are. */
export function slide(
  call: Call,
  spatial: Dims,
  kernel: Dims,
  ceil = false,
): { readonly windows: Sliding; readonly counts: number[] } {
  const base = slidingAttributes(call, kernel);
  const auto = call.text('auto_pad', AUTO_PAD);
  let [before, after] = explicitPads(call, spatial.length);
  if (auto !== 'NOTSET') [before, after] = [spatial.map(() => 0), spatial.map(() => 0)];
  const extents = base.kernel.map((size, axis) => kernelExtent(size, base.dilations[axis]!));
  if (auto.startsWith('SAME')) {
    const totals = spatial.map((size, axis) => {
      const stride = base.strides[axis]!;
      return Math.max((Math.ceil(size / stride) - 1) * stride + extents[axis]! - size, 0);
    });
    const halves = totals.map((total) => Math.floor(total / 2));
    const others = totals.map((total, axis) => total - halves[axis]!);
    [before, after] = auto === 'SAME_UPPER' ? [halves, others] : [others, halves];
  }
  const counts = spatial.map((size, axis) => {
    const stride = base.strides[axis]!;
    const room = size + before[axis]! + after[axis]! - extents[axis]!;
    let count = (ceil ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
    // A window that would start in the padding at the end does not count.
    if (ceil && (count - 1) * stride >= size + before[axis]!) count--;
    if (room < 0 || count < 1) {
      const what = `size of sliding axis ${axis}`;
      throw mismatch(call.at(0), what, size, `at least ${extents[axis]} with its padding`);
    }
    return count;
  });
  return { windows: { ...base, before, after }, counts };
}

/**
 * Offsets that the taps of a kernel read at one position of the output, among axes of sizes
 * `spatial`: -1 in the padding, -2 beyond it.
 */
export function tapsAt(windows: Sliding, at: Dims, spatial: Dims): Int32Array {
  const { kernel, strides, dilations, before, after } = windows;
  const offsets = new Int32Array(sizeOf(kernel));
  const distance = stridesOf(spatial);
  forEachIndex(kernel, (tap, flat) => {
    let offset = 0;
    for (let axis = 0; axis < spatial.length; axis++) {
      const k = at[axis]! * strides[axis]! - before[axis]! + tap[axis]! * dilations[axis]!;
      const size = spatial[axis]!;
      if (k >= size + after[axis]!) offset = -2;
      else if ((k < 0 || k >= size) && offset >= 0) offset = -1;
      else if (offset >= 0) offset += k * distance[axis]!;
    }
    offsets[flat] = offset;
  });
  return offsets;
}
