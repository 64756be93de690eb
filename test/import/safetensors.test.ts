// Sound files give exact numbers; broken and hostile ones give an error with its place, and nothing else.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readSafetensors, RnnError } from '../../src/index.ts';
import { SEED } from '../support/settings.ts';
import { rawSafetensors, writeSafetensors } from './safetensors-files.ts';

const entry = (begin: number, end: number, shape: readonly number[] = [(end - begin) / 4]) =>
  JSON.stringify({ dtype: 'F32', shape, data_offsets: [begin, end] });
const header = (entries: Readonly<Record<string, string>>): string =>
  `{${Object.entries(entries)
    .map(([name, text]) => `${JSON.stringify(name)}:${text}`)
    .join(',')}}`;
const bytes = (count: number): Uint8Array => new Uint8Array(count);

describe('sound files', () => {
  const numbers = (type: string, data: ArrayBufferView): Uint8Array => {
    expect(type).not.toBe('');
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  };
  const types = [
    ['F64', 'float64', Float64Array.of(0.1, -1e300), [0.1, -1e300]],
    ['F32', 'float32', Float32Array.of(1.5, -2), [1.5, -2]],
    ['F16', 'float16', Uint16Array.of(0x3c00, 0xc100), [1, -2.5]],
    ['BF16', 'float32', Uint16Array.of(0x3f80, 0xc040), [1, -3]],
    ['I64', 'int64', BigInt64Array.of(-1n, 2n ** 62n), [-1n, 2n ** 62n]],
    ['U64', 'uint64', BigUint64Array.of(0n, 2n ** 64n - 1n), [0n, 2n ** 64n - 1n]],
    ['I32', 'int32', Int32Array.of(-7, 7), [-7, 7]],
    ['U32', 'uint32', Uint32Array.of(7, 2 ** 32 - 1), [7, 2 ** 32 - 1]],
    ['I16', 'int16', Int16Array.of(-7, 7), [-7, 7]],
    ['U16', 'uint16', Uint16Array.of(7, 65535), [7, 65535]],
    ['I8', 'int8', Int8Array.of(-7, 7), [-7, 7]],
    ['U8', 'uint8', Uint8Array.of(7, 255), [7, 255]],
    ['BOOL', 'bool', Uint8Array.of(0, 1), [0, 1]],
  ] as const;

  test.each(types)('%s', (dtype, type, data, want) => {
    // The byte before it takes the alignment away.
    const first = { dims: [1], dtype: 'U8', bytes: Uint8Array.of(9) };
    const value = { dims: [2], dtype, bytes: numbers(type, data) };
    for (const file of [writeSafetensors({ a: value }), writeSafetensors({ first, a: value })]) {
      const read = readSafetensors(file).get('a')!;
      expect(read.type).toBe(type);
      expect(read.dims).toEqual([2]);
      expect([...(read.data as Iterable<number | bigint>)]).toEqual(want);
    }
  });

  test('numbers stay where they are when they are aligned', () => {
    const file = writeSafetensors({ a: { dims: [2, 1], data: [1, 2] } }, { format: 'pt' });
    const read = readSafetensors(file.buffer).get('a')!;
    expect(read.data.buffer).toBe(file.buffer);
    expect(read.dims).toEqual([2, 1]);
  });

  test('scalars, empty tensors, no tensors, and names that objects have', () => {
    const file = writeSafetensors({
      scalar: { dims: [], data: [3] },
      empty: { dims: [0, 4], data: [] },
      constructor: { dims: [1], data: [4] },
      ['__proto__']: { dims: [1], data: [5] },
    });
    const read = readSafetensors(file);
    expect([...read.keys()]).toEqual(['scalar', 'empty', 'constructor', '__proto__']);
    expect(read.get('__proto__')!.data).toEqual(Float32Array.of(5));
    expect(read.get('empty')!.data).toHaveLength(0);
    expect(readSafetensors(rawSafetensors('{}')).size).toBe(0);
  });
});

