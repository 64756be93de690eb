// The decoder of audio threads against the TextDecoder of this process.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeUtf8, decodeUtf8Plainly } from '../../src/import/utf8.ts';
import { expectForAll } from '../support/property.ts';
import { casesOf } from '../support/settings.ts';

const text = fc
  .string({ unit: 'binary', maxLength: 20 })
  .map((value) => new TextEncoder().encode(value));
// Bytes at which the rules of UTF-8 change.
const edges = [
  0, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xbb,
];
const odd = fc
  .array(fc.constantFrom(...edges, 0xf0, 0xf4, 0xf5, 0xff), { maxLength: 12 })
  .map((bytes) => Uint8Array.from(bytes));

const outcome = (decode: () => string): string => {
  try {
    return decode();
  } catch (error) {
    return (error as Error).name;
  }
};

test.each([true, false])('equals TextDecoder, where faults are fatal: %s', (fatal) =>
  expectForAll(fc.oneof(text, odd), casesOf(2000, 50_000), (bytes) => {
    const decoder = new TextDecoder('utf-8', { fatal, ignoreBOM: fatal });
    const want = outcome(() => decoder.decode(bytes));
    expect(outcome(() => decodeUtf8Plainly(bytes, fatal))).toBe(want);
    expect(outcome(() => decodeUtf8(bytes, fatal))).toBe(want);
  }),
);
