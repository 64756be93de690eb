// The numbers in an ONNX file are the numbers in the graph, wherever they are kept.
import { describe, expect, it } from 'vitest';
import type { Graph } from '../../src/graph.ts';
import { externalFiles, importOnnx } from '../../src/import/onnx/index.ts';
import { DATA_TYPES, tensor, type DataType, type Tensor } from '../../src/tensor.ts';
import { writeOnnx, type OnnxAttribute } from '../support/onnx-writer.ts';
import { bytes, initializer, int, message, model, output, text } from '../support/proto.ts';

/** A model that gives one constant, made by an initializer or a node. */
function constantOf(graph: Graph, name = 'y'): Tensor {
  return graph.constants.get(name)!;
}

const SAMPLES: Readonly<Record<DataType, Tensor>> = {
  float32: tensor([1.5, -2, 3e-40, Infinity], [2, 2]),
  float64: tensor(Float64Array.of(Math.PI, -1e300), [2], 'float64'),
  float16: tensor(Float32Array.of(0.5, -2, 2 ** -24, 65504), [4], 'float16'),
  int8: tensor(Int8Array.of(-128, 127), [2], 'int8'),
  uint8: tensor(Uint8Array.of(0, 255), [2], 'uint8'),
  int16: tensor(Int16Array.of(-32768, 32767), [2], 'int16'),
  uint16: tensor(Uint16Array.of(0, 65535), [2], 'uint16'),
  int32: tensor(Int32Array.of(-(2 ** 31), 2 ** 31 - 1), [2], 'int32'),
  uint32: tensor(Uint32Array.of(0, 2 ** 32 - 1), [2], 'uint32'),
  int64: tensor(BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n), [2], 'int64'),
  uint64: tensor(BigUint64Array.of(0n, 2n ** 64n - 1n), [2], 'uint64'),
  bool: tensor(Uint8Array.of(1, 0, 1), [3], 'bool'),
};

describe('tensors', () => {
  describe.each(DATA_TYPES)('%s', (type) => {
    it.each([true, false])('raw bytes: %s', (rawData) => {
      const sample = SAMPLES[type];
      const file = writeOnnx(
        { nodes: [], outputs: [{ name: 'y', type }], initializers: { y: sample } },
        { rawData },
      );
      const graph = importOnnx(file);
      const widened = type === 'float16' ? 'float32' : type;
      expect(constantOf(graph)).toEqual({ ...sample, type: widened });
      expect(graph.outputs[0]!.type).toBe(widened);
    });
  });

  it('bfloat16 is widened', () => {
    const halves = Uint16Array.of(0x3f80, 0xc040, 0x7f80);
    for (const data of [bytes(9, new Uint8Array(halves.buffer)), bytes(5, encodeVarints(halves))]) {
      const file = model(initializer('y', int(1, 3), int(2, 16), data), output('y', 16));
      expect(constantOf(importOnnx(file))).toEqual(tensor([1, -3, Infinity]));
    }
  });

  const encodeVarints = (values: Iterable<number>): Uint8Array =>
    Uint8Array.from(
      [...values].flatMap((v) => [(v & 0x7f) | 0x80, ((v >> 7) & 0x7f) | 0x80, v >> 14]),
    );

  it('numbers of a list may come packed, one by one, or in parts', () => {
    const packed = bytes(4, new Uint8Array(Float32Array.of(1, 2).buffer));
    const single =
      (value: number) => (writer: { tag(f: number, w: number): { float(v: number): unknown } }) =>
        void writer.tag(4, 5).float(value);
    const file = model(
      initializer('y', int(1, 4), int(2, 1), packed, single(3), single(4)),
      output('y'),
    );
    expect(constantOf(importOnnx(file))).toEqual(tensor([1, 2, 3, 4]));
  });

  it('any byte but zero is true', () => {
    const file = model(
      initializer('y', int(1, 3), int(2, 9), bytes(9, Uint8Array.of(0, 1, 7))),
      output('y', 9),
    );
    expect(constantOf(importOnnx(file)).data).toEqual(Uint8Array.of(0, 1, 1));
  });

  it('aligned weights stay where they are in the file, others are copied', () => {
    const file = writeOnnx({
      nodes: [],
      outputs: [{ name: 'y', type: 'float32' }],
      initializers: { y: tensor(new Float32Array(64).fill(3)) },
    });
    const shared = [0, 1, 2, 3].map((shift) => {
      const bytesAt = new Uint8Array(file.length + shift).subarray(shift);
      bytesAt.set(file);
      const { data } = constantOf(importOnnx(bytesAt));
      expect(data).toEqual(new Float32Array(64).fill(3));
      return data.buffer === bytesAt.buffer;
    });
    expect(shared.filter(Boolean)).toHaveLength(1);
  });

  it("reads Node's Buffer at any offset", () => {
    const file = writeOnnx({
      nodes: [],
      outputs: [{ name: 'y', type: 'int64' }],
      initializers: { y: SAMPLES.int64 },
    });
    for (const shift of [0, 1, 5]) {
      const buffer = Buffer.concat([Buffer.alloc(shift), file]).subarray(shift);
      expect(constantOf(importOnnx(buffer))).toEqual(SAMPLES.int64);
    }
  });
});

