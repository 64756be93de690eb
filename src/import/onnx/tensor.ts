// Weights: TensorProto → Tensor. Numbers that lie aligned in the file are used where they are, so a
// model costs its weights once. https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
import { RnnError } from '../../errors.ts';
import { allocate, type Tensor, type TypedArray } from '../../tensor.ts';
import { staysInFolder } from '../companion-name.ts';
import { concat } from '../concat.ts';
import { fromBfloat16, fromFloat16 } from '../../float16.ts';
import { elementCount, type Budget } from '../limits.ts';
import { viewOf } from '../stored-numbers.ts';
import { varints, varints32 } from './message.ts';
import type { TensorProto } from './model.ts';
import { elementType, type ElementType } from './types.ts';

/** Files that hold weights outside of the model, by the name that the model calls them. */
export type ExternalFiles = ReadonlyMap<string, Uint8Array>;

/**
 * Decodes the numbers of a tensor.
 *
 * @param mayMove whether the bytes of the file may change
 */
export function toTensor(
  proto: TensorProto,
  external: ExternalFiles,
  budget: Budget,
  mayMove = false,
): Tensor {
  const { path, dims } = proto;
  const element = elementType(proto.dataType, path);
  const count = elementCount(dims, budget.limits, path);
  const constantBytes = count * allocate(element.type, 0).BYTES_PER_ELEMENT;
  let bytes = rawBytes(proto, element, count, external);
  if (mayMove && bytes && bytes === proto.raw) {
    bytes = proto.raw = moved(bytes, Math.min(element.bytes, 4));
  }
  const decode = bytes ? () => fromBytes(bytes, element) : () => fromFields(proto, element, count);
  if (!bytes) checkFields(proto, element, count);
  budget.decode(constantBytes, path);
  return { type: element.type, dims, data: decode() } as Tensor;
}

// A copy of less is soon forgotten.
const WORTH_MOVING = 4096;

/**
 * Bytes where they can be an array without a copy. Before the bytes of a field are its tag and their
 * number, three bytes at least where there are many: room to move, with nothing else in it.
 */
function moved(bytes: Uint8Array, width: number): Uint8Array {
  const off = bytes.byteOffset % width;
  if (off === 0 || bytes.length < WORTH_MOVING) return bytes;
  const room = new Uint8Array(bytes.buffer, bytes.byteOffset - off, bytes.length + off);
  return room.copyWithin(0, off).subarray(0, bytes.length);
}

/** The elements as little-endian bytes, where they are stored so. */
function rawBytes(
  proto: TensorProto,
  element: ElementType,
  count: number,
  external: ExternalFiles,
): Uint8Array | undefined {
  const size = count * element.bytes;
  const { path, raw } = proto;
  if (proto.isExternal) return externalBytes(proto, size, external);
  if (raw === undefined || (raw.length === 0 && proto.typed.size > 0)) return undefined;
  if (proto.typed.size > 0) {
    throw new RnnError(
      'INVALID_MODEL',
      path,
      `'${proto.name}' has its numbers twice, raw and typed`,
    );
  }
  if (raw.length !== size) {
    const shape = `[${proto.dims.join(', ')}] ${element.name}`;
    const what = `raw_data of '${proto.name}', got ${raw.length} bytes, expected ${size} (${shape})`;
    throw new RnnError('INVALID_MODEL', path, what);
  }
  return raw;
}

