// Files of a model in the file system: regular, in the folder of the model, and no larger than allowed.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { importSource } from '../../src/import/index.ts';
import { environment } from '../../src/environment.ts';
import { readLocalFile } from '../../src/node/read-file.ts';
import { initializer, int, message, model, output, text } from '../support/proto.ts';

const external = (location: string): Uint8Array =>
  model(
    initializer(
      'y',
      int(1, 1),
      int(2, 1),
      int(14, 1),
      message(13, text(1, 'location'), text(2, location)),
    ),
    output('y'),
  );
const WEIGHTS = Uint8Array.of(0, 0, 128, 63);

const { readFile } = environment;
environment.readFile = readLocalFile;
afterAll(() => {
  environment.readFile = readFile;
});

let root = '';
const at = (...parts: string[]): string => join(root, ...parts);
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'models-'));
  mkdirSync(at('m', 'data'), { recursive: true });
  mkdirSync(at('blobs'));
  mkdirSync(at('snapshot'));
  writeFileSync(at('secret'), WEIGHTS);
  writeFileSync(at('m', 'in.data'), WEIGHTS);
  writeFileSync(at('m', 'data', 'deep.data'), WEIGHTS);
  symlinkSync(at('secret'), at('m', 'link.data'));
  symlinkSync(at('m', 'in.data'), at('m', 'inner.data'));
  symlinkSync(root, at('m', 'up'));
  symlinkSync('/dev/zero', at('m', 'zero.data'));
  execFileSync('mkfifo', [at('m', 'pipe.data')]);
  // As the cache of Hugging Face lays out a model.
  writeFileSync(at('blobs', '1'), external('hub.data'));
  writeFileSync(at('blobs', '2'), WEIGHTS);
  symlinkSync('../blobs/1', at('snapshot', 'hub.onnx'));
  symlinkSync('../blobs/2', at('snapshot', 'hub.data'));
});
afterAll(() => rmSync(root, { recursive: true }));

const load = async (location: string, limits = {}): Promise<unknown> => {
  writeFileSync(at('m', 'm.onnx'), external(location));
  return importSource(at('m', 'm.onnx'), { limits }).then(
    ({ constants }) => constants.get('y')!.data,
    (error: unknown) => error,
  );
};

describe('files that a model names', () => {
  it.each(['in.data', 'data/deep.data', 'inner.data'])('%s is in its folder', async (name) => {
    expect(await load(name)).toEqual(Float32Array.of(1));
  });

  it.each(['link.data', 'up/secret', 'up/m/../secret', '../secret', '%2e%2e/secret'])(
    '%s is not',
    async (name) => {
      const error = await load(name);
      expect(error).toMatchObject({ code: 'INVALID_MODEL' });
      expect((error as Error).message).toContain(`'${name}'`);
    },
  );

  it.each(['pipe.data', 'data'])('%s is no regular file', async (name) => {
    expect(await load(name)).toMatchObject({
      code: 'INVALID_MODEL',
      message: expect.stringMatching(/a folder, a device or a pipe, expected a regular file/),
    });
  });

  it('a device is outside, or no regular file', async () => {
    expect(await load('zero.data')).toMatchObject({ code: 'INVALID_MODEL' });
  });

  it('a missing one is no fault of the model', async () => {
    expect(await load('gone.data')).toMatchObject({
      code: 'FETCH_FAILED',
      message: expect.stringContaining('gone.data'),
    });
  });

  it('lies where the links of the model lead', async () => {
    const { constants } = await importSource(at('snapshot', 'hub.onnx'), {});
    expect(constants.get('y')!.data).toEqual(Float32Array.of(1));
  });
});

describe('the model itself', () => {
  it('by path or file: URL, through a link', async () => {
    await load('in.data');
    const url = pathToFileURL(at('m', 'm.onnx'));
    for (const source of [url, url.href]) {
      const { constants } = await importSource(source, {});
      expect(constants.get('y')!.data).toEqual(Float32Array.of(1));
    }
  });

  it('a folder, a device and a pipe are refused at once', async () => {
    for (const path of [at('m'), '/dev/zero', at('m', 'pipe.data')]) {
      await expect(importSource(path, {})).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
  });

  it('the size is checked before it is read', async () => {
    const size = external('in.data').length;
    expect(await load('in.data', { maxBytes: size - 1 })).toMatchObject({
      code: 'LIMIT_EXCEEDED',
      message: expect.stringContaining(`got ${size} bytes, at most ${size - 1}`),
    });
    expect(await load('in.data', { maxBytes: size + 3 })).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(await load('in.data', { maxBytes: size + 4 })).toEqual(Float32Array.of(1));
  });

  it('an aborted signal ends it', async () => {
    await load('in.data');
    const reason = new Error('enough');
    const options = { signal: AbortSignal.abort(reason) };
    await expect(importSource(at('m', 'm.onnx'), options)).rejects.toBe(reason);
  });
});
