// What a stream carries, refuses and is told to do, model by model; stream-chunks.test.ts has random ones.
import { describe, expect, test } from 'vitest';
import type { Model, StreamOptions, Tensor } from '../../src/index.ts';
import { tensor } from '../../src/index.ts';
import type { Graph, RecurrentAttributes } from '../../src/graph.ts';
import { expectClose } from '../support/close.ts';
import { BACKENDS, loadOn } from '../support/onnx-backends.ts';
import { float, floatsOf, long, node, scalar } from '../support/onnx-parts.ts';
import { writeOnnx, type OnnxGraph, type OnnxNode } from '../support/onnx-writer.ts';
import { framesOf, joinFrames } from '../support/random-streams.ts';
import { randomOf } from '../support/random.ts';
import { SEED } from '../support/settings.ts';

const floats = floatsOf(randomOf(SEED));
const H = 3;

/** A GRU of H units from and to [T, B, H], with its weights. */
function gru(name: string, x: string, y: string, direction = 'forward', state: string[] = []) {
  const both = direction === 'bidirectional' ? 2 : 1;
  const inputs = [x, `${name}_W`, `${name}_R`, ...(state.length > 0 ? ['', '', state[0]!] : [])];
  const outputs = [`${name}_Y`, ...(state.length > 1 ? [state[1]!] : [])];
  const nodes: OnnxNode[] = [
    { ...node('GRU', inputs, outputs, { hidden_size: H, direction }), name },
    both === 1
      ? node('Squeeze', [`${name}_Y`, 'one'], [y])
      : node('ReduceSum', [`${name}_Y`, 'one'], [y], { keepdims: 0 }),
  ];
  const initializers = {
    [`${name}_W`]: floats(both, 3 * H, H),
    [`${name}_R`]: floats(both, 3 * H, H),
    one: long(1),
  };
  return { nodes, initializers };
}

const transpose = (x: string, y: string, ...perm: number[]): OnnxNode =>
  node('Transpose', [x], [y], { perm });

/** A convolution over [T, B, H] along T. */
function conv(name: string, x: string, y: string, pads: number[], stride = 1) {
  const nodes = [
    transpose(x, `${name}_in`, 1, 2, 0),
    {
      ...node('Conv', [`${name}_in`, `${name}_W`], [`${name}_out`], { pads, strides: [stride] }),
      name,
    },
    transpose(`${name}_out`, y, 2, 0, 1),
  ];
  return { nodes, initializers: { [`${name}_W`]: floats(H, H, 3) } };
}

/** A model of parts from x to y. */
function model(
  parts: readonly Pick<OnnxGraph, 'nodes' | 'initializers'>[],
  dims: readonly (number | string)[] = ['time', 2, H],
  more: Partial<OnnxGraph> = {},
): Uint8Array {
  return writeOnnx({
    inputs: [float('x', ...dims), ...(more.inputs ?? [])],
    outputs: [float('y', 'out', 'rows', H), ...(more.outputs ?? [])],
    nodes: parts.flatMap(({ nodes }) => nodes),
    initializers: Object.assign({}, ...parts.map(({ initializers }) => initializers ?? {})),
  });
}

/** The outputs y of chunks, one after the other. */
async function inChunks(
  loaded: Model,
  x: Tensor,
  lengths: readonly number[],
  options: StreamOptions = {},
  axis = 0,
): Promise<Tensor<'float32'>> {
  const stream = loaded.stream(options);
  const parts: Tensor[] = [];
  let t = 0;
  for (const length of lengths) {
    parts.push((await stream.step({ x: framesOf(x, axis, t, t + length) }))['y']!);
    t += length;
  }
  stream.dispose();
  return joinFrames(parts, axis);
}

const numbersOf = (value: Tensor | undefined): Float32Array => value!.data as Float32Array;

const cnnLstm = (pads: number[]): Uint8Array =>
  model([conv('c', 'x', 'v', pads), gru('g', 'v', 'y')]);

