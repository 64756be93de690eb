// Tensors as users see them. Device tensors and float64 values of the reference are elsewhere.
import { RnnError } from './errors.ts';

/** Element types of the values of a graph, by their ONNX names. */
export type DataType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'bool';

/** The array that carries each element type. float16 arrives widened; bool is one byte, 0 or 1. */
export interface TypedArrays {
  /** As it is. */
  float32: Float32Array;
  /** As it is; on a GPU it is computed in float32. */
  float64: Float64Array;
  /** Widened to float32, which holds every half exactly. */
  float16: Float32Array;
  /** As it is. */
  int8: Int8Array;
  /** As it is. */
  uint8: Uint8Array;
  /** As it is. */
  int16: Int16Array;
  /** As it is. */
  uint16: Uint16Array;
  /** As it is. */
  int32: Int32Array;
  /** As it is. */
  uint32: Uint32Array;
  /** As it is; beyond 2^53 numbers are refused, on a GPU beyond 2^31. */
  int64: BigInt64Array;
  /** Likewise. */
  uint64: BigUint64Array;
  /** One byte each, 0 or 1. */
  bool: Uint8Array;
}

/** Any of the arrays that can carry a tensor. */
export type TypedArray = TypedArrays[DataType];

/** A dense row-major array with a shape. `data.length` is the product of `dims`. */
export interface Tensor<K extends DataType = DataType> {
  /** Element type; it tells bool from uint8, which share an array. */
  readonly type: K;
  /** Sizes, outermost first. Empty for a scalar. */
  readonly dims: readonly number[];
  /** The elements, row-major. */
  readonly data: TypedArrays[K];
}

/** The element type that an array stands for when nothing else is said. */
export type TypeOf<A extends TypedArray> = A extends Float32Array
  ? 'float32'
  : A extends Float64Array
    ? 'float64'
    : A extends BigInt64Array
      ? 'int64'
      : A extends BigUint64Array
        ? 'uint64'
        : A extends Int32Array
          ? 'int32'
          : A extends Uint32Array
            ? 'uint32'
            : A extends Int16Array
              ? 'int16'
              : A extends Uint16Array
                ? 'uint16'
                : A extends Int8Array
                  ? 'int8'
                  : 'uint8';

const CONSTRUCTORS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Float32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const;

/** The element types, in no order that matters. */
export const DATA_TYPES = Object.keys(CONSTRUCTORS) as readonly DataType[];

/** A zeroed array for `count` elements of `type`. */
export function allocate<K extends DataType>(type: K, count: number): TypedArrays[K] {
  return new CONSTRUCTORS[type](count) as TypedArrays[K];
}

/** Number of elements of a shape; 1 for a scalar. */
export function sizeOf(dims: readonly number[]): number {
  let size = 1;
  for (const dim of dims) size *= dim;
  return size;
}

/** A shape as messages have it: `[2, 3]`. */
export const formatDims = (dims: readonly (number | string)[]): string => `[${dims.join(', ')}]`;

/** True for the types that are stored as floating point numbers. */
export function isFloat(type: DataType): boolean {
  return type === 'float32' || type === 'float64' || type === 'float16';
}

function typeOfArray(data: unknown): DataType | undefined {
  if (data instanceof Float32Array) return 'float32';
  return DATA_TYPES.find((type) => data instanceof CONSTRUCTORS[type]);
}

/**
 * Makes a tensor around `data` without copying it; lists of numbers become float32.
 *
 * @param data typed array or numbers, row-major
 * @param dims sizes, outermost first; `[data.length]` or those of nested lists when left out
 * @throws RnnError `SHAPE_MISMATCH` when `data.length` is not the product of `dims`, and for nested lists of
 *   different lengths; `INVALID_ARGUMENT` when `data` is no typed array or its type is another
 * @example
 * ```ts
 * const X = tensor(new Float32Array(16 * 1 * 40), [16, 1, 40]);
 * const tokens = tensor(BigInt64Array.from([3n, 1n, 4n]), [1, 3]);
 * ```
 */
export function tensor<A extends TypedArray>(data: A, dims?: readonly number[]): Tensor<TypeOf<A>>;
/** A float32 tensor from plain numbers; nested lists tell its shape, `[[1, 2], [3, 4]]` is [2, 2]. */
export function tensor(data: NestedValues, dims?: readonly number[]): Tensor<'float32'>;
/**
 * A tensor of a given type, for arrays that serve two (bytes are `'bool'` or `'uint8'`) and for plain
 * numbers.
 */
