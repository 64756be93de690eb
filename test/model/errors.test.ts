// Bad input: the code and the path of every error, nothing hung, and the next call on a healthy model
// right.
import { afterAll, describe, expect, test } from 'vitest';
import {
  loadModel,
  RnnError,
  tensor,
  type Graph,
  type Model,
  type Tensor,
} from '../../src/index.ts';
import { runReference } from '../../src/reference.ts';
import { getAdapter } from '../setup/gpu.ts';
import { expectClose } from '../support/close.ts';
import { writeOnnx } from '../support/onnx-writer.ts';
import { randomOf } from '../support/random.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());

const [T, B, I, H] = [5, 2, 3, 4];
const random = randomOf(7);
const X = tensor(random.floats(T * B * I, 1), [T, B, I]);
const lengths = tensor(Int32Array.of(5, 3), [B]);

const weights = (hidden = H): Record<string, Tensor> => ({
  W: tensor(random.floats(4 * H * I, 0.5), [1, 4 * H, I]),
  R: tensor(random.floats(4 * H * hidden, 0.5), [1, 4 * H, hidden]),
});

interface Lies {
  readonly op?: string;
  readonly hidden?: number;
  readonly recurrentWidth?: number;
  readonly activations?: readonly string[];
}

/** The ONNX file of an LSTM, with something wrong in it. */
function file({ op = 'LSTM', hidden = H, recurrentWidth = H, activations }: Lies = {}): Uint8Array {
  return writeOnnx({
    inputs: [
      { name: 'X', type: 'float32', dims: ['T', B, I] },
      { name: 'lengths', type: 'int32', dims: [B] },
    ],
    outputs: [{ name: 'Y', type: 'float32', dims: ['T', 1, B, H] }],
    initializers: weights(recurrentWidth),
    nodes: [
      {
        op,
        name: 'layer',
        inputs: ['X', 'W', 'R', '', 'lengths'],
        outputs: ['Y'],
        attributes: { hidden_size: hidden, ...(activations && { activations }) },
      },
    ],
  });
}

const healthy = file();
const BACKENDS = [
  ['webgpu', device],
  ['wasm', 'wasm'],
  ['js', 'js'],
  ['reference', 'reference'],
] as const;

async function failure(
  work: () => Promise<unknown>,
): Promise<{ code: string; path: string; message: string }> {
  try {
    await work();
  } catch (error) {
    if (error instanceof RnnError) return error;
    throw error;
  }
  throw new Error('expected an error, got none');
}

/** The right answer, so that a model that has refused something is seen to work on. */
async function expectHealthy(model: Model, graph: Graph): Promise<void> {
  const { Y } = await model.run({ X, lengths });
  const want = runReference(graph, { X, lengths }).get('Y')!;
  expectClose(Y!.data as Float32Array, want.data, { atol: 1e-5 });
}

const { importOnnx } = await import('../../src/import/onnx/index.ts');
const graph = importOnnx(healthy);