describe.each(BACKENDS)('on %s', (device) => {
  test('the last frames of a causal convolution are carried, and go with fork and snapshot', async () => {
    using loaded = await loadOn(device, cnnLstm([2, 0]));
    const x = floats(7, 2, H);
    const { y } = await loaded.run({ x });
    expectClose(numbersOf(await inChunks(loaded, x, [1, 3, 1, 2])), numbersOf(y));
    const stream = loaded.stream();
    expect(stream.stateNames).toEqual(['c.frames', 'g.h']);
    await stream.step({ x: framesOf(x, 0, 0, 4) });
    const [fork, restored] = [stream.fork(), loaded.stream()];
    restored.restore(await stream.snapshot());
    for (const other of [stream, fork, restored]) {
      const { y: end } = await other.step({ x: framesOf(x, 0, 4, 7) });
      expectClose(numbersOf(end), numbersOf(y).subarray(4 * 2 * H));
    }
  });

  test('chunks of a strided convolution are a multiple of its stride', async () => {
    using loaded = await loadOn(
      device,
      model([conv('c', 'x', 'v', [1, 1], 2), gru('g', 'v', 'y')]),
    );
    const x = floats(8, 2, H);
    const { y } = await loaded.run({ x });
    expectClose(numbersOf(await inChunks(loaded, x, [2, 4, 2])), numbersOf(y));
    const refusal = { code: 'SHAPE_MISMATCH', path: 'feeds.x.dims[0]' };
    const short = { x: framesOf(x, 0, 0, 3) };
    await expect(loaded.stream().step(short)).rejects.toMatchObject(refusal);
    using onCpu = await loadOn('wasm', model([conv('c', 'x', 'v', [1, 1], 2), gru('g', 'v', 'y')]));
    expect(() => onCpu.stream().stepSync(short)).toThrow(expect.objectContaining(refusal));
  });

  test('masked steps repeat the output of the chunk before', async () => {
    const [T, B] = [6, 2];
    using loaded = await loadOn(device, maskedLayer(B));
    const X = floats(T, B, H);
    const mask = tensor(Uint8Array.from([0, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0]), [T, B], 'bool');
    const { Y } = await loaded.run({ X, mask });
    const stream = loaded.stream();
    const parts: number[] = [];
    for (const [from, to] of [
      [0, 2],
      [2, 3],
      [3, 6],
    ] as const) {
      const part = tensor(mask.data.slice(from * B, to * B), [to - from, B], 'bool');
      parts.push(
        ...numbersOf((await stream.step({ X: framesOf(X, 0, from, to), mask: part }))['Y']),
      );
    }
    expectClose(parts, numbersOf(Y));
  });
});

/** A layer with an input for its mask. */
function maskedLayer(B: number): Graph {
  const attributes: RecurrentAttributes = {
    cell: 'rnn',
    direction: 'forward',
    hidden: H,
    layout: 0,
    activations: ['Tanh'],
    alphas: [Number.NaN],
    betas: [Number.NaN],
    clip: 0,
    coupled: false,
    resetAfter: false,
    maskedOutput: 'repeat',
  };
  return {
    name: 'masked',
    inputs: [
      { name: 'X', type: 'float32', dims: ['T', B, H] },
      { name: 'mask', type: 'bool', dims: ['T', B] },
    ],
    outputs: [{ name: 'Y', type: 'float32', dims: ['T', 1, B, H] }],
    constants: new Map([
      ['W', floats(1, H, H)],
      ['R', floats(1, H, H)],
    ]),
    nodes: [
      {
        op: 'Recurrent',
        name: 'layer',
        inputs: ['X', 'W', 'R', '', '', '', '', '', 'mask'],
        outputs: ['Y'],
        attributes,
      },
    ],
  };
}

