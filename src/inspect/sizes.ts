// Shapes and numbers for the inputs of a plan, from what a caller says and from what is declared.
import { RnnError } from '../errors.ts';
import type { ValueInfo } from '../graph.ts';
import type { InspectOptions } from './types.ts';
import type { HostValue } from '../ops/index.ts';
import { sizeOf } from '../tensor.ts';

/** Every input with its shape. */
export function shapesOf(
  inputs: readonly ValueInfo[],
  given: NonNullable<InspectOptions['dims']>,
): Map<string, readonly number[]> {
  checkNames(inputs, given, 'dims');
  const sizes = new Map<string, number>();
  for (const { name, dims } of inputs) {
    if (!Object.hasOwn(given, name)) continue;
    const shape = given[name]!;
    const declared = `[${dims.join(', ')}]`;
    if (shape.length !== dims.length) {
      const what = `got [${shape.join(', ')}], expected ${declared}`;
      throw new RnnError('SHAPE_MISMATCH', `options.dims.${name}`, what);
    }
    dims.forEach((dim, axis) => {
      const size = shape[axis]!;
      if (!Number.isSafeInteger(size) || size < 0) {
        const what = `got ${String(size)}, expected a whole number from 0 up`;
        throw new RnnError('INVALID_ARGUMENT', `options.dims.${name}[${axis}]`, what);
      }
      const expected = typeof dim === 'number' ? dim : (sizes.get(dim) ?? size);
      if (size !== expected) {
        const what = `got ${size}, expected ${expected} for ${declared}`;
        throw new RnnError('SHAPE_MISMATCH', `options.dims.${name}[${axis}]`, what);
      }
      if (typeof dim === 'string') sizes.set(dim, size);
    });
  }
  const filled = (dims: ValueInfo['dims']): readonly number[] =>
    dims.map((dim) => (typeof dim === 'number' ? dim : (sizes.get(dim) ?? 1)));
  return new Map(inputs.map(({ name, dims }) => [name, filled(dims)]));
}

/** Numbers of the inputs that a plan depends on, as far as they are given. */
export function valuesOf(
  inputs: readonly ValueInfo[],
  shapes: ReadonlyMap<string, readonly number[]>,
  given: NonNullable<InspectOptions['values']>,
): Map<string, HostValue> {
  checkNames(inputs, given, 'values');
  const host = new Map<string, HostValue>();
  for (const { name, type } of inputs) {
    if (!Object.hasOwn(given, name)) continue;
    const dims = shapes.get(name)!;
    const data = Float64Array.from(given[name]!);
    if (data.length !== sizeOf(dims)) {
      const what = `got ${data.length} numbers, expected ${sizeOf(dims)} for [${dims.join(', ')}]`;
      throw new RnnError('SHAPE_MISMATCH', `options.values.${name}`, what);
    }
    host.set(name, { type, dims, data });
  }
  return host;
}

function checkNames(inputs: readonly ValueInfo[], given: object, option: string): void {
  const names = inputs.map(({ name }) => name);
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const what = `is no input, expected one of ${names.join(', ') || 'none'}`;
    throw new RnnError('INVALID_ARGUMENT', `options.${option}.${unknown}`, what);
  }
}
