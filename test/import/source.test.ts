// Where models come from: a network that fails, servers that send too much, hashes, and sources that
// are none.
import { createHash } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { importSource } from '../../src/import/index.ts';
import { readSource, type ModelSource } from '../../src/import/source.ts';
import { loadModel, tensor } from '../../src/node.ts';
import { writeOnnx } from '../support/onnx-writer.ts';
import { initializer, int, message, model, output, text } from '../support/proto.ts';

const ONNX = writeOnnx({
  nodes: [{ op: 'Add', inputs: ['x', 'w'], outputs: ['y'] }],
  inputs: [{ name: 'x', type: 'float32', dims: [4] }],
  outputs: [{ name: 'y', type: 'float32' }],
  initializers: { w: tensor([1, 2, 3, 4]) },
});
const WEIGHTS = Uint8Array.of(0, 0, 128, 63);

/** A model whose one weight is in another file. */
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

const tfjs = (...paths: string[]): Uint8Array =>
  new TextEncoder().encode(
    JSON.stringify({ modelTopology: {}, weightsManifest: [{ paths, weights: [] }] }),
  );

const requested: string[] = [];
/** What `/tfjs/model.json` is. */
let manifest = tfjs();
const ROUTES: Readonly<Record<string, (response: ServerResponse) => void>> = {
  '/m.onnx': (response) => response.end(ONNX),
  '/ext/m.onnx': (response) => response.end(external('w.data')),
  '/ext/w.data': (response) => response.end(WEIGHTS),
  '/part/m.onnx': (response) => response.end(external('w.data')),
  '/out/m.onnx': (response) => response.end(external('../m.onnx')),
  '/tfjs/model.json': (response) => response.end(manifest),
  '/cut.onnx': (response) => {
    response.setHeader('content-length', 1000);
    response.write(ONNX.subarray(0, 20));
    setTimeout(() => response.destroy(), 20);
  },
  '/long.onnx': (response) => {
    response.setHeader('content-length', 5000);
    response.end(new Uint8Array(5000));
  },
  '/endless.onnx': (response) => {
    const more = (): void => {
      while (response.write(new Uint8Array(1 << 14)));
    };
    response.on('drain', more);
    more();
  },
  '/waiting.onnx': (response) => void response.write(ONNX.subarray(0, 20)),
};

