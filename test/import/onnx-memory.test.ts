// What a model costs in memory: its file, and no second copy of the weights.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { download } from '../../src/import/fetch-file.ts';
import { importModel, readSource } from '../../src/import/index.ts';
import { importOnnx } from '../../src/import/onnx/index.ts';
import { type Tensor, tensor } from '../../src/tensor.ts';
import { randomOf } from '../support/random.ts';
import { SEED } from '../support/settings.ts';
import { writeOnnx } from '../support/onnx-writer.ts';

const NAMES = ['a', 'bb', 'ccc', 'dddd', 'eeeee', 'ffffff', 'ggggggg', 'hhhhhhhh'];

/** A file with weights at every distance from alignment, some of which are too small to matter. */
function makeFile(): { file: Uint8Array; weights: Record<string, Tensor> } {
  const random = randomOf(SEED);
  const weights: Record<string, Tensor> = Object.fromEntries(
    NAMES.map((name, i) => [
      name,
      tensor(random.floats(i < 6 ? 2000 + i : 9), [i < 6 ? 2000 + i : 9]),
    ]),
  );
  weights['int'] = tensor(
    BigInt64Array.from({ length: 1000 }, (_, i) => BigInt(i) - 500n),
    [1000],
  );
  const file = writeOnnx({
    inputs: [],
    outputs: Object.entries(weights).map(([name, { type, dims }]) => ({
      name: `${name}y`,
      type,
      dims,
    })),
    initializers: weights,
    nodes: Object.keys(weights).map((name) => ({
      op: 'Identity',
      inputs: [name],
      outputs: [`${name}y`],
    })),
  });
  return { file, weights };
}

/** The same bytes, so many bytes into a buffer. */
function shifted(file: Uint8Array, by: number): Uint8Array {
  const bytes = new Uint8Array(file.length + by);
  bytes.set(file, by);
  return bytes.subarray(by);
}

describe('weights of an ONNX file', () => {
  it.each([0, 1, 2, 3, 4, 5, 6, 7])('stay in the file when it is ours, %i bytes in', (by) => {
    const { file, weights } = makeFile();
    const bytes = shifted(file, by);
    const { constants } = importOnnx(bytes, { owned: true });
    for (const [name, { data }] of Object.entries(weights)) {
      const found = constants.get(name)!.data;
      expect(found, name).toEqual(data);
      if (found instanceof Float32Array && found.length > 1024) {
        expect(found.buffer === bytes.buffer, `${name} is in the file`).toBe(true);
      }
    }
  });

  it.each([0, 1, 2, 3])('leave the bytes of the caller alone, %i bytes in', (by) => {
    const { file, weights } = makeFile();
    const bytes = shifted(file, by);
    const { constants } = importOnnx(bytes);
    for (const [name, { data }] of Object.entries(weights)) {
      expect(constants.get(name)!.data, name).toEqual(data);
    }
    expect(bytes).toEqual(file);
  });

  it('are ours in what was fetched or read, and in nothing else', async () => {
    const { file, weights } = makeFile();
    const inFile = async (files: ReadonlyMap<string, Uint8Array>): Promise<boolean> => {
      const { constants } = await importModel(files);
      for (const [name, { data }] of Object.entries(weights)) {
        expect(constants.get(name)!.data).toEqual(data);
      }
      const [bytes] = [...files.values()];
      return NAMES.slice(0, 6).every((name) => constants.get(name)!.data.buffer === bytes!.buffer);
    };
    const url = `data:application/octet-stream;base64,${Buffer.from(file).toString('base64')}`;
    expect(await inFile((await readSource(url, {})).files)).toBe(true);
    expect(await inFile((await readSource(new Blob([file.slice()]), {})).files)).toBe(true);
    const given = file.slice();
    expect(await inFile((await readSource(given, {})).files)).toBe(false);
    expect(given).toEqual(file);
  });

  it.each([true, false])(
    'arrive whole and take no more room, with a length: %s',
    async (hasLength) => {
      const file = Uint8Array.from({ length: 300_001 }, (_, i) => i);
      const server = createServer((_, response) => {
        if (hasLength) response.setHeader('content-length', file.length);
        response.write(file.subarray(0, 100_000));
        response.end(file.subarray(100_000));
      });
      await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
      const { port } = server.address() as AddressInfo;
      const bytes = await download(`http://127.0.0.1:${port}/a.bin`, {
        signal: undefined,
        onProgress: undefined,
        file: 'a.bin',
        maxBytes: 2 ** 31,
      });
      server.close();
      expect(bytes).toEqual(file);
      expect(bytes.buffer.byteLength).toBe(file.length);
    },
  );
});
