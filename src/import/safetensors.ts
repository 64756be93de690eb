// Reads safetensors files: weights by name, nothing else. Trusts no byte: a header that lies about
// its data, says a thing twice or leaves bytes unexplained is refused.
// https://github.com/huggingface/safetensors#format
import { RnnError } from '../errors.ts';
import { allocate, type Tensor } from '../tensor.ts';
import { fromBfloat16, fromFloat16 } from '../float16.ts';
import { Budget, importLimits, limitExceeded, type ImportLimits } from './limits.ts';
import { numbersOf, widthOf, type StoredType } from './stored-numbers.ts';

/** How a safetensors file is read. */
export interface SafetensorsOptions {
  /** Caps for files that are not trusted. */
  readonly limits?: Partial<ImportLimits> | undefined;
}

/** Bytes of JSON: 40,000 tensors and more; the largest recurrent models have 10^3. */
export const MAX_HEADER_BYTES = 4_194_304;

/** A header is an object of objects of lists. */
const MAX_DEPTH = 3;

// https://github.com/huggingface/safetensors/blob/main/safetensors/src/tensor.rs (enum Dtype). The
// formats of 8 bits and below belong to transformers and are left out. A literal without calls, so
// that a page which does not read safetensors does not download it.
const FORMATS: Readonly<Record<string, StoredType>> = {
  F64: { type: 'float64', view: 'float64' },
  F32: { type: 'float32', view: 'float32' },
  F16: { type: 'float16', view: 'uint16', widen: fromFloat16 },
  BF16: { type: 'float32', view: 'uint16', widen: fromBfloat16 },
  I64: { type: 'int64', view: 'int64' },
  I32: { type: 'int32', view: 'int32' },
  I16: { type: 'int16', view: 'int16' },
  I8: { type: 'int8', view: 'int8' },
  U64: { type: 'uint64', view: 'uint64' },
  U32: { type: 'uint32', view: 'uint32' },
  U16: { type: 'uint16', view: 'uint16' },
  U8: { type: 'uint8', view: 'uint8' },
  BOOL: { type: 'bool', view: 'bool' },
};

interface Entry {
  readonly name: string;
  readonly path: string;
  readonly format: StoredType;
  readonly dims: readonly number[];
  readonly begin: number;
  readonly end: number;
}

const invalid = (path: string, message: string): RnnError =>
  new RnnError('INVALID_MODEL', path, message);

/**
 * Reads the tensors of a safetensors file, in the order of its header. Numbers stay where they are
 * where their alignment allows it, so the bytes must not change afterwards. float16 and bfloat16
 * arrive widened to float32, exactly.
 *
 * @param bytes the whole file
 * @throws RnnError `INVALID_MODEL` with the path of the fault, such as
 *   `safetensors.header.NAME.data_offsets`; `LIMIT_EXCEEDED` for a file beyond `limits`
 * @example
 * ```ts
 * const tensors = readSafetensors(await (await fetch('model.safetensors')).arrayBuffer());
 * const W = tensors.get('lstm.weight_ih_l0');
 * ```
 */
export function readSafetensors(
  bytes: Uint8Array | ArrayBuffer,
  options: SafetensorsOptions = {},
): Map<string, Tensor> {
  const file = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  const budget = new Budget(importLimits(options.limits), file.length);
  budget.spend('maxBytes', file.length, 'safetensors', 'the file is too large');
  const { header, data } = splitFile(file);
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') checkMetadata(value, budget);
    else entries.push(readEntry(name, value, data.length, budget));
  }
  checkCoverage(entries, data.length);
  return new Map(
    entries.map(({ name, path, format, dims, begin, end }) => {
      const array = numbersOf(data.subarray(begin, end), format, path);
      return [name, { type: format.type, dims, data: array } as Tensor];
    }),
  );
}

/**
 * The texts by name that a safetensors file has in its header; none where it has no such part.
 *
 * @throws RnnError `INVALID_MODEL` for a header that is damaged; the tensors in it are not looked at
 */
export function readMetadata(file: Uint8Array, limits: ImportLimits): ReadonlyMap<string, string> {
  const value = splitFile(file).header['__metadata__'];
  if (value === undefined) return new Map();
  checkMetadata(value, new Budget(limits, file.length));
  return new Map(Object.entries(value as Record<string, string>));
}

/** The two parts of a file: a length in 8 bytes, that much JSON, and the numbers. */
function splitFile(file: Uint8Array): { header: Record<string, unknown>; data: Uint8Array } {
  const path = 'safetensors.header';
  if (file.length < 8) {
    throw invalid('safetensors', `got ${file.length} bytes, expected 8 that tell the header size`);
  }
  const size = new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true);
  if (size > BigInt(file.length - 8)) {
    throw invalid(path, `got a size of ${size} bytes, expected at most ${file.length - 8}`);
  }
  const length = Number(size);
  if (length > MAX_HEADER_BYTES) {
    const what = `the header is too large, got ${length} bytes, at most ${MAX_HEADER_BYTES}`;
    throw new RnnError('LIMIT_EXCEEDED', path, what);
  }
  const raw = file.subarray(8, 8 + length);
  if (raw[0] !== 0x7b) {
    const bom = raw[0] === 0xef && raw[1] === 0xbb && raw[2] === 0xbf;
    const got = bom ? 'a byte order mark' : length === 0 ? 'nothing' : `byte ${raw[0]}`;
    throw invalid(path, `got ${got} at its start, expected '{'`);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw);
  } catch (cause) {
    throw new RnnError('INVALID_MODEL', path, 'got bytes that are no UTF-8', { cause });
  }
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RnnError('INVALID_MODEL', path, `is damaged JSON (${reason})`, { cause });
  }
  refuseDuplicates(text, path);
  return { header: header as Record<string, unknown>, data: file.subarray(8 + length) };
}