export function tensor<K extends DataType>(
  data: TypedArrays[K] | NestedValues,
  dims: readonly number[] | undefined,
  type: K,
): Tensor<K>;
export function tensor(
  data: TypedArray | NestedValues,
  dims?: readonly number[],
  type?: DataType,
): Tensor {
  if (dims !== undefined && !Array.isArray(dims)) {
    const what = `got ${String(dims)}, expected a list of sizes`;
    throw new RnnError('INVALID_ARGUMENT', 'tensor.dims', what);
  }
  const flat = Array.isArray(data) ? flattened(data as NestedValues) : undefined;
  const array = flat ? fromNumbers(flat.values, type ?? 'float32') : (data as TypedArray);
  const found = typeOfArray(array);
  const kind = type ?? found;
  if (found === undefined || kind === undefined || !(array instanceof CONSTRUCTORS[kind])) {
    const got = (data as { constructor?: { name?: string } } | null)?.constructor?.name;
    throw new RnnError(
      'INVALID_ARGUMENT',
      'tensor.data',
      `got ${got ?? String(data)}, expected a typed array${type ? ` for ${type}` : ''}`,
    );
  }
  const shape = [...(dims ?? flat?.dims ?? [array.length])];
  checkDims(shape, 'tensor.dims');
  if (sizeOf(shape) !== array.length) {
    throw new RnnError(
      'SHAPE_MISMATCH',
      'tensor.dims',
      `${formatDims(shape)} has ${sizeOf(shape)} elements, the data has ${array.length}`,
    );
  }
  return { type: kind, dims: shape, data: array };
}

/** @throws RnnError `INVALID_ARGUMENT` for an array that does not carry elements of a type */
export function checkArray(data: unknown, type: DataType, path: string): void {
  if (data instanceof CONSTRUCTORS[type]) return;
  const got = Object.prototype.toString.call(data).slice(8, -1);
  const what = `got ${got}, expected ${CONSTRUCTORS[type].name} for ${type}`;
  throw new RnnError('INVALID_ARGUMENT', path, what);
}

/** @throws RnnError `SHAPE_MISMATCH` for sizes that are no whole numbers, or negative */
export function checkDims(dims: readonly unknown[], path: string): asserts dims is number[] {
  for (const [axis, dim] of dims.entries()) {
    if (!Number.isSafeInteger(dim) || (dim as number) < 0) {
      throw new RnnError(
        'SHAPE_MISMATCH',
        `${path}[${axis}]`,
        `got ${String(dim)}, expected a whole number that is not negative`,
      );
    }
  }
}

/**
 * A new array of a type from one of that type, or from what JSON makes of one: numbers, or texts for
 * numbers that JSON lacks, in a list or by index.
 *
 * @throws RnnError `INVALID_ARGUMENT` for anything else
 */
export function arrayOf(data: unknown, type: DataType, path: string): TypedArray {
  const ArrayOfType = CONSTRUCTORS[type];
  if (data instanceof ArrayOfType) return data.slice();
  const isPlain = typeof data === 'object' && data !== null && !ArrayBuffer.isView(data);
  const values = isPlain ? Object.values(data as Record<string, unknown>) : [];
  const isBig = type === 'int64' || type === 'uint64';
  const isNumber = (value: unknown): boolean =>
    isBig
      ? /^-?\d+$/.test(String(value))
      : value === null || ['number', 'string'].includes(typeof value);
  if (!isPlain || !values.every(isNumber)) {
    const got = isPlain ? 'other values' : Object.prototype.toString.call(data).slice(8, -1);
    throw new RnnError('INVALID_ARGUMENT', path, `got ${got}, expected ${ArrayOfType.name}`);
  }
  const array = allocate(type, values.length);
  values.forEach((value, i) => {
    // JSON.stringify writes null for what is no finite number.
    const number = value === null ? Number.NaN : Number(value);
    array[i] = (isBig ? BigInt(value as string) : number) as never;
  });
  return array;
}

/** Numbers in lists, or lists of such lists. */
export type NestedValues = readonly (number | bigint | boolean)[] | readonly NestedValues[];

/** The numbers of nested lists in order, and the shape of the lists. */
function flattened(lists: NestedValues): { values: (number | bigint | boolean)[]; dims: number[] } {
  const dims: number[] = [];
  for (let list: unknown = lists; Array.isArray(list); list = list[0]) dims.push(list.length);
  const values: (number | bigint | boolean)[] = [];
  const visit = (item: unknown, axis: number, path: string): void => {
    if (axis < dims.length) {
      const length = Array.isArray(item) ? item.length : undefined;
      if (length !== dims[axis]) {
        const got = length === undefined ? String(item) : `a list of ${length}`;
        const what = `got ${got}, expected a list of ${dims[axis]}, as before it`;
        throw new RnnError('SHAPE_MISMATCH', path, what);
      }
      (item as unknown[]).forEach((each, i) => visit(each, axis + 1, `${path}[${i}]`));
    } else if (['number', 'bigint', 'boolean'].includes(typeof item)) {
      values.push(item as number);
    } else {
      const got = Array.isArray(item) ? `a list of ${item.length}` : String(item);
      const code = Array.isArray(item) ? 'SHAPE_MISMATCH' : 'INVALID_ARGUMENT';
      throw new RnnError(code, path, `got ${got}, expected a number`);
    }
  };
  visit(lists, 0, 'tensor.data');
  return { values, dims };
}

function fromNumbers(values: readonly (number | bigint | boolean)[], type: DataType): TypedArray {
  const array = allocate(type, values.length);
  if (array instanceof BigInt64Array || array instanceof BigUint64Array) {
    values.forEach((value, i) => {
      if (typeof value === 'number' && !Number.isInteger(value)) {
        const what = `got ${value}, expected whole numbers for ${type}`;
        throw new RnnError('INVALID_ARGUMENT', 'tensor.data', what);
      }
      array[i] = BigInt(value);
    });
  } else {
    (array as Float64Array).set(values.map(Number));
  }
  return array;
}