describe('files', () => {
  const cases: readonly [string, Uint8Array, string, RegExp, RegExp][] = [
    ['truncated', healthy.slice(0, healthy.length - 40), 'INVALID_MODEL', /./, /./],
    ['empty', new Uint8Array(), 'INVALID_MODEL', /./, /./],
    [
      'a page that says 404',
      new TextEncoder().encode('<!DOCTYPE html><h1>404'),
      'INVALID_MODEL',
      /./,
      /HTML/i,
    ],
    ['hidden size that R denies', file({ hidden: 64 }), 'INVALID_MODEL', /nodes\[0\]/, /64/],
    ['R of another width', file({ recurrentWidth: H + 1 }), 'INVALID_MODEL', /nodes\[0\]/, /5/],
    [
      'operator that nobody has',
      file({ op: 'FancyRNN' }),
      'UNSUPPORTED_OPERATOR',
      /nodes\[0\]/,
      /FancyRNN.*'layer'.*LayerNormalization/s,
    ],
    [
      'activation that nobody has',
      file({ activations: ['Sigmoid', 'Wavelet', 'Tanh'] }),
      'INVALID_MODEL',
      /nodes\[0\]\.activations\[1\]/,
      /Wavelet/,
    ],
  ];
  test.each(cases)('%s', async (_, bytes, code, path, message) => {
    const error = await failure(async () => {
      const model = await loadModel(bytes, { device });
      await model.run({ X, lengths }); // what only shapes can show is found here, before any GPU work
    });
    expect(error.message).toMatch(message);
    expect(error.path).toMatch(path);
    expect(error.code).toBe(code);
  });

  test.each([
    ['a number', 5],
    ['null', null],
    ['an array', [1, 2]],
    ['no files', {}],
  ])('source that is %s', async (_, source) => {
    const error = await failure(() => loadModel(source as never, { device }));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.path).toMatch(/^source/);
  });

  test('device that is a word', async () => {
    const error = await failure(() => loadModel(healthy, { device: 'tpu' as never }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', path: 'options.device' });
  });
});

describe.each(BACKENDS)('calls on %s', (_, where) => {
  const feeds: readonly [string, Record<string, Tensor>, string, string][] = [
    ['missing feed', { X }, 'INVALID_ARGUMENT', 'feeds.lengths'],
    ['unknown feed', { X, lengths, Z: X }, 'INVALID_ARGUMENT', 'feeds.Z'],
    [
      'wrong type',
      { X: tensor(Int32Array.from(X.data as Float32Array), X.dims) as Tensor, lengths },
      'INVALID_ARGUMENT',
      'feeds.X',
    ],
    [
      'wrong rank',
      { X: tensor(X.data as Float32Array, [T * B, I]), lengths },
      'SHAPE_MISMATCH',
      'feeds.X',
    ],
    [
      'wrong size',
      { X: tensor(new Float32Array(T * 3 * I), [T, 3, I]), lengths },
      'SHAPE_MISMATCH',
      'feeds.X.dims[1]',
    ],
    [
      'length beyond T',
      { X, lengths: tensor(Int32Array.of(5, 6), [B]) },
      'SHAPE_MISMATCH',
      'feeds.lengths[1]',
    ],
    [
      'negative length',
      { X, lengths: tensor(Int32Array.of(-1, 2), [B]) },
      'SHAPE_MISMATCH',
      'feeds.lengths[0]',
    ],
    ['a plain object', { X: {} as Tensor, lengths }, 'INVALID_ARGUMENT', 'feeds.X'],
  ];
  test.each(feeds)('%s', async (_name, bad, code, path) => {
    const model = await loadModel(healthy, { device: where });
    const error = await failure(() => model.run(bad));
    expect(error).toMatchObject({ code, path });
    await expectHealthy(model, graph);
    model.dispose();
  });

  test('T = 0 is an empty sequence, not an error', async () => {
    const model = await loadModel(healthy, { device: where });
    const none = {
      X: tensor(new Float32Array(), [0, B, I]),
      lengths: tensor(Int32Array.of(0, 0), [B]),
    };
    const { Y } = await model.run(none);
    expect(Y!.dims).toEqual([0, 1, B, H]);
    expect(Y!.data).toHaveLength(0);
    await expectHealthy(model, graph);
    model.dispose();
  });

  test('output that does not exist', async () => {
    const model = await loadModel(healthy, { device: where });
    const error = await failure(() => model.run({ X, lengths }, { outputs: ['Q'] }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', path: 'options.outputs[0]' });
    await expectHealthy(model, graph);
    model.dispose();
  });

  test('state pair that names nothing, and a state of something else', async () => {
    const model = await loadModel(healthy, { device: where });
    expect(await failure(async () => model.stream({ state: { Y: 'nothing' } }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      path: 'state.Y',
    });
    const stream = model.stream();
    await stream.step({ X, lengths });
    expect(await failure(async () => stream.restore({ other: X }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      path: 'state.other',
    });
    const snapshot = await stream.snapshot();
    const [name] = Object.keys(snapshot) as [string];
    expect(await failure(async () => stream.restore({ ...snapshot, [name]: X }))).toMatchObject({
      code: 'SHAPE_MISMATCH',
      path: `state.${name}`,
    });
    model.dispose();
  });

  test('disposed model, disposed stream; a second dispose does nothing', async () => {
    const model = await loadModel(healthy, { device: where });
    const [stream, other] = [model.stream(), model.stream()];
    other.dispose();
    other.dispose();
    expect(await failure(() => other.step({ X, lengths }))).toMatchObject({
      code: 'DISPOSED',
      path: 'stream',
    });
    model.dispose();
    model.dispose();
    expect(await failure(() => model.run({ X, lengths }))).toMatchObject({
      code: 'DISPOSED',
      path: 'model',
    });
    expect(await failure(() => stream.step({ X, lengths }))).toMatchObject({ code: 'DISPOSED' });
    expect(await failure(async () => model.stream())).toMatchObject({ code: 'DISPOSED' });
    const next = await loadModel(healthy, { device: where });
    await expectHealthy(next, graph);
    next.dispose();
  });

  test('aborted before, and aborted at once after: the reason of the signal', async () => {
    const model = await loadModel(healthy, { device: where });
    await expect(model.run({ X, lengths }, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
    const controller = new AbortController();
    const call = model.run({ X, lengths }, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    await expect(loadModel(healthy, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
    const stream = model.stream();
    const before = await stream.step({ X, lengths });
    const snapshot = await stream.snapshot();
    await expect(
      stream.step({ X, lengths }, { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ name: 'AbortError' });
    expect(await stream.snapshot()).toEqual(snapshot);
    expect(before['Y']!.dims).toEqual([T, 1, B, H]);
    await expectHealthy(model, graph);
    model.dispose();
  });
});

describe('devices', () => {
  test('a bidirectional layer refuses to stream, by name', async () => {
    const onnx = writeOnnx({
      inputs: [{ name: 'X', type: 'float32', dims: ['T', B, I] }],
      outputs: [{ name: 'Y', type: 'float32', dims: ['T', 2, B, H] }],
      initializers: {
        W: tensor(random.floats(8 * H * I, 0.5), [2, 4 * H, I]),
        R: tensor(random.floats(8 * H * H, 0.5), [2, 4 * H, H]),
      },
      nodes: [
        {
          op: 'LSTM',
          name: 'both_ways',
          inputs: ['X', 'W', 'R'],
          outputs: ['Y'],
          attributes: { hidden_size: H, direction: 'bidirectional' },
        },
      ],
    });
    const model = await loadModel(onnx, { device });
    const error = await failure(async () => model.stream());
    expect(error).toMatchObject({ code: 'UNSUPPORTED_OPERATOR', path: 'graph.nodes[0]' });
    expect(error.message).toContain('both_ways');
    model.dispose();
  });

  test('a borrowed device outlives its models', async () => {
    const own = await (await getAdapter()).requestDevice();
    const [a, b] = [
      await loadModel(healthy, { device: own }),
      await loadModel(healthy, { device: own }),
    ];
    await expectHealthy(a, graph);
    a.dispose();
    await expectHealthy(b, graph);
    b.dispose();
    const lost = await Promise.race([
      own.lost.then(() => 'lost'),
      new Promise((resolve) => setTimeout(resolve, 50, 'alive')),
    ]);
    expect(lost).toBe('alive');
    own.destroy();
  });

  test('a destroyed device rejects pending and later calls with DEVICE_LOST; others work on', async () => {
    const own = await (await getAdapter()).requestDevice();
    const model = await loadModel(healthy, { device: own });
    const stream = model.stream();
    await expectHealthy(model, graph);
    await stream.step({ X, lengths });
    const pending = [model.run({ X, lengths }), stream.step({ X, lengths }), stream.snapshot()];
    const results = Promise.allSettled(pending);
    own.destroy();
    for (const result of await results) {
      expect(result.status).toBe('rejected');
      expect((result as PromiseRejectedResult).reason).toMatchObject({
        code: 'DEVICE_LOST',
        path: 'device',
      });
    }
    expect(await failure(() => model.run({ X, lengths }))).toMatchObject({ code: 'DEVICE_LOST' });
    expect(await failure(() => stream.step({ X, lengths }))).toMatchObject({ code: 'DEVICE_LOST' });
    expect(await failure(() => stream.snapshot())).toMatchObject({ code: 'DEVICE_LOST' });
    expect(
      await failure(() => loadModel(healthy, { device: own }).then((m) => m.run({ X, lengths }))),
    ).toMatchObject({ code: 'DEVICE_LOST' });
    model.dispose();
    const other = await loadModel(healthy, { device });
    await expectHealthy(other, graph);
    other.dispose();
  });

  test('disposing during calls rejects them and hangs none', async () => {
    const model = await loadModel(healthy, { device });
    await expectHealthy(model, graph);
    const calls = [model.run({ X, lengths }), model.run({ X, lengths })];
    const settled = Promise.allSettled(calls);
    model.dispose();
    for (const result of await settled) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'DISPOSED' });
    }
  });
});
