// The element types of ONNX by number. https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
import { RnnError } from '../../errors.ts';
import type { DataType } from '../../tensor.ts';

/** How the elements of a type are stored in a TensorProto. */
export interface ElementType {
  /** Name in the specification. */
  readonly name: string;
  /** Type in the graph; the 16-bit floats are widened when they are read. */
  readonly type: DataType;
  /** Bytes of one element in `raw_data`. */
  readonly bytes: number;
  /** Number of the field that holds the elements when `raw_data` does not. */
  readonly field: number;
}

const ELEMENT_TYPES: Readonly<Record<number, ElementType>> = {
  1: { name: 'float', type: 'float32', bytes: 4, field: 4 },
  2: { name: 'uint8', type: 'uint8', bytes: 1, field: 5 },
  3: { name: 'int8', type: 'int8', bytes: 1, field: 5 },
  4: { name: 'uint16', type: 'uint16', bytes: 2, field: 5 },
  5: { name: 'int16', type: 'int16', bytes: 2, field: 5 },
  6: { name: 'int32', type: 'int32', bytes: 4, field: 5 },
  7: { name: 'int64', type: 'int64', bytes: 8, field: 7 },
  9: { name: 'bool', type: 'bool', bytes: 1, field: 5 },
  10: { name: 'float16', type: 'float32', bytes: 2, field: 5 },
  11: { name: 'double', type: 'float64', bytes: 8, field: 10 },
  12: { name: 'uint32', type: 'uint32', bytes: 4, field: 11 },
  13: { name: 'uint64', type: 'uint64', bytes: 8, field: 11 },
  16: { name: 'bfloat16', type: 'float32', bytes: 2, field: 5 },
};

const REFUSED: Readonly<Record<number, string>> = {
  0: 'no type at all',
  8: 'string',
  14: 'complex64',
  15: 'complex128',
  17: 'float8e4m3fn',
  18: 'float8e4m3fnuz',
  19: 'float8e5m2',
  20: 'float8e5m2fnuz',
  21: 'uint4',
  22: 'int4',
  23: 'float4e2m1',
  24: 'float8e8m0',
  25: 'uint2',
  26: 'int2',
};

/** The type in the graph of elements with a number in `TensorProto.DataType`; undefined where there is none. */
export const typeOfElements = (dataType: number): DataType | undefined =>
  Object.hasOwn(ELEMENT_TYPES, dataType) ? ELEMENT_TYPES[dataType]!.type : undefined;

/**
 * The element type with a number in `TensorProto.DataType`.
 *
 * @throws RnnError `INVALID_MODEL` for types that no graph can carry, such as strings and int4
 */
export function elementType(dataType: number, path: string): ElementType {
  const found = Object.hasOwn(ELEMENT_TYPES, dataType) ? ELEMENT_TYPES[dataType] : undefined;
  if (found) return found;
  const names = Object.values(ELEMENT_TYPES).map(({ name }) => name);
  throw new RnnError(
    'INVALID_MODEL',
    path,
    `element type, got ${REFUSED[dataType] ?? `number ${dataType}`}, expected ${names.join(', ')}`,
  );
}
