// Tensors that stay on the GPU: as feeds, as results, and in commands of the app.
import { afterAll, describe, expect, test, vi } from 'vitest';
import { embedding, loadModel, lstm, sequential, tensor } from '../../src/index.ts';
import type { GpuTensor, Graph, Model, Tensor } from '../../src/index.ts';
import { Program } from '../../src/gpu/program.ts';
import { getAdapter } from '../setup/gpu.ts';
import { expectClose } from '../support/close.ts';
import { numbersOf, onGpu } from '../support/gpu-tensors.ts';
import { randomOf } from '../support/random.ts';
import { expectRight, failureOf, feedsOf, graph, H, I, stepsOf } from '../support/small-lstm.ts';

const device = await (await getAdapter()).requestDevice();
const models: Model[] = [];
afterAll(() => {
  for (const model of models) model.dispose();
  device.destroy();
});
async function load(source: Graph = graph): Promise<Model> {
  const model = await loadModel(source, { device, recurrentKernel: 'persistent' });
  models.push(model);
  return model;
}
const model = await load();
const given = feedsOf(3);
const X = onGpu(device, given['X']!);
/** A buffer for the outputs of such feeds. */
const forResults = (steps = 3, batch = 1): GpuTensor =>
  onGpu(device, tensor(new Float32Array(batch * steps * H), [batch, steps, H]));
const asCpu = async (result: GpuTensor): Promise<Record<string, Tensor>> => ({
  Y: tensor(await numbersOf(device, result), result.dims),
});

describe('feeds on the GPU', () => {
  test('compute what the same numbers do, whatever is destroyed after the call', async () => {
    const once = onGpu(device, given['X']!);
    expectRight(await model.run({ X: once }), given);
    once.buffer.destroy();
    expectRight(await model.run({ X }, { output: 'cpu' }), given);
    const { Y, trace } = await model.run({ X }, { trace: [graph.nodes[0]!.name] });
    expectRight({ Y: Y! }, given);
    expect(Object.keys(trace)).toHaveLength(1);
  });

  test('are the results of another model, without a read-back', async () => {
    const random = randomOf(5);
    const floats = (...dims: [number, number]) =>
      tensor(random.floats(dims[0] * dims[1], 0.5), dims);
    const parameters = { W: floats(4 * H, H), R: floats(4 * H, H), returnSequences: true };
    const second = sequential([lstm(parameters)]);
    const [first, next] = [model, await load(second)];
    const want = await next.run({ X: (await first.run(given))['Y']! });
    const mapped = vi.spyOn(Object.getPrototypeOf(X.buffer), 'mapAsync');
    const { Y } = await first.run(given, { output: 'gpu' });
    const result = await next.run({ X: Y! }, { output: 'gpu' });
    expect(mapped).not.toHaveBeenCalled();
    mapped.mockRestore();
    expectClose(await numbersOf(device, result['Y']!), want['Y']!.data as Float32Array, {
      atol: 1e-6,
    });
    for (const { buffer } of [Y!, result['Y']!]) buffer.destroy();
  });

  test('may be integers, which have 32 bits there', async () => {
    const random = randomOf(6);
    const words = await load(
      sequential([
        embedding({ weights: tensor(random.floats(5 * I, 1), [5, I]) }),
        lstm({ W: tensor(random.floats(4 * H * I, 1), [4 * H, I]), R: floats16() }),
      ]),
    );
    const [{ name, type }] = words.inputs as [(typeof words.inputs)[number]];
    const tokens = tensor([3, 0, 4, 1], [1, 4], type);
    const [want, got] = [
      await words.run({ [name]: tokens }),
      await words.run({ [name]: onGpu(device, tokens) }),
    ];
    expect(got).toEqual(want);
  });

  test('of 0 elements are taken', async () => {
    const nothing = { type: 'float32', dims: [1, 0, I], buffer: X.buffer } as const;
    const { Y } = await model.run({ X: nothing });
    expect(Y!.dims).toEqual([1, 0, H]);
  });
});

const floats16 = () => tensor(randomOf(7).floats(4 * H * H, 0.5), [4 * H, H]);

