// NumPy arrays in files. https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
import { allocate, sizeOf, type DataType, type Tensor, type TypedArray } from '../tensor.ts';

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY

const TYPES: Readonly<Record<string, DataType>> = {
  '<f4': 'float32',
  '<f8': 'float64',
  '|i1': 'int8',
  '|u1': 'uint8',
  '<i2': 'int16',
  '<u2': 'uint16',
  '<i4': 'int32',
  '<u4': 'uint32',
  '<i8': 'int64',
  '<u8': 'uint64',
  '|b1': 'bool',
};

/** Reads a .npy file; little-endian, C order. */
export function readNpy(bytes: Uint8Array, name: string): Tensor {
  const fail = (what: string): Error => new Error(`${name}: ${what}`);
  if (bytes.length < 10 || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw fail('is no .npy file');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isLong = bytes[6]! >= 2;
  if (isLong && bytes.length < 12) throw fail('ends in its header');
  const start = isLong ? 12 : 10;
  const end = start + (isLong ? view.getUint32(8, true) : view.getUint16(8, true));
  if (end > bytes.length) throw fail('ends in its header');
  const header = new TextDecoder().decode(bytes.subarray(start, end));
  const descr = /'descr':\s*'([^']*)'/.exec(header)?.[1] ?? '';
  const type = TYPES[descr.replace(/^=/, '<')];
  if (type === undefined) {
    throw fail(`element type '${descr}', expected one of ${Object.keys(TYPES).join(', ')}`);
  }
  const shape = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.[1];
  if (shape === undefined) throw fail('has no shape');
  const dims = shape
    .split(',')
    .filter((size) => size.trim() !== '')
    .map(Number);
  if (/'fortran_order':\s*True/.test(header) && dims.filter((size) => size !== 1).length > 1) {
    throw fail('is in Fortran order: save numpy.ascontiguousarray(x)');
  }
  const size = allocate(type, 0).BYTES_PER_ELEMENT;
  const data = bytes.slice(end);
  if (data.length !== sizeOf(dims) * size) {
    throw fail(`has ${data.length} bytes of numbers, expected ${sizeOf(dims) * size}`);
  }
  const { constructor } = allocate(type, 0);
  const make = constructor as new (buffer: ArrayBufferLike) => TypedArray;
  // Not `data.buffer`: that of a small Buffer of Node is shared.
  return { type, dims, data: new make(Uint8Array.from(data).buffer) } as Tensor;
}

/** Writes a .npy file. float16 is written as the float32 that carries it. */
export function writeNpy({ type, dims, data }: Tensor): Uint8Array {
  const stored = type === 'float16' ? 'float32' : type;
  const descr = Object.entries(TYPES).find(([, known]) => known === stored)![0];
  const shape = dims.length === 1 ? `${dims[0]},` : dims.join(', ');
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }`;
  // The numbers begin at a multiple of 64 bytes.
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const bytes = new Uint8Array(10 + length + data.byteLength);
  bytes.set([...MAGIC, 1, 0, length & 0xff, length >> 8]);
  bytes.set(new TextEncoder().encode(`${text.padEnd(length - 1)}\n`), 10);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 10 + length);
  return bytes;
}
