// The table of formats: each file is taken for one of them by its bytes, which are looked at once.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { detectFormat } from '../../src/import/detect-format.ts';
import { FORMATS, FORMAT_NAMES } from '../../src/import/formats.ts';
import { importSource } from '../../src/import/index.ts';
import { USAGE } from '../../src/cli/usage.ts';
import { inspect, loadModel } from '../../src/node.ts';
import { writeOnnx } from '../support/onnx-writer.ts';
import { good, legacy, NAMED } from './keras-broken-files.ts';
import { checkpoint } from './checkpoint-files.ts';
import { writeH5 } from './keras-writer.ts';

const onnx = writeOnnx({
  nodes: [{ op: 'Relu', inputs: ['x'], outputs: ['y'] }],
  inputs: [{ name: 'x', type: 'float32', dims: [1] }],
  outputs: [{ name: 'y', type: 'float32' }],
});
const text = (content: string): Uint8Array => new TextEncoder().encode(content);

function safetensors(header: object, size = 0): Uint8Array {
  const json = text(JSON.stringify(header));
  const file = new Uint8Array(8 + json.length + size);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  return file;
}

const SAMPLES: readonly (readonly [string, () => Promise<Uint8Array> | Uint8Array])[] = [
  ['onnx', () => onnx],
  ['keras', () => good()],
  ['keras', () => writeH5(legacy(NAMED))],
  ['tfjs', () => text('\ufeff {"modelTopology": {}, "weightsManifest": []}')],
  ['safetensors', () => safetensors({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } }, 4)],
  ['pytorch', () => checkpoint('net.pt')],
  ['pytorch', () => checkpoint('net-legacy.pth')],
];

afterEach(() => vi.restoreAllMocks());

describe('formats', () => {
  it('have different names, all in the usage text', () => {
    expect(new Set(FORMAT_NAMES).size).toBe(FORMATS.length);
    expect(USAGE).toContain(`--format ${FORMAT_NAMES.join('|')}`);
  });

  it.each(SAMPLES)('%s is told by its bytes, and by one format only', async (name, bytes) => {
    const file = await bytes();
    expect(detectFormat('file.bin', file)).toEqual({ kind: 'format', format: name });
    const taken = FORMATS.filter(({ detect }) => detect(file) !== 'no');
    expect(taken.map((format) => format.name)).toEqual([name]);
  });

  it('a header of 640 bytes begins as a pickle does, and is that of safetensors', () => {
    const pad = { __metadata__: { pad: ''.padEnd(640 - 27) } };
    const file = safetensors(pad);
    expect([...file.subarray(0, 2)]).toEqual([0x80, 0x02]);
    expect(detectFormat('x', file)).toEqual({ kind: 'format', format: 'safetensors' });
  });

  it.each([
    ['x.onnx', 'onnx'],
    ['x.h5', 'keras'],
    ['x.safetensors', 'safetensors'],
    ['a/model.json', 'tfjs'],
    ['x.pth', 'pytorch'],
  ])('where the bytes do not tell, the name %s does', (name, format) => {
    expect(detectFormat(name, Uint8Array.of(1, 2, 3))).toEqual({ kind: 'format', format });
    expect(detectFormat('x', Uint8Array.of(1, 2, 3))).toEqual({ kind: 'unknown' });
  });

  it('a source is looked at once', async () => {
    const looks = vi.spyOn(FORMATS[0], 'detect');
    const url = `data:application/octet-stream;base64,${Buffer.from(onnx).toString('base64')}`;
    for (const source of [url, onnx, { 'm.onnx': onnx }]) {
      looks.mockClear();
      await importSource(source, {});
      expect(looks).toHaveBeenCalledTimes(1);
    }
  });

  it('insisting on a format reaches a load and an inspection', async () => {
    const format = 'tfjs';
    const wrong = {
      code: 'INVALID_MODEL',
      message: expect.stringMatching(/where tfjs was requested/),
    };
    await expect(loadModel(onnx, { format, device: 'reference' })).rejects.toMatchObject(wrong);
    await expect(inspect(onnx, { format })).rejects.toMatchObject(wrong);
  });
});
