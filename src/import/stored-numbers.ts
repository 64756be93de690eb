// Numbers as files of weights store them, little-endian, in the arrays that tensors have.
import { RnnError } from '../errors.ts';
import { allocate, type DataType, type TypedArray } from '../tensor.ts';

/** An element type of a file. */
export interface StoredType {
  /** The element type of the tensor that comes out. */
  readonly type: DataType;
  /** How the bytes are viewed. */
  readonly view: DataType;
  /** Where the two differ, what makes the one of the other. */
  readonly widen?: (bits: Uint16Array) => Float32Array;
}

/** Bytes of one element in the file. */
export const widthOf = ({ view }: StoredType): number => allocate(view, 0).BYTES_PER_ELEMENT;

/**
 * Bytes as an array, in place where they are aligned. WebGPU and WebAssembly exist on little-endian machines only, so the
 * order of a file is that of the machine.
 *
 * @param bytes a whole number of elements
 */
export function viewOf(type: DataType, bytes: Uint8Array): TypedArray {
  const { constructor, BYTES_PER_ELEMENT } = allocate(type, 0);
  const make = constructor as new (
    buffer: ArrayBufferLike,
    offset: number,
    length: number,
  ) => TypedArray;
  // Not `slice`: that of Node's Buffer does not copy.
  const at = bytes.byteOffset % BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  return new make(at.buffer, at.byteOffset, bytes.length / BYTES_PER_ELEMENT);
}

/**
 * The numbers in some bytes: a view of them where their alignment allows it and nothing is widened.
 *
 * @param bytes a whole number of elements
 * @param path what an error calls them
 * @throws RnnError `INVALID_MODEL` for a bool that is neither 0 nor 1
 */
export function numbersOf(
  bytes: Uint8Array,
  { type, view, widen }: StoredType,
  path: string,
): TypedArray {
  const array = viewOf(view, bytes);
  if (type === 'bool') {
    const wrong = bytes.findIndex((byte) => byte > 1);
    if (wrong >= 0) {
      const what = `got ${bytes[wrong]} at ${wrong}, expected 0 or 1`;
      throw new RnnError('INVALID_MODEL', path, what);
    }
  }
  return widen ? widen(array as Uint16Array) : array;
}
