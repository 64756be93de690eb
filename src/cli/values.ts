// Tensors from files and back: what a file holds, and the shape that an input wants it in.
import { readFile, writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import type { ValueInfo } from '../graph.ts';
import { allocate, sizeOf, type Tensor } from '../tensor.ts';
import { readNpy, writeNpy } from './npy.ts';
import { UsageError } from './usage.ts';
import { readWav, writeWav } from './wav.ts';

type Numbers = ArrayLike<number | bigint>;

/** Numbers from a file, with their shape where it has one. */
export interface Given {
  readonly data: Numbers;
  readonly dims: readonly number[] | undefined;
  /** Of sound. */
  readonly rate?: number;
}

/** A file by the end of its name, or a number that stands where a file might. */
export async function readValue(text: string): Promise<Given> {
  if (text !== '' && Number.isFinite(Number(text)))
    return { data: [Number(text)], dims: undefined };
  const kind = extname(text).toLowerCase();
  if (!['.npy', '.wav', '.json'].includes(kind)) {
    throw new UsageError(`${text}: expected a number, or a file .npy, .wav or .json`);
  }
  const bytes = await readFile(text);
  if (kind === '.npy') return readNpy(bytes, text);
  if (kind === '.json') return fromJson(JSON.parse(bytes.toString('utf8')), text);
  const { samples, channels, rate } = readWav(bytes, text);
  const dims = channels === 1 ? undefined : [channels, samples.length / channels];
  return { data: samples, dims, rate };
}

/** Nested lists of numbers, or what `run --as json` writes. */
function fromJson(value: unknown, name: string): Given {
  const object = value as { data?: unknown; dims?: unknown } | null;
  if (object && Array.isArray(object.data) && Array.isArray(object.dims)) {
    const flat = fromJson(object.data, name);
    return { data: flat.data, dims: object.dims as number[] };
  }
  const dims: number[] = [];
  for (let at: unknown = value; Array.isArray(at); at = (at as unknown[])[0]) dims.push(at.length);
  const data = (Array.isArray(value) ? value : [value]).flat(dims.length) as unknown[];
  const isPlain = data.every((item) => typeof item === 'number' || typeof item === 'string');
  if (!isPlain || data.length !== sizeOf(dims)) {
    throw new Error(`${name}: expected numbers in lists of equal length`);
  }
  // Written as text: int64 beyond 2^53, NaN and the infinities.
  const numbers = data.map((item) =>
    typeof item === 'string' && /^-?\d+$/.test(item) ? BigInt(item) : Number(item),
  );
  return { data: numbers, dims };
}

/** The numbers as an input declares them: in `shape`, in the file's own, or in the one that fits. */
export function toTensor(given: Given, info: ValueInfo, shape?: readonly number[]): Tensor {
  const { type, name } = info;
  const dims = shape ?? shapeFor(given, info);
  if (sizeOf(dims) !== given.data.length) {
    throw new UsageError(
      `${name}: got ${given.data.length} numbers, expected ${sizeOf(dims)} for ${dims.join('x')}`,
    );
  }
  const data = allocate(type, given.data.length);
  const isBig = data instanceof BigInt64Array || data instanceof BigUint64Array;
  for (let i = 0; i < data.length; i++) {
    const value = given.data[i]!;
    data[i] = isBig ? BigInt(value) : Number(value);
  }
  return { type, dims, data } as Tensor;
}

/** Of flat numbers: the last free size is what is left, the others are 1. */
function shapeFor({ data, dims }: Given, info: ValueInfo): readonly number[] {
  if (dims !== undefined) return dims;
  const fixed = info.dims.map((dim) => (typeof dim === 'number' ? dim : 1));
  const each = Math.max(sizeOf(fixed), 1);
  if (data.length === each) return fixed;
  if (data.length % each !== 0) {
    const declared = `[${info.dims.join(', ')}]`;
    throw new UsageError(`${info.name}: got ${data.length} numbers for ${declared}: say --dims`);
  }
  const free = info.dims.findLastIndex((dim) => typeof dim === 'string');
  // With no free size, each step of a stream takes as many as there are.
  return free < 0 ? [data.length / each, ...fixed] : fixed.with(free, data.length / each);
}

/** Writes a tensor as the end of the file's name says. */
export async function writeValue(file: string, value: Tensor, rate: number): Promise<void> {
  const kind = extname(file);
  if (kind === '.npy') return writeFile(file, writeNpy(value));
  const data = Array.from(value.data as Numbers);
  if (kind === '.wav') return writeFile(file, writeWav(data.map(Number), rate));
  // JSON has no NaN and no infinity, and integers only up to 2^53.
  const plain = data.map((item) =>
    typeof item === 'bigint' && Number.isSafeInteger(Number(item))
      ? Number(item)
      : Number.isFinite(item)
        ? item
        : String(item),
  );
  return writeFile(
    file,
    `${JSON.stringify({ type: value.type, dims: value.dims, data: plain })}\n`,
  );
}
