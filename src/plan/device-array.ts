// Numbers on their way to a device and back: f32 for floating point types, i32 for integers and bool.
import { RnnError } from '../errors.ts';
import type { ValueType } from '../ops/operator.ts';
import { allocate, isFloat, sizeOf } from '../tensor.ts';
import type { Tensor } from '../tensor.ts';

const MIN_INT32 = -0x80000000;
const MAX_INT32 = 0x7fffffff;
const INT64_END = 2 ** 63;

/** An array as a device takes it. */
export type DeviceArray = Float32Array | Int32Array;

/**
 * A tensor as a device holds it.
 *
 * @param path for the error
 * @throws RnnError `LIMIT_EXCEEDED` for an integer beyond 32 bits, which a GPU would compute with wrongly. Only
 *   the ends of int64, which stand for "all" in slices and "no limit" in Clip, become the ends of int32
 */
export function deviceArray(
  { type, data }: Pick<Tensor, 'type'> & { data: ArrayLike<number | bigint> },
  path: string,
): DeviceArray {
  if (data instanceof Float32Array || data instanceof Int32Array) {
    // Not every WebGPU takes shared memory, which may change meanwhile.
    return data.buffer instanceof ArrayBuffer ? data : data.slice();
  }
  if (isFloat(type)) return Float32Array.from(data as ArrayLike<number>);
  return Int32Array.from(data, (v, i) => {
    const value = Number(v);
    const narrow = Math.min(Math.max(value, MIN_INT32), MAX_INT32);
    if (narrow === value || Math.abs(value) >= INT64_END) return narrow;
    const what = `${type}, got ${v}, expected -2^31 to 2^31 - 1: integers have 32 bits on webgpu`;
    throw new RnnError('LIMIT_EXCEEDED', `${path}[${i}]`, what);
  });
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
  return deviceArray(feed, `feeds.${name}`);
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
