// Numbers on their way to a device and back: f32 for floating point types, i32 for integers and bool.
import { RnnError } from '../errors.ts';
import type { ValueType } from '../ops/operator.ts';
import { allocate, isFloat, sizeOf } from '../tensor.ts';
import type { Tensor } from '../tensor.ts';

const MIN_INT32 = -0x80000000;
const MAX_INT32 = 0x7fffffff;

/** An array as a device takes it. */
export type DeviceArray = Float32Array | Int32Array;

/** A tensor as a device holds it; integers beyond 32 bits become the nearest one that fits. */
export function deviceArray({
  type,
  data,
}: Pick<Tensor, 'type'> & { data: ArrayLike<number | bigint> }): DeviceArray {
  if (data instanceof Float32Array || data instanceof Int32Array) return data;
  return isFloat(type)
    ? Float32Array.from(data as ArrayLike<number>)
    : // Ends of the range stand for "all" in slices; 32 bits hold what a device can index.
      Int32Array.from(data, (v) => Math.min(Math.max(Number(v), MIN_INT32), MAX_INT32));
}

/** An input as a device takes it. @throws RnnError `LIMIT_EXCEEDED` for integers beyond 32 bits */
export function uploadArray(name: string, feed: Tensor): DeviceArray {
  const { type, data } = feed;
  if (type === 'int64' || type === 'uint64' || type === 'uint32') {
    for (let i = 0; i < data.length; i++) {
      const value = Number(data[i]);
      if (value < MIN_INT32 || value > MAX_INT32) {
        const what = `got ${data[i]}, and integers on the GPU have 32 bits`;
        throw new RnnError('LIMIT_EXCEEDED', `feeds.${name}[${i}]`, what);
      }
    }
  }
  return deviceArray(feed);
}

/** A tensor from what a device holds of it, copied out of mapped memory. */
export function fromDevice({ type, dims }: ValueType, bytes: ArrayBuffer, offset: number): Tensor {
  const count = sizeOf(dims);
  const source = isFloat(type)
    ? new Float32Array(bytes, offset, count)
    : new Int32Array(bytes, offset, count);
  const data = allocate(type, count);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (let i = 0; i < count; i++) data[i] = BigInt(source[i]!);
  } else {
    (data as Float64Array).set(source);
  }
  return { type, dims, data };
}
