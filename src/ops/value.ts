// Between the tensors that users see and the float64 values of the reference.
import { RnnError } from '../errors.ts';
import { allocate, isFloat, type DataType, type Tensor } from '../tensor.ts';
import type { HostValue } from './operator.ts';

// The ends of int64 stand for "as far as it goes" in the Slice of nearly every exported model, so
// they are let through although float64 holds them as ±2^63 only.
const INT64_END = 2 ** 63;

/**
 * A tensor as the reference holds it.
 *
 * @throws RnnError `LIMIT_EXCEEDED` for a 64-bit integer that float64 cannot hold
 */
export function toHost(tensor: Tensor, path = 'tensor'): HostValue {
  const { type, dims, data } = tensor;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    const numbers = new Float64Array(data.length);
    for (const [i, value] of data.entries()) {
      const number = Number(value);
      if (!Number.isSafeInteger(number) && Math.abs(number) !== INT64_END) {
        const what = `${type} beyond 2^53`;
        throw new RnnError('LIMIT_EXCEEDED', `${path}[${i}]`, `${what}, got ${value}`);
      }
      numbers[i] = number;
    }
    return { type, dims, data: numbers };
  }
  return { type, dims, data: Float64Array.from(data) };
}

/**
 * A value of the reference as a tensor, rounded to its element type.
 *
 * @throws RnnError `LIMIT_EXCEEDED` for a 64-bit integer that float64 did not hold exactly
 */
export function toTensor({ type, dims, data }: HostValue, path = 'value'): Tensor {
  const array = allocate(type, data.length);
  if (array instanceof BigInt64Array || array instanceof BigUint64Array) {
    for (const [i, value] of data.entries()) {
      if (Math.abs(value) === INT64_END && type === 'int64') {
        array[i] = value < 0 ? -(2n ** 63n) : 2n ** 63n - 1n;
      } else if (Number.isSafeInteger(value)) {
        array[i] = BigInt(value);
      } else {
        const what = `${type} beyond 2^53`;
        throw new RnnError('LIMIT_EXCEEDED', `${path}[${i}]`, `${what}, got ${value}`);
      }
    }
  } else {
    (array as Float64Array).set(data);
  }
  return { type, dims, data: array };
}

/** A function that converts a number to `type`: integers drop their fraction and wrap around. */
export function storing(type: DataType): (x: number) => number {
  if (isFloat(type)) return (x) => x;
  if (type === 'bool') return (x) => Number(x !== 0);
  if (type === 'int64' || type === 'uint64') {
    return (x) => (Number.isFinite(x) ? Math.trunc(x) + 0 : 0); // + 0 turns -0 into 0
  }
  const cell = allocate(type, 1) as Int32Array;
  return (x) => {
    cell[0] = x;
    return cell[0]!;
  };
}
