// A file is taken for what its bytes are, and a file that is no model is called what it is.
import { describe, expect, it } from 'vitest';
import { importModel, type ModelFormat } from '../../src/import/index.ts';
import { ONNX as FORMAT } from '../../src/import/onnx/format.ts';
import { tensor } from '../../src/tensor.ts';
import { writeOnnx } from '../support/onnx-writer.ts';
import { initializer, int, message, model, output, text } from '../support/proto.ts';

const ONNX = writeOnnx({
  name: 'tiny',
  nodes: [{ op: 'Relu', inputs: ['x'], outputs: ['y'] }],
  inputs: [{ name: 'x', type: 'float32', dims: [1] }],
  outputs: [{ name: 'y', type: 'float32' }],
});
const ascii = (content: string): Uint8Array => new TextEncoder().encode(content);
const files = (name: string, bytes: Uint8Array, ...more: (readonly [string, Uint8Array])[]) =>
  new Map([[name, bytes], ...more]);

describe('models', () => {
  it.each(['model.onnx', 'model', 'download.bin?v=1'])("ONNX under the name '%s'", async (name) => {
    expect((await importModel(files(name, ONNX))).name).toBe('tiny');
  });

  it('ONNX with weights next to it, whatever those look like', async () => {
    const external = model(
      initializer(
        'y',
        int(1, 1),
        int(2, 1),
        int(14, 1),
        message(13, text(1, 'location'), text(2, 'a.data')),
      ),
      output('y'),
    );
    const weights = Uint8Array.of(0x08, 0x07, 0x12, 0x00);
    expect(await FORMAT.companions(external, {})).toEqual(['a.data']);
    const graph = await importModel(files('a.data', weights, ['model.onnx', external]));
    expect(graph.constants.get('y')).toEqual(
      tensor(new Float32Array(Uint8Array.from(weights).buffer)),
    );
  });

  it('a model that is damaged past its first bytes is refused by its importer', async () => {
    await expect(importModel(files('m', ONNX.slice(0, 40)))).rejects.toMatchObject({
      code: 'INVALID_MODEL',
      path: expect.stringContaining('model'),
    });
    // Too short to tell, but the name or the caller does.
    for (const [name, format] of [
      ['m.onnx', undefined],
      ['m', 'onnx' as const],
    ] as const) {
      await expect(importModel(files(name, ONNX.slice(0, 2)), { format })).rejects.toThrow(
        /model\.graph/,
      );
    }
  });
});

describe('files that are no models', () => {
  const zip = (entry: string): Uint8Array => ascii(`PK\x03\x04 … ${entry} … PK\x05\x06`);
  const binary = (...values: number[]): Uint8Array => Uint8Array.from(values);

  it.each<[string, Uint8Array, RegExp]>([
    ['model.onnx', binary(), /an empty file/],
    ['model.onnx', ascii('<!DOCTYPE html><title>404</title>'), /an HTML page: is the address/],
    ['model.onnx', ascii('\ufeff\n <html><body>404'), /an HTML page/],
    ['model.onnx', ascii('version https://git-lfs.github.com/spec/v1\noid sha256:0'), /Git LFS/],
    ['model.json', ascii('{"error": "no such file", "code": 404}'), /keys error, code/],
    ['model.json', ascii('{"modelTopology": '), /damaged JSON/],
    ['model.json', ascii('[1, 2]'), /JSON that is no model/],
    ['model.json', ascii('{}'), /keys none/],
    ['model.onnx.gz', binary(0x1f, 0x8b, 8, 0), /a gzip file/],
    ['model.pth', binary(0x80, 0x02, 0x8a), /a Python pickle that torch.save did not write/],
    ['model.zip', zip('readme.txt'), /a zip file without a model/],
    ['model.tflite', ascii('\x1c\0\0\0TFL3'), /a TensorFlow Lite model/],
    ['model.bin', binary(1, 2, 3, 0xab), /begin with 01 02 03 ab/],
  ])('%s: %o', async (name, bytes, says) => {
    await expect(importModel(files(name, bytes))).rejects.toMatchObject({
      code: 'INVALID_MODEL',
      path: name,
      message: expect.stringMatching(says),
    });
  });

  it('each of several is called what it is', async () => {
    const several = files('a.html', ascii('<html>'), ['b.bin', binary(1)]);
    await expect(importModel(several)).rejects.toThrow(
      /no model among a\.html \(an HTML page.*\), b\.bin, expected an ONNX file/,
    );
  });

  it('an architecture for a format that says its layers', async () => {
    const architecture = { batchFirst: true };
    await expect(importModel(files('m.onnx', ONNX), { architecture })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      path: 'options.architecture',
      message: expect.stringContaining('m.onnx, whose format, onnx, says its own layers'),
    });
  });

  it('no files, an unknown format, a file of another format, too many bytes', async () => {
    await expect(importModel(new Map())).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(
      importModel(files('m', ONNX), { format: 'pickle' as ModelFormat }),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', path: 'options.format' });
    await expect(importModel(files('m', ONNX), { format: 'tfjs' })).rejects.toMatchObject({
      code: 'INVALID_MODEL',
      message: expect.stringContaining('onnx where tfjs was requested'),
    });
    await expect(
      importModel(files('m', ONNX), { limits: { maxBytes: ONNX.length - 1 } }),
    ).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', path: 'm' });
  });
});