describe('refusals', () => {
  const refused = async (bytes: Uint8Array, options: StreamOptions = {}): Promise<unknown> => {
    using loaded = await loadOn('reference', bytes);
    try {
      return loaded.stream(options).stateNames;
    } catch (error) {
      return error;
    }
  };

  test('a convolution that reaches ahead is named, and may see each chunk alone', async () => {
    const bytes = cnnLstm([1, 1]);
    expect(await refused(bytes)).toMatchObject({
      code: 'UNSUPPORTED_OPERATOR',
      path: expect.stringMatching(/^graph\.nodes\[\d\]$/),
      message: expect.stringMatching(/Conv 'c' .* reaches 1 frames ahead.*chunks: 'independent'/),
    });
    expect(await refused(bytes, { chunks: 'independent' })).toEqual(['g.h']);
    expect(await refused(bytes, { carry: ['g'] })).toEqual(['g.h']);
    using loaded = await loadOn('reference', bytes);
    const x = floats(6, 2, H);
    const chunks = [framesOf(x, 0, 0, 3), framesOf(x, 0, 3, 6)];
    const alone = await Promise.all(chunks.map((chunk) => loaded.run({ x: chunk })));
    const [carried, independent, plain] = [
      await inChunks(loaded, x, [3, 3], { carry: ['g'] }),
      await inChunks(loaded, x, [3, 3], { chunks: 'independent' }),
      await inChunks(loaded, x, [3, 3], { carry: [] }),
    ];
    expect(carried.data).toEqual(independent.data);
    expect(plain.data).not.toEqual(carried.data);
    expect([...plain.data]).toEqual(alone.flatMap(({ y }) => [...numbersOf(y)]));
  });

  test('padding in front of such a convolution is then padding of each chunk', async () => {
    const padded = {
      nodes: [node('Pad', ['x', 'pads'], ['w'])],
      initializers: { pads: long(1, 0, 0, 1, 0, 0) },
    };
    const bytes = model([padded, conv('c', 'w', 'v', [0, 0]), gru('g', 'v', 'y')]);
    const same = model([conv('c', 'x', 'v', [1, 1]), gru('g', 'v', 'y')]);
    expect(await refused(bytes)).toMatchObject({
      code: 'UNSUPPORTED_OPERATOR',
      message: expect.stringContaining("Conv 'c'"),
    });
    expect(await refused(bytes, { chunks: 'independent' })).toEqual(['g.h']);
    expect(await refused(same, { chunks: 'independent' })).toEqual(['g.h']);
    using loaded = await loadOn('reference', bytes);
    const x = floats(5, 2, H);
    const { y } = await loaded.run({ x: framesOf(x, 0, 0, 3) });
    const parts = await inChunks(loaded, x, [3, 2], { chunks: 'independent' });
    expectClose(numbersOf(parts).subarray(0, 3 * 2 * H), numbersOf(y));
  });

  test('attention over all of time', async () => {
    const attention = [
      gru('g', 'x', 'v'),
      {
        nodes: [
          transpose('v', 'rows', 1, 0, 2),
          transpose('v', 'columns', 1, 2, 0),
          { ...node('MatMul', ['rows', 'columns'], ['scores']), name: 'scores' },
          node('Softmax', ['scores'], ['weights'], { axis: -1 }),
          node('MatMul', ['weights', 'rows'], ['seen']),
          transpose('seen', 'y', 1, 0, 2),
        ],
      },
    ];
    expect(await refused(model(attention))).toMatchObject({
      code: 'UNSUPPORTED_OPERATOR',
      message: expect.stringContaining("MatMul 'scores'"),
    });
    expect(await refused(model(attention), { chunks: 'independent' })).toEqual(['g.h']);
  });

  test('positions that begin anew in each chunk', async () => {
    const positions = {
      nodes: [
        node('Shape', ['x'], ['shape']),
        node('Gather', ['shape', 'zero'], ['T']),
        node('Range', ['zero', 'T', 'step'], ['range']),
        node('Cast', ['range'], ['at'], { to: 1 }),
        node('Unsqueeze', ['at', 'axes'], ['wide']),
        { ...node('Add', ['x', 'wide'], ['v']), name: 'positions' },
      ],
      initializers: { zero: scalar(0, 'int64'), step: scalar(1, 'int64'), axes: long(1, 2) },
    };
    expect(await refused(model([positions, gru('g', 'v', 'y')]))).toMatchObject({
      code: 'UNSUPPORTED_OPERATOR',
      message: expect.stringMatching(/'positions'.*depends on the length of the chunk/),
    });
  });

  test('a state that the caller would have to carry: the pair is asked for', async () => {
    const bytes = model([gru('g', 'x', 'y', 'forward', ['h0', 'hn'])], undefined, {
      inputs: [float('h0', 1, 2, H)],
      outputs: [float('hn', 1, 2, H)],
    });
    expect(await refused(bytes)).toMatchObject({
      code: 'UNSUPPORTED_OPERATOR',
      message: expect.stringMatching(/'g'.*begins each chunk from 'h0'.*`state`/),
    });
    expect(await refused(bytes, { state: { hn: 'h0' } })).toEqual(['h0']);
    expect(await refused(bytes, { state: { hn: 'h0' }, timeAxis: { x: 0 } })).toEqual(['h0']);
  });

  test('names that do not exist', async () => {
    const bytes = cnnLstm([2, 0]);
    for (const [options, path] of [
      [{ carry: ['c'] }, 'options.carry[0]'],
      [{ timeAxis: { z: 0 } }, 'options.timeAxis.z'],
      [{ timeAxis: { x: 3 } }, 'options.timeAxis.x'],
    ] as const) {
      expect(await refused(bytes, options)).toMatchObject({ code: 'INVALID_ARGUMENT', path });
    }
  });
});