/** Name, code, path below `safetensors`, file. */
const BROKEN: readonly (readonly [string, string, string, Uint8Array])[] = [
  ['too short for a length', 'INVALID_MODEL', '', bytes(5)],
  [
    'the largest length',
    'INVALID_MODEL',
    '.header',
    rawSafetensors('{}', bytes(8), 2n ** 64n - 1n),
  ],
  ['a length beyond the file', 'INVALID_MODEL', '.header', rawSafetensors('{}', bytes(8), 11n)],
  [
    'a header over 4 MB',
    'LIMIT_EXCEEDED',
    '.header',
    rawSafetensors(`{}${' '.repeat(4 * 2 ** 20)}`),
  ],
  ['an empty header', 'INVALID_MODEL', '.header', rawSafetensors('', bytes(8))],
  ['a byte order mark', 'INVALID_MODEL', '.header', rawSafetensors('\uFEFF{}')],
  ['white space first', 'INVALID_MODEL', '.header', rawSafetensors(' {}')],
  [
    'bytes that are no UTF-8',
    'INVALID_MODEL',
    '.header',
    rawSafetensors(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)),
  ],
  ['damaged JSON', 'INVALID_MODEL', '.header', rawSafetensors('{"a":')],
  [
    'the same tensor twice',
    'INVALID_MODEL',
    '.header.a',
    rawSafetensors(`{"a":${entry(0, 4)},"\\u0061":${entry(4, 8)}}`, bytes(8)),
  ],
  [
    'the same field twice',
    'INVALID_MODEL',
    '.header.shape',
    rawSafetensors('{"a":{"dtype":"F32","shape":[1],"shape":[2],"data_offsets":[0,4]}}', bytes(4)),
  ],
  [
    'metadata that is no text',
    'INVALID_MODEL',
    '.header.__metadata__.n',
    rawSafetensors('{"__metadata__":{"n":1}}'),
  ],
  ['a tensor that is none', 'INVALID_MODEL', '.header.a', rawSafetensors('{"a":[1]}')],
  [
    'lists within lists',
    'INVALID_MODEL',
    '.header',
    rawSafetensors(`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`),
  ],
  [
    'an unknown field',
    'INVALID_MODEL',
    '.header.a.scale',
    rawSafetensors('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"scale":2}}', bytes(4)),
  ],
  [
    'an element type that is not read',
    'INVALID_MODEL',
    '.header.a.dtype',
    rawSafetensors('{"a":{"dtype":"F8_E5M2","shape":[4],"data_offsets":[0,4]}}', bytes(4)),
  ],
  [
    'a size that is negative',
    'INVALID_MODEL',
    '.header.a.shape',
    rawSafetensors(header({ a: entry(0, 4, [-1]) }), bytes(4)),
  ],
  [
    'a size that is no whole number',
    'INVALID_MODEL',
    '.header.a.shape',
    rawSafetensors(header({ a: entry(0, 4, [0.5]) }), bytes(4)),
  ],
  [
    'sizes whose product overflows 64 bits',
    'LIMIT_EXCEEDED',
    '.header.a.shape',
    rawSafetensors(header({ a: entry(0, 4, [4194305, 4194305, 211106198978564]) }), bytes(4)),
  ],
  [
    'sizes with a zero among giants',
    'LIMIT_EXCEEDED',
    '.header.a.shape',
    rawSafetensors(header({ a: entry(0, 0, [2 ** 40, 0]) })),
  ],
  [
    'too many axes',
    'LIMIT_EXCEEDED',
    '.header.a.shape',
    rawSafetensors(header({ a: entry(0, 4, Array(17).fill(1)) }), bytes(4)),
  ],
  [
    'offsets that are not a pair',
    'INVALID_MODEL',
    '.header.a.data_offsets',
    rawSafetensors('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}', bytes(4)),
  ],
  [
    'offsets that go backwards',
    'INVALID_MODEL',
    '.header.a.data_offsets',
    rawSafetensors(header({ a: entry(4, 0, [1]) }), bytes(4)),
  ],
  [
    'offsets beyond the data',
    'INVALID_MODEL',
    '.header.a.data_offsets',
    rawSafetensors(header({ a: entry(0, 8) }), bytes(4)),
  ],
  [
    'fewer bytes than the shape has',
    'INVALID_MODEL',
    '.header.a.data_offsets',
    rawSafetensors(header({ a: entry(0, 4, [2]) }), bytes(4)),
  ],
  [
    'tensors that overlap',
    'INVALID_MODEL',
    '.header.b.data_offsets',
    rawSafetensors(header({ a: entry(0, 8), b: entry(4, 12) }), bytes(12)),
  ],
  [
    'a hole',
    'INVALID_MODEL',
    '.header.b.data_offsets',
    rawSafetensors(header({ a: entry(0, 4), b: entry(8, 12) }), bytes(12)),
  ],
  [
    'an empty tensor inside another',
    'INVALID_MODEL',
    '.header.b.data_offsets',
    rawSafetensors(header({ a: entry(0, 8), b: entry(4, 4, [0]) }), bytes(8)),
  ],
  [
    'bytes that no tensor owns',
    'INVALID_MODEL',
    '.data',
    rawSafetensors(header({ a: entry(0, 4) }), bytes(5)),
  ],
  [
    'a truth value of 2',
    'INVALID_MODEL',
    '.header.a',
    writeSafetensors({ a: { dims: [1], dtype: 'BOOL', bytes: Uint8Array.of(2) } }),
  ],
  [
    'a name without end',
    'LIMIT_EXCEEDED',
    '.header',
    writeSafetensors({ ['a'.repeat(5000)]: { dims: [], data: [1] } }),
  ],
];