function externalBytes(proto: TensorProto, size: number, files: ExternalFiles): Uint8Array {
  const path = `${proto.path}.external_data`;
  const fail = (what: string): RnnError =>
    new RnnError('INVALID_MODEL', path, `'${proto.name}': ${what}`);
  if (proto.raw !== undefined || proto.typed.size > 0) {
    throw fail('has its numbers twice, inside and outside');
  }
  const location = proto.external.get('location') ?? '';
  if (!staysInFolder(location)) {
    throw fail(`location, got '${location}', expected a relative name that stays in its folder`);
  }
  const file = files.get(location);
  if (file === undefined) {
    const given = [...files.keys()].map((name) => `'${name}'`).join(', ') || 'no other file';
    throw fail(`its numbers are in the file '${location}', got ${given}`);
  }
  const number = (key: string, fallback: number): number => {
    const text = proto.external.get(key);
    if (text === undefined) return fallback;
    if (!/^\d{1,15}$/.test(text)) throw fail(`${key}, got '${text}', expected a number of bytes`);
    return Number(text);
  };
  const offset = number('offset', 0);
  const length = number('length', size);
  if (length !== size) throw fail(`length, got ${length} bytes, expected ${size}`);
  if (offset + size > file.length) {
    throw fail(`bytes ${offset} to ${offset + size}, got a file of ${file.length} bytes`);
  }
  return file.subarray(offset, offset + size);
}

function fromBytes(bytes: Uint8Array, { name, type }: ElementType): TypedArray {
  if (name === 'float16') return fromFloat16(viewOf('uint16', bytes) as Uint16Array);
  if (name === 'bfloat16') return fromBfloat16(viewOf('uint16', bytes) as Uint16Array);
  const array = viewOf(type, bytes);
  return type === 'bool' ? asBool(array as Uint8Array) : array;
}

function asBool(bytes: Uint8Array): Uint8Array {
  return bytes.every((byte) => byte <= 1) ? bytes : bytes.map((byte) => Number(byte !== 0));
}

/** Refuses typed fields that cannot hold `count` elements, before anything is allocated for them. */
function checkFields(
  { path, name, dims, typed }: TensorProto,
  of: ElementType,
  count: number,
): void {
  const shape = `[${dims.join(', ')}] ${of.name}`;
  for (const field of typed.keys()) {
    if (field !== of.field) {
      const what = `'${name}' ${shape}, got numbers in field ${field}, expected field ${of.field}`;
      throw new RnnError('INVALID_MODEL', path, what);
    }
  }
  const size = (typed.get(of.field) ?? []).reduce((sum, chunk) => sum + chunk.length, 0);
  const width = FIXED_WIDTH[of.field];
  const fits = width ? size === count * width : size >= count && size <= count * 10;
  if (!fits) {
    const expected = width ? `${count * width}` : `${count} to ${count * 10}`;
    const what = `numbers of '${name}' ${shape}, got ${size} bytes, expected ${expected}`;
    throw new RnnError('INVALID_MODEL', path, what);
  }
}

// Bytes of an element of float_data and double_data; the other fields hold varints.
const FIXED_WIDTH: Readonly<Record<number, number>> = { 4: 4, 10: 8 };

function fromFields(proto: TensorProto, element: ElementType, count: number): TypedArray {
  const { name, type, field } = element;
  const chunks = proto.typed.get(field) ?? [];
  if (FIXED_WIDTH[field]) return viewOf(type, concat(chunks));
  const is16 = name === 'float16' || name === 'bfloat16';
  const array = allocate(is16 ? 'uint16' : type, count);
  let at = 0;
  for (const chunk of chunks) {
    if (array instanceof BigInt64Array || array instanceof BigUint64Array) {
      varints(chunk, proto.path, (value) => (array[at++] = value)); // both wrap to 64 bits
    } else if (type === 'uint32') {
      varints(chunk, proto.path, (value) => (array[at++] = Number(BigInt.asUintN(32, value))));
    } else if (type === 'bool') {
      varints32(chunk, proto.path, (value) => (array[at++] = Number(value !== 0)));
    } else {
      varints32(chunk, proto.path, (value) => (array[at++] = value));
    }
  }
  if (at !== count) {
    const what = `numbers of '${proto.name}', got ${at}, expected ${count}`;
    throw new RnnError('INVALID_MODEL', proto.path, what);
  }
  if (name === 'float16') return fromFloat16(array as Uint16Array);
  if (name === 'bfloat16') return fromBfloat16(array as Uint16Array);
  return array;
}