const server = createServer((request, response) => {
  requested.push(request.url!);
  const { pathname } = new URL(request.url!, 'http://localhost');
  const route = ROUTES[pathname];
  if (route) route(response);
  else response.writeHead(404, 'No such model').end('no');
});
let at = '';
beforeAll(async () => {
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const failure = async (source: unknown, options = {}): Promise<unknown> =>
  importSource(source as Exclude<ModelSource, { nodes: unknown }>, options).then(
    () => 'no error',
    (error: unknown) => error,
  );

describe('what cannot be fetched', () => {
  it('an answer other than 2xx says its status and the URL', async () => {
    const error = await failure(`${at}/none.onnx?key=1`);
    expect(error).toMatchObject({ code: 'FETCH_FAILED', path: 'source' });
    expect((error as Error).message).toContain(`${at}/none.onnx?key=1 answered 404 No such model`);
  });

  it('a weight file that is not there says which; it is requested for with the query of the model', async () => {
    expect(await failure(`${at}/part/m.onnx?key=1`)).toMatchObject({
      code: 'FETCH_FAILED',
      message: expect.stringContaining(`${at}/part/w.data?key=1 answered 404`),
    });
  });

  it('a connection that is cut, a server that is not there', async () => {
    expect(await failure(`${at}/cut.onnx`)).toMatchObject({
      code: 'FETCH_FAILED',
      message: expect.stringContaining(`${at}/cut.onnx`),
    });
    expect(await failure('http://127.0.0.1:1/m.onnx')).toMatchObject({
      code: 'FETCH_FAILED',
      message: expect.stringContaining('http://127.0.0.1:1/m.onnx could not be fetched'),
    });
  });

  it('an aborted body rejects with the reason of the signal', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const onProgress = ({ loaded }: { loaded: number }): void => {
      if (loaded > 0) controller.abort(reason);
    };
    const signal = controller.signal;
    expect(await failure(`${at}/waiting.onnx`, { signal, onProgress })).toBe(reason);
  });

  it('a file that is not there', async () => {
    expect(await failure('/no/such/folder/m.onnx')).toMatchObject({
      code: 'FETCH_FAILED',
      message: expect.stringMatching(/\/no\/such\/folder\/m\.onnx could not be read.*ENOENT/),
    });
  });
});

describe('sizes', () => {
  it('more bytes than allowed are refused before and while they arrive', async () => {
    const limits = { maxBytes: 4000 };
    const seen: number[] = [];
    const onProgress = ({ loaded }: { loaded: number }): number => seen.push(loaded);
    expect(await failure(`${at}/long.onnx`, { limits, onProgress })).toMatchObject({
      code: 'LIMIT_EXCEEDED',
      message: expect.stringMatching(/long\.onnx is too large, got 5000 bytes, at most 4000/),
    });
    expect(seen).toEqual([]);
    expect(await failure(`${at}/endless.onnx`, { limits })).toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
  });

  it('all files of a model count together', async () => {
    const size = external('w.data').length;
    const limits = { maxBytes: size + WEIGHTS.length - 1 };
    expect(await failure(`${at}/ext/m.onnx`, { limits })).toMatchObject({
      code: 'LIMIT_EXCEEDED',
      message: expect.stringContaining('w.data'),
    });
    expect(await failure(`${at}/ext/m.onnx`, { limits: { maxBytes: size + 4 } })).toBe('no error');
  });
});

describe('files that a model names', () => {
  it('nothing outside of its folder is requested for', async () => {
    requested.length = 0;
    expect(await failure(`${at}/out/m.onnx`)).toMatchObject({ code: 'INVALID_MODEL' });
    expect(requested).toEqual(['/out/m.onnx']);
    const names = ['../m.onnx', '%2e%2e/m.onnx', '/m.onnx', `${at}/m.onnx`, '..\\m.onnx', '//b/c'];
    for (const name of names) {
      manifest = tfjs(name);
      requested.length = 0;
      const error = await failure(`${at}/tfjs/model.json`);
      expect(error, name).toMatchObject({
        code: 'INVALID_MODEL',
        path: 'weightsManifest[0].paths[0]',
      });
      expect((error as Error).message).toContain(JSON.stringify(name));
      expect(requested).toEqual(['/tfjs/model.json']);
      const given = { 'model.json': tfjs(name), 'm.onnx': ONNX };
      expect(await failure(given), name).toMatchObject({ code: 'INVALID_MODEL' });
    }
  });

  it('an address without a folder has no other files', async () => {
    const url = `data:application/octet-stream;base64,${Buffer.from(external('w.data')).toString('base64')}`;
    expect(await failure(url)).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/has no folder to find 'w\.data' in/),
    });
  });
});

