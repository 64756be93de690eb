// The state of a stream: nobody else can change it, and it survives what may go wrong around it.
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { loadModel, tensor } from '../../src/index.ts';
import type { Graph, Model, StreamState, Tensor } from '../../src/index.ts';
import { getAdapter } from '../setup/gpu.ts';
import { expectRight, failureOf, feedsOf, graph, H, stepsOf } from '../support/small-lstm.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());
const opened: Model[] = [];
afterEach(() => {
  for (const model of opened.splice(0)) model.dispose();
  vi.restoreAllMocks();
});

const BACKENDS = [
  ['webgpu', device],
  ['reference', 'reference'],
] as const;

describe.each(BACKENDS)('on %s', (_, where) => {
  const open = async (source: Graph = graph): Promise<Model> => {
    const model = await loadModel(source, { device: where });
    opened.push(model);
    return model;
  };

  test('dispose comes after the calls made before it: steps are right, and a fork goes on', async () => {
    const feeds = feedsOf(3);
    for (const waited of [0, 1]) {
      const stream = (await open()).stream();
      const first = stream.step(stepsOf(feeds, 0, 1)); // compiles, so that what follows waits
      if (waited > 0) await first;
      const second = stream.step(stepsOf(feeds, 1, 2));
      const [fork, snapshot] = [stream.fork(), stream.snapshot()];
      stream.dispose();
      expectRight(await first, stepsOf(feeds, 0, 1));
      expectRight(await second, stepsOf(feeds, 0, 2), 1);
      expectRight(await fork.step(stepsOf(feeds, 2, 3)), feeds, 2);
      expect(Object.keys(await snapshot)).toEqual(stream.stateNames);
      expect((await failureOf(() => stream.step(stepsOf(feeds, 2, 3)))).code).toBe('DISPOSED');
    }
  });

  test('overlapping first steps of different batches: the second is refused, the first is right', async () => {
    const stream = (await open()).stream();
    const [two, three] = [feedsOf(2, 2), feedsOf(1, 3)];
    const first = stream.step(two);
    const error = await failureOf(() => stream.step(three));
    expect(error.code).toBe('SHAPE_MISMATCH');
    expectRight(await first, two);
    const snapshot = await stream.snapshot();
    expect(Object.values(snapshot).map(({ dims }) => dims)).toEqual([
      [2, 1, H],
      [2, 1, H],
    ]);
  });

  test('where the first of overlapping first steps fails, the second begins', async () => {
    const stream = (await open()).stream();
    const controller = new AbortController();
    const other = stream.step(feedsOf(1, 2), { signal: controller.signal });
    controller.abort();
    const feeds = feedsOf(2, 3);
    const second = stream.step(feeds);
    const isAborted = await other.then(
      () => false,
      () => true,
    );
    if (isAborted) expectRight(await second, feeds);
    else expect((await failureOf(() => second)).code).toBe('SHAPE_MISMATCH');
  });

  describe('restore refuses', () => {
    const cases: readonly [string, (state: Tensor) => unknown, string, RegExp][] = [
      [
        'another element type',
        ({ dims, data }) => ({
          type: 'float64',
          dims,
          data: Float64Array.from(data as Float32Array),
        }),
        'INVALID_ARGUMENT',
        /float64, expected float32/,
      ],
      [
        'an array of another type',
        (state) => ({ ...state, data: new Int32Array(H) }),
        'INVALID_ARGUMENT',
        /Int32Array, expected Float32Array/,
      ],
      [
        'too few elements',
        (state) => ({ ...state, data: new Float32Array(H - 1) }),
        'SHAPE_MISMATCH',
        /got 3, expected 4/,
      ],
      [
        'negative sizes',
        (state) => ({ ...state, dims: [1, -1, -H] }),
        'SHAPE_MISMATCH',
        /dims\[1\]: got -1/,
      ],
      [
        'words in its data',
        (state) => ({ ...state, data: ['a', true] }),
        'INVALID_ARGUMENT',
        /expected Float32Array/,
      ],
      ['null', () => null, 'INVALID_ARGUMENT', /expected a tensor/],
    ];
    test.each(cases)(
      '%s, before and after the first step',
      async (_name, change, code, message) => {
        const model = await open();
        const [begun, fresh] = [model.stream(), model.stream()];
        await begun.step(feedsOf(1));
        const state = await begun.snapshot();
        const [name] = Object.keys(state) as [string];
        const wrong = { ...state, [name]: change(state[name]!) } as StreamState;
        for (const stream of [begun, fresh]) {
          const error = await failureOf(() => stream.restore(wrong));
          expect(error.code).toBe(code);
          expect(error.path.startsWith(`state.${name}`)).toBe(true);
          expect(error.message).toMatch(message);
        }
        expect((await failureOf(() => fresh.restore(null as never))).path).toBe('state');
      },
    );
  });

  test.each([
    ['JSON', (state: StreamState) => JSON.parse(JSON.stringify(state)) as StreamState],
    ['a clone', (state: StreamState) => structuredClone(state)],
    [
      'JSON of a clone',
      (state: StreamState) => JSON.parse(JSON.stringify(structuredClone(state))) as StreamState,
    ],
  ])('a snapshot goes on after %s', async (_name, stored) => {
    const model = await open();
    const [stream, other] = [model.stream(), model.stream()];
    const feeds = feedsOf(4);
    await stream.step(stepsOf(feeds, 0, 3));
    other.restore(stored(await stream.snapshot()));
    expectRight(await other.step(stepsOf(feeds, 3, 4)), feeds, 3);
    expect(stored(await model.stream().snapshot())).toEqual({});
  });

  test('numbers that JSON lacks and 64-bit integers survive it', async () => {
    const held: Graph = {
      name: 'held',
      inputs: [
        { name: 'x', type: 'float32', dims: [4] },
        { name: 'n', type: 'int64', dims: [1] },
      ],
      outputs: [
        { name: 'x2', type: 'float32', dims: [4] },
        { name: 'n2', type: 'int64', dims: [1] },
      ],
      constants: new Map(),
      nodes: ['x', 'n'].map((name) => ({
        op: 'Neg',
        name,
        inputs: [name],
        outputs: [`${name}2`],
        attributes: {},
      })),
    };
    const stream = (await open(held)).stream({ state: { x2: 'x', n2: 'n' } });
    const x = tensor(Float32Array.of(NaN, -Infinity, 0, 0.1));
    await stream.step({ x, n: tensor(BigInt64Array.of(-7n)) });
    const state = await stream.snapshot();
    stream.restore(JSON.parse(JSON.stringify(state)) as StreamState);
    expect(await stream.snapshot()).toEqual(state);
    expect(state['n']!.data).toEqual(BigInt64Array.of(7n));
    expect(Object.is((state['x']!.data as Float32Array)[2], -0)).toBe(true);
  });

  test('what a stream gives away is not its state', async () => {
    const sum: Graph = {
      name: 'sum',
      inputs: ['x', 'state'].map((name) => ({ name, type: 'float32', dims: ['n'] })),
      outputs: [{ name: 'next', type: 'float32', dims: ['n'] }],
      constants: new Map(),
      nodes: [
        { op: 'Add', name: 'add', inputs: ['x', 'state'], outputs: ['next'], attributes: {} },
      ],
    };
    const stream = (await open(sum)).stream({ state: { next: 'state' } });
    const x = tensor([1, 2]);
    const { next } = await stream.step({ x });
    (next!.data as Float32Array).fill(100);
    const snapshot = await stream.snapshot();
    (snapshot['state']!.data as Float32Array).fill(100);
    expect((await stream.step({ x }))['next']!.data).toEqual(Float32Array.of(2, 4));
    stream.restore({ state: tensor([5, 5]) });
    const before = await stream.snapshot();
    (before['state']!.data as Float32Array).fill(100);
    expect((await stream.step({ x }))['next']!.data).toEqual(Float32Array.of(6, 7));
  });
});

describe('a step whose results cannot be read', () => {
  test('has moved the state, and says that the work is done', async () => {
    const model = await loadModel(graph, { device });
    opened.push(model);
    const stream = model.stream();
    const feeds = feedsOf(3);
    await stream.step(stepsOf(feeds, 0, 1));
    vi.spyOn(GPUBuffer.prototype, 'mapAsync').mockRejectedValueOnce(new Error('no mapping today'));
    const error = await failureOf(() => stream.step(stepsOf(feeds, 1, 2)));
    expect(error.code).toBe('INTERNAL');
    expect(error.message).toMatch(/the work is done.*no mapping today/);
    expectRight(await stream.step(stepsOf(feeds, 2, 3)), feeds, 2);
  });

  test('that was aborted after its submit has moved it too', async () => {
    const model = await loadModel(graph, { device });
    opened.push(model);
    const stream = model.stream();
    const feeds = feedsOf(3);
    await stream.step(stepsOf(feeds, 0, 1));
    const controller = new AbortController();
    const step = stream.step(stepsOf(feeds, 1, 2), { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(step).rejects.toThrow('enough');
    expectRight(await stream.step(stepsOf(feeds, 2, 3)), feeds, 2);
  });
});