function faultOf(file: Uint8Array, limits = {}): RnnError {
  try {
    readSafetensors(file, { limits });
  } catch (error) {
    if (error instanceof RnnError) return error;
    throw error;
  }
  throw new Error('the file was read');
}

describe('broken files', () => {
  test.each(BROKEN)('%s', (_, code, path, file) => {
    const fault = faultOf(file);
    expect([fault.code, fault.path]).toEqual([code, `safetensors${path}`]);
  });

  test.each([
    ['maxBytes', 10, ''],
    ['maxTensors', 1, '.header.b'],
    ['maxElements', 1, '.header.a.shape'],
    ['maxConstantBytes', 8, '.header.b.shape'],
  ] as const)('limits.%s', (limit, value, path) => {
    const file = writeSafetensors({ a: { dims: [2], data: [1, 2] }, b: { dims: [1], data: [3] } });
    const fault = faultOf(file, { [limit]: value });
    expect([fault.code, fault.path]).toEqual(['LIMIT_EXCEEDED', `safetensors${path}`]);
  });

  test('any bytes are read or refused, and what is read owns every byte', () => {
    const sound = writeSafetensors({
      a: { dims: [2, 3], data: [1, 2, 3, 4, 5, 6] },
      b: { dims: [4], dtype: 'I16', bytes: bytes(8) },
    });
    const change = fc.record({ at: fc.nat(sound.length - 1), to: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(8), (changes, cut) => {
        const file = sound.slice(0, sound.length - cut);
        for (const { at, to } of changes) if (at < file.length) file[at] = to;
        let read;
        try {
          read = readSafetensors(file);
        } catch (error) {
          if (!(error instanceof RnnError)) throw error;
          expect(['INVALID_MODEL', 'LIMIT_EXCEEDED']).toContain(error.code);
          return;
        }
        for (const { dims, data } of read.values()) {
          expect(data).toHaveLength(dims.reduce((n, dim) => n * dim, 1));
        }
      }),
      { numRuns: 5000, seed: SEED },
    );
  });
});
