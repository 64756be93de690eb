// Files of torch.save: those that PyTorch wrote, and pickles by hand that no honest writer makes.
import { readFileSync } from 'node:fs';
import { writeZip } from './keras-writer.ts';

/** A file of test/golden/checkpoints/, which scripts/make-checkpoints.py wrote. */
export const checkpoint = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../golden/checkpoints/${name}`, import.meta.url)));

/** Opcodes and arguments. */
export type PicklePart = string | number | Uint8Array;

/** Opcodes by their letters or numbers, one after the other; protocol 2. */
export const pickle = (...parts: readonly PicklePart[]): Uint8Array =>
  Buffer.concat([
    Buffer.of(0x80, 2),
    ...parts.map((part) =>
      typeof part === 'number' ? Buffer.of(part) : Buffer.from(part as string),
    ),
    Buffer.from('.'),
  ]);

/** BINUNICODE. */
export const text = (value: string): Uint8Array => {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([Buffer.from('X'), length, bytes]);
};

/** BININT. */
export const int = (value: number): Uint8Array => {
  const bytes = Buffer.alloc(5);
  bytes.write('J');
  bytes.writeInt32LE(value, 1);
  return bytes;
};

/** GLOBAL. */
export const global = (module: string, name: string): string => `c${module}\n${name}\n`;

const storage = (type: string, count: number): Uint8Array =>
  Buffer.concat([
    Buffer.from('('),
    text('storage'),
    Buffer.from(global('torch', type)),
    text('0'),
    text('cpu'),
    int(count),
    Buffer.from('tQ'),
  ]);

/** A tensor in storage 0; what is left out is a dense one of four float32. */
export function tensorOf({
  type = 'FloatStorage',
  count = 4,
  offset = 0,
  dims = [4],
  strides = [1],
  version = 'v2',
}: {
  readonly type?: string;
  readonly count?: number;
  readonly offset?: number;
  readonly dims?: readonly number[];
  readonly strides?: readonly number[];
  readonly version?: string;
} = {}): Uint8Array {
  const tuple = (sizes: readonly number[]): Uint8Array =>
    Buffer.concat([Buffer.from('('), ...sizes.map(int), Buffer.from('t')]);
  return Buffer.concat([
    Buffer.from(global('torch._utils', `_rebuild_tensor_${version}`)),
    Buffer.from('('),
    storage(type, count),
    int(offset),
    tuple(dims),
    tuple(strides),
    Buffer.from([0x89, 0x4e]), // requires_grad, hooks
    ...(version === 'v3' ? [Buffer.from(global('torch', 'uint16'))] : []),
    Buffer.from('tR'),
  ]);
}

/** An archive with this pickle and one storage; other entries may be added. */
export const archiveOf = (
  data: Uint8Array,
  numbers: Uint8Array = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer),
  more: Readonly<Record<string, string>> = {},
): Uint8Array =>
  writeZip([
    { name: 'm/data.pkl', bytes: data },
    { name: 'm/data/0', bytes: numbers },
    ...Object.entries(more).map(([name, bytes]) => ({ name: `m/${name}`, bytes })),
  ]);

/** A file with a dict of one tensor, `w`. */
export const withTensor = (
  options: Parameters<typeof tensorOf>[0],
  numbers?: Uint8Array,
): Uint8Array => archiveOf(pickle('}', text('w'), tensorOf(options), 's'), numbers);