describe('which axis is time', () => {
  /** Layers over the first and the second axis of [A, B, H]. */
  const both = (direction: string): Pick<OnnxGraph, 'nodes' | 'initializers'>[] => [
    gru('a', 'x', 'v'),
    { nodes: [transpose('v', 'turned', 1, 0, 2)] },
    gru('b', 'turned', 'w', direction),
    { nodes: [transpose('w', 'y', 1, 0, 2)] },
  ];

  test.each(['forward', 'reverse', 'bidirectional'])(
    'a %s layer inside each frame begins anew',
    async (direction) => {
      using loaded = await loadOn('reference', model(both(direction), ['time', 4, H]));
      const x = floats(6, 4, H);
      const { y } = await loaded.run({ x });
      expect(loaded.stream().stateNames).toEqual(['a.h']);
      expectClose(numbersOf(await inChunks(loaded, x, [1, 2, 3])), numbersOf(y));
    },
  );

  test('is asked for where layers run along two', async () => {
    using loaded = await loadOn('reference', model(both('forward'), ['time', 'frequency', H]));
    expect(() => loaded.stream()).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        path: 'options.timeAxis',
        message: expect.stringMatching(/'x' axis 0, and along 'x' axis 1/),
      }),
    );
    const x = floats(4, 6, H);
    const { y } = await loaded.run({ x });
    for (const [axis, name] of ['a.h', 'b.h'].entries()) {
      const options = { timeAxis: { x: axis - 3 } };
      expect(loaded.stream(options).stateNames).toEqual([name]);
      const lengths = [
        [1, 3],
        [1, 2, 3],
      ][axis]!;
      expectClose(numbersOf(await inChunks(loaded, x, lengths, options, axis)), numbersOf(y));
    }
  });

  test('is that of the layers where a file fixes its length', async () => {
    using loaded = await loadOn('reference', model([gru('g', 'x', 'y')], [4, 2, H]));
    const x = floats(8, 2, H);
    using free = await loadOn('reference', model([gru('g', 'x', 'y')]));
    expect(loaded.stream().stateNames).toEqual(['g.h']);
    expect((await inChunks(loaded, x, [4, 4])).dims).toEqual([8, 2, H]);
    expect(free.stream().stateNames).toEqual(['g.h']);
  });

  test('an unrolled cell says that nothing is carried', async () => {
    const W = { W: floats(H, H), R: floats(H, H), h0: floats(2, H) };
    const steps = Array.from({ length: 4 }, (_, t) => [
      node('Gather', ['x', `t${t}`], [`x${t}`]),
      node('MatMul', [`x${t}`, 'W'], [`wx${t}`]),
      node('MatMul', [`h${t}`, 'R'], [`rh${t}`]),
      node('Add', [`wx${t}`, `rh${t}`], [`sum${t}`]),
      node('Tanh', [`sum${t}`], [`h${t + 1}`]),
    ]).flat();
    const indices = Object.fromEntries([0, 1, 2, 3].map((t) => [`t${t}`, scalar(t, 'int64')]));
    const unrolled = {
      nodes: [...steps, node('Unsqueeze', ['h4', 'axis'], ['y'])],
      initializers: { ...W, ...indices, axis: long(0) },
    };
    using loaded = await loadOn('reference', model([unrolled], [4, 2, H]));
    expect(() => loaded.stream()).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        path: 'options.timeAxis',
        message: expect.stringMatching(/would carry nothing.*chunks: 'independent'/),
      }),
    );
    expect(() => loaded.stream({ timeAxis: { x: 0 } })).toThrow(/fixed places of the sequence/);
    expect(loaded.stream({ chunks: 'independent' }).stateNames).toEqual([]);
  });

  test('a model of each step by itself has nothing to carry', async () => {
    const dense = {
      nodes: [node('MatMul', ['x', 'W'], ['v']), node('Relu', ['v'], ['y'])],
      initializers: { W: floats(H, H) },
    };
    for (const dims of [
      ['batch', 2, H],
      ['time', 2, H],
      [1, 2, H],
    ]) {
      using loaded = await loadOn('reference', model([dense], dims));
      expect(loaded.stream().stateNames).toEqual([]);
    }
  });
});