describe('a stream', () => {
  test('steps from GPU to GPU, and its state goes on', async () => {
    const stream = model.stream({ checkpoint: 1 });
    for (let step = 0; step < 3; step++) {
      const frame = onGpu(device, stepsOf(given, step, step + 1).X);
      const { Y } = await stream.step({ X: frame }, { output: 'gpu' });
      frame.buffer.destroy();
      expect(Y!.dims).toEqual([1, 1, H]);
      const whole = stepsOf(given, 0, step + 1);
      expectRight(await asCpu(Y!), whole, step);
      Y!.buffer.destroy();
    }
    expect(stream.steps).toBe(3);
    stream.dispose();
  });

  test('takes its state from a tensor on the GPU', async () => {
    const [one, other] = [model.stream(), model.stream()];
    await one.step(stepsOf(given, 0, 1));
    const state = await one.snapshot();
    const feeds = Object.entries(state).map(([name, value]) => [name, onGpu(device, value)]);
    const frame = stepsOf(given, 1, 2);
    await other.step(frame);
    expect(await other.step({ ...frame, ...Object.fromEntries(feeds) })).toEqual(
      await one.step(frame),
    );
  });

  test('keeps its state where a feed is refused, also when its work is submitted in parts', async () => {
    const stream = model.stream();
    await stream.step(stepsOf(given, 0, 1));
    const before = await stream.snapshot();
    const gone = onGpu(device, stepsOf(given, 1, 2).X);
    gone.buffer.destroy();
    const record = Program.prototype.record;
    const inParts = vi.spyOn(Program.prototype, 'record').mockImplementation(function (
      this: Program,
      encoder,
      bindings,
      split,
    ) {
      return record.call(this, split?.() ?? encoder, bindings, split);
    });
    const outputs = ['cpu', 'gpu'] as const;
    for (const output of outputs) {
      expect(await failureOf(() => stream.step({ X: gone }, { output } as never))).toMatchObject({
        code: 'INVALID_ARGUMENT',
        path: 'feeds.X.buffer',
      });
    }
    expect(inParts).toHaveBeenCalledTimes(2);
    inParts.mockRestore();
    expect(await stream.snapshot()).toEqual(before);
    expect(stream.steps).toBe(1);
    expectRight(await stream.step(stepsOf(given, 1, 3)), given, 1);
  });
});