describe('integrity', () => {
  const hash = (bytes: Uint8Array, bits = 256): string =>
    `sha${bits}-${createHash(`sha${bits}`).update(bytes).digest('base64')}`;

  it('right hashes change nothing', async () => {
    for (const bits of [256, 384, 512]) {
      expect(await failure(`${at}/m.onnx`, { integrity: hash(ONNX, bits) })).toBe('no error');
    }
    expect(await failure(ONNX, { integrity: hash(ONNX) })).toBe('no error');
    const integrity = { 'm.onnx': hash(external('w.data')), 'w.data': hash(WEIGHTS) };
    expect(await failure(`${at}/ext/m.onnx`, { integrity })).toBe('no error');
    const given = { 'm.onnx': external('w.data'), 'w.data': WEIGHTS };
    expect(await failure(given, { integrity })).toBe('no error');
  });

  it('a wrong hash is refused before anything is parsed or requested for', async () => {
    const wrong = hash(WEIGHTS);
    const error = await failure(`${at}/m.onnx`, { integrity: wrong });
    expect(error).toMatchObject({ code: 'INVALID_MODEL', path: 'm.onnx' });
    expect((error as Error).message).toContain(`got ${hash(ONNX)}, expected ${wrong}`);
    // No JSON, no ONNX, nothing: and still the hash is what is said to be wrong.
    expect(await failure(Uint8Array.of(1, 2), { integrity: wrong })).toMatchObject({
      message: expect.stringContaining('integrity'),
    });
    requested.length = 0;
    const integrity = { 'm.onnx': wrong, 'w.data': hash(WEIGHTS) };
    await failure(`${at}/ext/m.onnx`, { integrity });
    expect(requested).toEqual(['/ext/m.onnx']);
    const second = { 'm.onnx': hash(external('w.data')), 'w.data': hash(ONNX) };
    expect(await failure(`${at}/ext/m.onnx`, { integrity: second })).toMatchObject({
      code: 'INVALID_MODEL',
      path: 'w.data',
    });
  });

  it('every file has a hash and every hash a file', async () => {
    requested.length = 0;
    const main = hash(external('w.data'));
    for (const integrity of [main, { 'm.onnx': main }]) {
      expect(await failure(`${at}/ext/m.onnx`, { integrity })).toMatchObject({
        code: 'INVALID_ARGUMENT',
        path: 'options.integrity',
      });
    }
    expect(requested).toEqual(['/ext/m.onnx', '/ext/m.onnx']);
    const integrity = { 'm.onnx': hash(ONNX), other: hash(ONNX) };
    expect(await failure(`${at}/m.onnx`, { integrity })).toMatchObject({
      code: 'INVALID_ARGUMENT',
      path: "options.integrity['other']",
    });
  });

  it.each(['md5-AAAA', 'AAAA', '', null, 5, { 'm.onnx': 'x' }])('%j is none', async (integrity) => {
    expect(await failure(ONNX, { integrity })).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('a graph made in code has no bytes', async () => {
    const graph = await importSource(ONNX, {});
    const options = { integrity: hash(ONNX), device: 'reference' as const };
    await expect(loadModel(graph, options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const loaded = await loadModel(ONNX, options);
    expect(loaded.backend).toBe('reference');
  });
});

describe('sources that are none', () => {
  it.each<[string, unknown, string]>([
    ['null', null, 'got null'],
    ['undefined', undefined, 'got undefined'],
    ['a number', 5, 'got 5'],
    ['true', true, 'got true'],
    ['an empty string', ' ', 'got " "'],
    ['a URL that is none', 'http://[', 'got "http://["'],
    ['a function', () => 5, 'got Function'],
    ['a list', [ONNX], 'got Array'],
    ['floats', new Float32Array(4), 'got Float32Array'],
    ['a response', new Response(), 'got Response'],
    ['a map', new Map(), 'got Map'],
    ['no files', {}, 'got no files'],
    ['a file that is a string', { 'm.onnx': 'x' }, 'source.m.onnx: got x'],
    ['a file that is null', { 'm.onnx': null }, 'source.m.onnx: got null'],
    ['half a graph', { nodes: [] }, 'got an object with nodes'],
  ])('%s', async (_, source, says) => {
    await expect(loadModel(source as ModelSource, { device: 'reference' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(says),
    });
  });

  it('an ArrayBuffer and a Blob are', async () => {
    const buffer = ONNX.slice().buffer;
    const [a, b] = await Promise.all([readSource(buffer, {}), readSource(new Blob([buffer]), {})]);
    expect(a.files).toEqual(b.files);
    expect(a.main).toEqual({ name: 'model', format: 'onnx' });
  });

  it.each([
    ['maxSize', { maxSize: 5 }],
    ['maxBytes', { maxBytes: '5' }],
  ])('limits.%s', async (name, limits) => {
    expect(await failure(ONNX, { limits })).toMatchObject({
      code: 'INVALID_ARGUMENT',
      path: `limits.${name}`,
    });
  });

  it.each([null, 5, 'many'])('limits %j', async (limits) => {
    expect(await failure(ONNX, { limits })).toMatchObject({
      code: 'INVALID_ARGUMENT',
      path: 'limits',
    });
  });
});
