// Arguments that are not what the types say, as JavaScript lets them be: refused by name.
import { afterAll, describe, expect, test } from 'vitest';
import { loadModel, tensor } from '../../src/index.ts';
import type { Graph, Tensor } from '../../src/index.ts';
import { getAdapter } from '../setup/gpu.ts';
import { expectRight, failureOf, feedsOf, graph, I } from '../support/small-lstm.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());
const adapter = await getAdapter();

describe('tensor', () => {
  test('nested lists tell the shape', () => {
    expect(
      tensor([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
    ).toEqual({
      type: 'float32',
      dims: [3, 2],
      data: Float32Array.of(1, 2, 3, 4, 5, 6),
    });
    expect(tensor([[[1n], [2n]]], undefined, 'int64')).toEqual({
      type: 'int64',
      dims: [1, 2, 1],
      data: BigInt64Array.of(1n, 2n),
    });
    expect(tensor([[true, false]], undefined, 'bool').data).toEqual(Uint8Array.of(1, 0));
    expect(tensor([[], []]).dims).toEqual([2, 0]);
    expect(
      tensor(
        [
          [1, 2],
          [3, 4],
        ],
        [4],
      ).dims,
    ).toEqual([4]);
  });

  test.each([
    [
      'ragged',
      [[1, 2], [3]],
      'SHAPE_MISMATCH',
      'tensor.data[1]',
      /a list of 1, expected a list of 2/,
    ],
    ['a number among lists', [[1, 2], 3], 'SHAPE_MISMATCH', 'tensor.data[1]', /got 3/],
    ['a list among numbers', [1, [2]], 'SHAPE_MISMATCH', 'tensor.data[1]', /expected a number/],
    ['a text', [[1], ['2']], 'INVALID_ARGUMENT', 'tensor.data[1][0]', /got 2, expected a number/],
    ['null', null, 'INVALID_ARGUMENT', 'tensor.data', /null/],
    ['undefined', undefined, 'INVALID_ARGUMENT', 'tensor.data', /undefined/],
  ])('lists that are no tensor: %s', async (_, data, code, path, message) => {
    const error = await failureOf(() => tensor(data as number[]));
    expect(error).toMatchObject({ code, path });
    expect(error.message).toMatch(message);
  });

  test('sizes that are no list, and fractions for integers', async () => {
    expect((await failureOf(() => tensor([1], 1 as never))).path).toBe('tensor.dims');
    const error = await failureOf(() => tensor([1.5], [1], 'int64'));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', path: 'tensor.data' });
  });
});

describe.each([
  ['webgpu', device],
  ['reference', 'reference'],
] as const)('on %s', (_, where) => {
  const { X } = feedsOf(2) as { X: Tensor<'float32'> };
  const bad: readonly [string, unknown, string, string][] = [
    ['null', null, 'INVALID_ARGUMENT', 'feeds'],
    ['undefined', undefined, 'INVALID_ARGUMENT', 'feeds'],
    ['a number', 3, 'INVALID_ARGUMENT', 'feeds'],
    ['a feed that is null', { X: null }, 'INVALID_ARGUMENT', 'feeds.X'],
    [
      'an array of another type',
      { X: { ...X, data: new Int32Array(2 * I) } },
      'INVALID_ARGUMENT',
      'feeds.X.data',
    ],
    [
      'a DataView',
      { X: { ...X, data: new DataView(new ArrayBuffer(24)) } },
      'INVALID_ARGUMENT',
      'feeds.X.data',
    ],
    ['negative sizes', { X: { ...X, dims: [-1, -2, I] } }, 'SHAPE_MISMATCH', 'feeds.X.dims[0]'],
    ['broken sizes', { X: { ...X, dims: [0.5, 4, I] } }, 'SHAPE_MISMATCH', 'feeds.X.dims[0]'],
    [
      'sizes that are texts',
      { X: { ...X, dims: ['1', '2', '3'] } },
      'SHAPE_MISMATCH',
      'feeds.X.dims[0]',
    ],
    [
      'too few elements',
      { X: { ...X, data: new Float32Array(5) } },
      'SHAPE_MISMATCH',
      'feeds.X.data',
    ],
  ];
  test.each(bad)('feeds with %s', async (_name, feeds, code, path) => {
    const model = await loadModel(graph, { device: where });
    const stream = model.stream();
    for (const call of [
      () => model.run(feeds as never),
      () => model.warmUp(feeds as never),
      () => stream.step(feeds as never),
    ]) {
      expect(await failureOf(call)).toMatchObject({ code, path });
    }
    expectRight(await model.run({ X }), { X });
    model.dispose();
  });

  test('an array that has been transferred', async () => {
    const model = await loadModel(graph, { device: where });
    const feeds = feedsOf(2);
    const { buffer } = feeds['X']!.data;
    structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
    const error = await failureOf(() => model.run(feeds));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', path: 'feeds.X.data' });
    expect(error.message).toMatch(/transferred/);
    model.dispose();
  });

  test('shared memory is taken as it is at the call', async () => {
    const model = await loadModel(graph, { device: where });
    await model.run({ X });
    await model.warmUp({ X });
    const shared = new Float32Array(new SharedArrayBuffer(X.data.byteLength));
    shared.set(X.data);
    const run = model.run({ X: tensor(shared as never, X.dims) });
    shared.fill(0);
    expectRight(await run, { X });
    model.dispose();
  });

  test('unknown options and options of another kind, by name', async () => {
    const model = await loadModel(graph, { device: where });
    const stream = model.stream();
    const refused: readonly [() => unknown, string][] = [
      [() => loadModel(graph, { devise: where } as never), 'options.devise'],
      [() => loadModel(graph, null as never), 'options'],
      [() => model.run({ X }, { ouputs: ['Y'] } as never), 'options.ouputs'],
      [() => model.run({ X }, null as never), 'options'],
      [() => model.run({ X }, { output: 'tpu' } as never), 'options.output'],
      [() => model.run({ X }, { outputs: 'Y' } as never), 'options.outputs'],
      [() => model.warmUp({ X }, { outputs: null } as never), 'options.outputs'],
      [() => model.stream({ state: {}, bach: 2 } as never), 'options.bach'],
      [() => stream.step({ X }, { output: 'tpu' } as never), 'options.output'],
      [() => stream.warmUp({ X }, 'soon' as never), 'options'],
    ];
    for (const [call, path] of refused) {
      expect(await failureOf(call)).toMatchObject({ code: 'INVALID_ARGUMENT', path });
    }
    model.dispose();
  });

  test('outputs whose names join to the same text have plans of their own', async () => {
    const names = ['a', 'b', 'a;b'];
    const three: Graph = {
      name: 'three',
      inputs: [{ name: 'x', type: 'float32', dims: [1] }],
      outputs: names.map((name) => ({ name, type: 'float32', dims: [1] })),
      constants: new Map(),
      nodes: ['Neg', 'Abs', 'Exp'].map((op, i) => ({
        op,
        name: op,
        inputs: ['x'],
        outputs: [names[i]!],
        attributes: {},
      })),
    };
    const model = await loadModel(three, { device: where });
    const x = tensor([-2]);
    expect(Object.keys(await model.run({ x }, { outputs: ['a', 'b'] }))).toEqual(['a', 'b']);
    expect(Object.keys(await model.run({ x }, { outputs: ['a;b'] }))).toEqual(['a;b']);
    model.dispose();
  });
});

describe('devices', () => {
  test.each([
    ['{}', {}],
    ['null', null],
    ['a number', 1],
    ['an adapter', adapter],
  ])('%s is none', async (_, given) => {
    const error = await failureOf(() => loadModel(graph, { device: given as never }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', path: 'options.device' });
  });

  test('one that is lost: the load says so', async () => {
    const lost = await (await getAdapter()).requestDevice();
    lost.destroy();
    expect((await failureOf(() => loadModel(graph, { device: lost }))).code).toBe('DEVICE_LOST');
  });
});

test.each([null, undefined, 5])('a source that is %s', async (source) => {
  const error = await failureOf(() => loadModel(source as never, { device: 'reference' }));
  expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', path: 'source' });
});