describe('weights in other files', () => {
  const external = (entries: Readonly<Record<string, string>>) =>
    model(
      initializer(
        'y',
        int(1, 2),
        int(2, 1),
        int(14, 1),
        ...Object.entries(entries).map(([key, value]) => message(13, text(1, key), text(2, value))),
      ),
      output('y'),
    );
  const weights = new Uint8Array(Float32Array.of(0, 5, 6, 0).buffer);
  const files = new Map([
    ['w.bin', weights],
    ['sub/w.bin', weights],
  ]);

  it.each([
    { location: 'w.bin', offset: '4', length: '8' },
    { location: 'w.bin', offset: '4' },
    { location: 'sub/w.bin', offset: '4', checksum: 'not looked at' },
  ])('are found: %o', (entries) => {
    const file = external(entries as unknown as Record<string, string>);
    expect(constantOf(importOnnx(file, { external: files }))).toEqual(tensor([5, 6]));
    expect(externalFiles(file)).toEqual([entries.location]);
  });

  it.each<[string, Readonly<Record<string, string>>]>([
    ['a parent folder', { location: '../w.bin' }],
    ['a parent folder within', { location: 'sub/../../w.bin' }],
    ['a parent folder, Windows', { location: '..\\w.bin' }],
    ['an absolute path', { location: '/etc/passwd' }],
    ['a drive', { location: 'C:/w.bin' }],
    ['an address', { location: 'https://example.org/w.bin' }],
    ['a NUL', { location: 'w.bin\0.txt' }],
    ['no name', { location: '' }],
    ['no location', { offset: '4' }],
    ['this folder', { location: './w.bin' }],
    ['a file that is not there', { location: 'v.bin' }],
    ['an end past the file', { location: 'w.bin', offset: '12' }],
    ['a huge offset', { location: 'w.bin', offset: '999999999999999' }],
    ['an offset beyond 2^53', { location: 'w.bin', offset: '99999999999999999999' }],
    ['a negative offset', { location: 'w.bin', offset: '-4' }],
    ['another length', { location: 'w.bin', length: '4' }],
    ['a length of hexadecimals', { location: 'w.bin', length: '0x8' }],
  ])('are refused: %s', (_, entries) => {
    expect(() => importOnnx(external(entries), { external: files })).toThrow(
      expect.objectContaining({
        code: 'INVALID_MODEL',
        path: 'graph.initializers[0].external_data',
      }),
    );
  });
});

describe('constants made by nodes', () => {
  const inModel = (attributes: Readonly<Record<string, OnnxAttribute>>): Tensor =>
    constantOf(
      importOnnx(
        writeOnnx({
          nodes: [{ op: 'Constant', inputs: [], outputs: ['y'], attributes }],
          outputs: [{ name: 'y', type: 'float32' }],
        }),
      ),
    );

  it.each<[string, OnnxAttribute, Tensor]>([
    ['value', SAMPLES.int8, SAMPLES.int8],
    ['value_float', { float: 2.5 }, tensor([2.5], [])],
    ['value_floats', { floats: [1, 2.5] }, tensor([1, 2.5])],
    ['value_int', 2n ** 62n, tensor(BigInt64Array.of(2n ** 62n), [])],
    ['value_ints', [1n, -(2n ** 62n)] as bigint[], tensor(BigInt64Array.of(1n, -(2n ** 62n)))],
  ])('%s', (name, value, expected) => {
    expect(inModel({ [name]: value })).toEqual(expected);
  });

  it.each<[string, Readonly<Record<string, OnnxAttribute>>]>([
    ['text', { value_string: 'a' }],
    ['a list of text', { value_strings: ['a'] }],
    ['nothing', {}],
    ['two values', { value_int: 1, value_float: 1 }],
    ['a tensor that is a number', { value: 1 }],
    ['a number that is a list', { value_float: [1, 2] }],
  ])('refuses %s', (_, attributes) => {
    expect(() => inModel(attributes)).toThrow(
      expect.objectContaining({
        code: 'INVALID_MODEL',
        path: expect.stringContaining('graph.nodes[0]'),
      }),
    );
  });
});