describe('encode', () => {
  test('records runs between commands of the app, which submits them', async () => {
    await model.warmUp({ X });
    const [a, b] = [feedsOf(3), feedsOf(3)];
    const [first, second] = [forResults(), forResults()];
    const moving = onGpu(device, a['X']!);
    const late = onGpu(device, b['X']!);
    const submitted = vi.spyOn(device.queue, 'submit');
    const written = vi.spyOn(device.queue, 'writeBuffer');
    const encoder = device.createCommandEncoder();
    model.encode(encoder, { X: moving }, { Y: first });
    encoder.copyBufferToBuffer(late.buffer, 0, moving.buffer, 0, 3 * I * 4);
    model.encode(encoder, { X: moving }, { Y: second });
    expect(submitted).not.toHaveBeenCalled();
    expect(written).not.toHaveBeenCalled();
    submitted.mockRestore();
    written.mockRestore();
    expectRight(await model.run(given), given); // with the same buffers, and before the frame
    device.queue.submit([encoder.finish()]);
    expectRight(await asCpu(first), a);
    expectRight(await asCpu(second), b);
  });

  test('updates a state of the app in place', async () => {
    const random = randomOf(9);
    const stepwise: Graph = {
      name: 'accumulate',
      inputs: ['x', 'sum'].map((name) => ({ name, type: 'float32', dims: ['N'] })),
      outputs: ['next', 'sizes'].map((name) => ({ name, type: 'float32', dims: ['N'] })),
      constants: new Map([['two', tensor([2], [1])]]),
      nodes: [
        { op: 'Add', name: 'add', inputs: ['x', 'sum'], outputs: ['next'], attributes: {} },
        { op: 'Identity', name: 'same', inputs: ['two'], outputs: ['sizes'], attributes: {} },
      ],
    };
    const adder = await load(stepwise);
    const x = onGpu(device, tensor(random.floats(4), [4]));
    const sum = onGpu(device, tensor(new Float32Array(4), [4]));
    const sizes = onGpu(device, tensor([0], [1]));
    await adder.warmUp({ x, sum });
    const encoder = device.createCommandEncoder();
    for (let i = 0; i < 3; i++) adder.encode(encoder, { x, sum }, { next: sum });
    adder.encode(encoder, { x, sum }, { sizes }); // known before it runs
    device.queue.submit([encoder.finish()]);
    const [got, one] = [await numbersOf(device, sum), await numbersOf(device, x)];
    expectClose(
      got,
      one.map((value) => 3 * value),
      { atol: 1e-6 },
    );
    expect([...(await numbersOf(device, sizes))]).toEqual([2]);
  });

  test('stays right when other plans take the place of its own before the app submits', async () => {
    const other = await load();
    await other.warmUp({ X });
    const Y = forResults();
    const encoder = device.createCommandEncoder();
    other.encode(encoder, { X }, { Y });
    for (let steps = 4; steps < 22; steps++) await other.run(feedsOf(steps));
    const late = await failureOf(() => other.encode(encoder, { X }, { Y }));
    expect(late).toMatchObject({ code: 'INVALID_ARGUMENT', path: 'model.encode' });
    expect(late.message).toMatch(/warmUp/);
    device.queue.submit([encoder.finish()]);
    expectRight(await asCpu(Y), given);
  });

  test('after a run with results on the GPU writes to these', async () => {
    const { Y } = await model.run({ X }, { output: 'gpu' });
    const next = feedsOf(3);
    const encoder = device.createCommandEncoder();
    model.encode(encoder, { X: onGpu(device, next['X']!) }, { Y: Y! });
    device.queue.submit([encoder.finish()]);
    expectRight(await asCpu(Y!), next);
    Y!.buffer.destroy();
  });
});