/** JSON.parse takes the last of equal keys and says nothing. `text` is known to be sound JSON. */
function refuseDuplicates(text: string, path: string): void {
  const open: Set<string>[] = [];
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '{' || text[at] === '[') open.push(new Set());
    else if (text[at] === '}' || text[at] === ']') open.pop();
    if (open.length > MAX_DEPTH) throw invalid(path, 'has lists within lists');
    if (text[at] === '"') {
      const start = at;
      for (at++; text[at] !== '"'; at++) if (text[at] === '\\') at++;
      let next = at + 1;
      while (' \t\r\n'.includes(text[next]!)) next++;
      if (text[next] !== ':') continue;
      const key = JSON.parse(text.slice(start, at + 1)) as string;
      const keys = open.at(-1)!;
      if (keys.has(key)) throw invalid(`${path}.${key}`, 'the key is there twice');
      keys.add(key);
    }
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function checkMetadata(value: unknown, budget: Budget): void {
  const path = 'safetensors.header.__metadata__';
  if (!isObject(value)) throw invalid(path, 'got something else, expected texts by name');
  for (const [key, text] of Object.entries(value)) {
    budget.spend('maxEntries', 1, path, 'too many entries');
    if (typeof text !== 'string') throw invalid(`${path}.${key}`, 'expected a text');
  }
}

const show = (value: unknown): string =>
  (value === undefined ? 'nothing' : JSON.stringify(value)).slice(0, 80);

// A minus zero would be a size that prints like another.
const isSize = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && !Object.is(value, -0);

function readEntry(name: string, value: unknown, available: number, budget: Budget): Entry {
  budget.check('maxNameLength', name.length, 'safetensors.header', 'a name is too long');
  const path = `safetensors.header.${name}`;
  budget.spend('maxTensors', 1, path, 'too many tensors');
  if (!isObject(value)) {
    throw invalid(path, `got ${show(value)}, expected dtype, shape and data_offsets`);
  }
  const { dtype, shape, data_offsets: offsets, ...rest } = value;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    throw invalid(`${path}.${unknown}`, 'expected dtype, shape and data_offsets only');
  }
  const isKnown = typeof dtype === 'string' && Object.hasOwn(FORMATS, dtype);
  const format = isKnown ? FORMATS[dtype] : undefined;
  if (format === undefined) {
    throw invalid(
      `${path}.dtype`,
      `got ${show(dtype)}, expected ${Object.keys(FORMATS).join(', ')}`,
    );
  }
  const count = checkShape(shape, `${path}.shape`, budget.limits);
  const stored = widthOf(format);
  const decoded = allocate(format.type, 0).BYTES_PER_ELEMENT;
  budget.decode(count * decoded, `${path}.shape`);
  const where = `${path}.data_offsets`;
  const [begin, end] = Array.isArray(offsets) ? (offsets as unknown[]) : [];
  if (!isSize(begin) || !isSize(end) || (offsets as unknown[]).length !== 2 || begin > end) {
    throw invalid(where, `got ${show(offsets)}, expected [begin, end] in bytes`);
  }
  if (end > available) throw invalid(where, `got end ${end}, expected at most ${available}`);
  // A product so large that it was rounded is far beyond the length of any data.
  if (end - begin !== count * stored) {
    const expected = `${count * stored} for ${show(dtype)} ${show(shape)}`;
    throw invalid(where, `got ${end - begin} bytes, expected ${expected}`);
  }
  return { name, path, format, dims: shape as number[], begin, end };
}

/** Number of elements, found without a product that could round. */
function checkShape(shape: unknown, path: string, limits: ImportLimits): number {
  if (!Array.isArray(shape) || !shape.every(isSize)) {
    throw invalid(path, `got ${show(shape)}, expected sizes`);
  }
  if (shape.length > limits.maxRank) {
    throw limitExceeded(path, 'too many axes', shape.length, limits, 'maxRank');
  }
  let count = 1;
  for (const size of shape) {
    // A zero anywhere makes the product zero, but [2^40, 0] is still no honest shape.
    count *= Math.max(size, 1);
    if (count > limits.maxElements) {
      throw limitExceeded(path, 'too many elements', show(shape), limits, 'maxElements');
    }
  }
  return shape.includes(0) ? 0 : count;
}

/** Every byte of the data belongs to one tensor. */
function checkCoverage(entries: readonly Entry[], length: number): void {
  let at = 0;
  for (const { path, begin, end } of entries.toSorted(
    (a, b) => a.begin - b.begin || a.end - b.end,
  )) {
    if (begin !== at) {
      const what = begin < at ? 'overlaps the tensor before it' : 'leaves bytes before it unused';
      throw invalid(`${path}.data_offsets`, `${what}: got begin ${begin}, expected ${at}`);
    }
    at = end;
  }
  if (at !== length) {
    throw invalid(
      'safetensors.data',
      `got ${length} bytes, expected ${at}: no tensor owns the bytes after that`,
    );
  }
}
