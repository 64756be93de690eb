// Damages a model: bytes, numbers, lengths, whole parts, and the numbers and words of JSON.
import type { Random } from '../support/random.ts';
import type { Seed } from './seeds.ts';

/** Sizes and addresses that break sums, products and comparisons. */
const NUMBERS: readonly bigint[] = [
  0n,
  1n,
  2n,
  7n,
  255n,
  256n,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  1n << 40n,
  (1n << 53n) - 1n,
  1n << 53n,
  (1n << 63n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
];

const WORDS: readonly string[] = [
  '0',
  '-1',
  '1.5',
  '1e308',
  '1000000',
  '4294967296',
  'null',
  'true',
  '""',
  '[]',
  '{}',
  '[1,2,3]',
  '"relu"',
  '"../x"',
  '"__proto__"',
  '"constructor"',
];

type Change = (bytes: Uint8Array, random: Random) => Uint8Array;

const put = (bytes: Uint8Array, at: number, removed: number, added: Uint8Array): Uint8Array => {
  const end = Math.min(at + removed, bytes.length);
  const result = new Uint8Array(at + added.length + bytes.length - end);
  result.set(bytes.subarray(0, at));
  result.set(added, at);
  result.set(bytes.subarray(end), at + added.length);
  return result;
};

function setNumber(bytes: Uint8Array, random: Random): Uint8Array {
  const width = random.pick([1, 2, 4, 8]);
  const at = random.int(0, Math.max(0, bytes.length - width));
  const near = random.chance(0.3) ? BigInt(bytes.length + random.int(-20, 20)) : undefined;
  const value = near ?? random.pick(NUMBERS);
  const result = bytes.slice();
  for (let i = 0; i < width && at + i < result.length; i++) {
    result[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
  }
  return result;
}

/** Replaces, removes or repeats a number or text of JSON, wherever there is some in the file. */
function changeJson(bytes: Uint8Array, random: Random): Uint8Array {
  const text = Buffer.from(bytes).toString('latin1');
  const tokens = [...text.matchAll(/"(?:[^"\\]|\\.){0,60}"|-?\d+(?:\.\d+)?|true|false|null/g)];
  if (tokens.length === 0) return setNumber(bytes, random);
  const { index, 0: token } = random.pick(tokens);
  const word = random.chance(0.3) ? random.pick(tokens)[0] : random.pick(WORDS);
  // Of the same length where the file says elsewhere how long the JSON is.
  const fitted = random.chance(0.5) ? word.padEnd(token.length) : word;
  return put(bytes, index, token.length, Buffer.from(fitted, 'latin1'));
}

const CHANGES: readonly (readonly [number, Change])[] = [
  [
    4,
    (bytes, random) =>
      put(bytes, random.int(0, bytes.length), 1, Uint8Array.of(random.int(0, 255))),
  ],
  [4, setNumber],
  [4, changeJson],
  [1, (bytes, random) => bytes.slice(0, random.int(0, bytes.length))],
  [
    1,
    (bytes, random) => put(bytes, random.int(0, bytes.length), random.int(1, 40), new Uint8Array()),
  ],
  [
    1,
    (bytes, random) => {
      const from = random.int(0, bytes.length);
      const part = bytes.slice(from, from + random.int(1, 60));
      return put(bytes, random.int(0, bytes.length), random.chance(0.5) ? part.length : 0, part);
    },
  ],
  [
    1,
    (bytes, random) => {
      const bit = bytes.slice();
      if (bit.length > 0) bit[random.int(0, bit.length - 1)]! ^= 1 << random.int(0, 7);
      return bit;
    },
  ],
];
const WEIGHTED: readonly Change[] = CHANGES.flatMap(([weight, change]) =>
  Array.from({ length: weight }, () => change),
);

/** A seed with one to five things changed in one of its files. */
export function mutate({ files }: Seed, random: Random): Map<string, Uint8Array> {
  const result = new Map(files);
  const name = random.pick([...files.keys()]);
  let bytes = result.get(name)!;
  const count = random.pick([1, 1, 1, 2, 3, 5]);
  for (let i = 0; i < count; i++) bytes = random.pick(WEIGHTED)(bytes, random);
  result.set(name, bytes);
  return result;
}
