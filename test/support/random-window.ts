// Random windows of convolutions and pools, within what ONNX Runtime has on a CPU.
import type { Random } from './random.ts';

/** A window of a convolution or pool. */
export interface Window {
  readonly sizes: number[];
  readonly kernel: number[];
  readonly attributes: Record<string, number | string | number[]>;
}

/** A window over 1 or 2 axes that fits its input. */
export function randomWindow(random: Random, rank = random.int(1, 2)): Window {
  const numbers = (min: number, max: number): number[] =>
    Array.from({ length: rank }, () => random.int(min, max));
  const [kernel, steps, dilations] = [numbers(1, 4), numbers(1, 3), numbers(1, 3)];
  const sizes = kernel.map((size, axis) => (size - 1) * dilations[axis]! + random.int(1, 12));
  const auto = random.pick(['NOTSET', 'NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER']);
  // ONNX Runtime has no SAME with dilations, nor with gaps between windows, and pads of pooling
  // stay below the kernel.
  const same = auto.startsWith('SAME');
  const strides = steps.map((step, axis) => (same ? Math.min(step, kernel[axis]!) : step));
  const pads = [...kernel, ...kernel].map((size) => random.int(0, size - 1));
  return {
    sizes,
    kernel,
    attributes: {
      ...(random.chance(0.8) || same ? { strides } : {}),
      ...(!same && random.chance(0.8) && { dilations }),
      ...(auto !== 'NOTSET' ? { auto_pad: auto } : random.chance(0.8) && { pads }),
    },
  };
}