describe('refused, with code and path', () => {
  const withBuffer = (buffer: unknown): GpuTensor => ({ ...X, buffer }) as GpuTensor;
  const made = (size: number, usage: number): GpuTensor =>
    withBuffer(device.createBuffer({ size, usage }));

  test('buffers that cannot be fed', async () => {
    const destroyed = onGpu(device, given['X']!);
    destroyed.buffer.destroy();
    const foreign = await (await getAdapter()).requestDevice();
    const theirs = await loadModel(graph, { device: foreign });
    const { Y: result } = await theirs.run(given, { output: 'gpu' });
    const mapped = device.createBuffer({
      size: 64,
      usage: GPUBufferUsage.MAP_WRITE | GPUBufferUsage.COPY_SRC,
      mappedAtCreation: true,
    });
    const { COPY_SRC, STORAGE } = GPUBufferUsage;
    const refused: readonly (readonly [GpuTensor, string, string, RegExp])[] = [
      [made(16, COPY_SRC), 'SHAPE_MISMATCH', 'feeds.X.buffer', /got 16, expected 36/],
      [made(64, STORAGE), 'INVALID_ARGUMENT', 'feeds.X.buffer', /lacks the usage .*COPY_SRC/],
      [withBuffer(mapped), 'INVALID_ARGUMENT', 'feeds.X.buffer', /is mapped/],
      [withBuffer({}), 'INVALID_ARGUMENT', 'feeds.X.buffer', /got Object, expected a GPUBuffer/],
      [destroyed, 'INVALID_ARGUMENT', 'feeds.X.buffer', /has been destroyed/],
      [onGpu(foreign, given['X']!), 'INVALID_ARGUMENT', 'feeds.X.buffer', /another device/],
      [{ ...X, type: 'int32' }, 'INVALID_ARGUMENT', 'feeds.X', /got int32, expected float32/],
      [{ ...X, dims: [1, 3] }, 'SHAPE_MISMATCH', 'feeds.X', /got \[1, 3\]/],
      [{ ...X, dims: [1, 3, I + 1] }, 'SHAPE_MISMATCH', 'feeds.X.dims[2]', /got 4, expected 3/],
    ];
    for (const [feed, code, path, message] of refused) {
      const error = await failureOf(() => model.run({ X: feed }));
      expect(error).toMatchObject({ code, path, message: expect.stringMatching(message) });
    }
    const chained = await load(sequential([lstm({ W: floats16(), R: floats16() })]));
    expect(await failureOf(() => chained.run({ X: result! }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      path: 'feeds.X.buffer',
      message: expect.stringMatching(/load both models with one `device`/),
    });
    theirs.dispose();
    foreign.destroy();
    expectRight(await model.run({ X }), given);
  });

  test('what cannot be encoded', async () => {
    await model.warmUp({ X });
    const encoder = device.createCommandEncoder();
    const Y = forResults();
    const encode = (feeds: unknown, results: unknown, into: unknown = encoder): unknown =>
      model.encode(into as never, feeds as never, results as never);
    const noUsage = onGpu(device, given['X']!).buffer;
    const small = device.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_DST });
    const source = device.createBuffer({ size: 64, usage: GPUBufferUsage.COPY_SRC });
    const refused: readonly (readonly [() => unknown, string, string])[] = [
      [() => encode({ X }, { Y }, {}), 'INVALID_ARGUMENT', 'encoder'],
      [() => encode(given, { Y }), 'INVALID_ARGUMENT', 'feeds.X'],
      [() => encode({}, { Y }), 'INVALID_ARGUMENT', 'feeds.X'],
      [() => encode({ X }, null), 'INVALID_ARGUMENT', 'results'],
      [() => encode({ X }, { Z: Y }), 'INVALID_ARGUMENT', 'results.Z'],
      [() => encode({ X }, { Y: given['X'] }), 'INVALID_ARGUMENT', 'results.Y'],
      [() => encode({ X }, { Y: { ...Y, type: 'int32' } }), 'INVALID_ARGUMENT', 'results.Y'],
      [() => encode({ X }, { Y: { ...Y, dims: [3, H] } }), 'SHAPE_MISMATCH', 'results.Y'],
      [() => encode({ X }, { Y: { ...Y, buffer: small } }), 'SHAPE_MISMATCH', 'results.Y.buffer'],
      [
        () => encode({ X }, { Y: { ...Y, buffer: source } }),
        'INVALID_ARGUMENT',
        'results.Y.buffer',
      ],
      [
        () => encode({ X: { ...X, dims: [3, 1, I], buffer: noUsage } }, { Y }),
        'INVALID_ARGUMENT',
        'model.encode',
      ],
    ];
    for (const [call, code, path] of refused) {
      expect(await failureOf(call)).toMatchObject({ code, path });
    }
    const other = await load();
    other.dispose();
    expect(await failureOf(() => other.encode(encoder, { X }, { Y }))).toMatchObject({
      code: 'DISPOSED',
    });
  });

  test.each(['wasm', 'js', 'reference'] as const)('what %s has no GPU for', async (where) => {
    const onCpu = await loadModel(graph, { device: where });
    expect(onCpu.device).toBeUndefined();
    const stream = onCpu.stream();
    const refused: readonly (readonly [() => unknown, string])[] = [
      [() => onCpu.run({ X }), 'feeds.X'],
      [() => stream.step({ X }), 'feeds.X'],
      [() => onCpu.run(given, { output: 'gpu' }), 'options.output'],
      [() => stream.step(given, { output: 'gpu' }), 'options.output'],
      [() => onCpu.encode(device.createCommandEncoder(), { X }, {}), 'model.encode'],
    ];
    for (const [call, path] of refused) {
      expect(await failureOf(call)).toMatchObject({ code: 'INVALID_ARGUMENT', path });
    }
    onCpu.dispose();
  });

  test('a stream of a group takes numbers only', async () => {
    const group = model.streams({ capacity: 2 });
    const member = group.join();
    const error = await failureOf(() => member.step({ X } as never));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', path: 'feeds.X' });
    group.dispose();
  });
});

test('model.device is the device that computes', () => {
  expect(model.device).toBe(device);
});
