// Many steps in one call give what as many calls give: results, state, and what comes after.
import { describe, expect, it, vi } from 'vitest';
import { loadModel, tensor, type Model, type Tensor } from '../../src/index.ts';
import { specializeGraph } from '../../src/plan/specialize/infer.ts';
import { ManySteps } from '../../src/backends/wasm/many-steps.ts';
import { splitGraph, type Part } from '../../src/backends/wasm/split-graph.ts';
import { importOnnx } from '../../src/import/onnx/index.ts';
import { getAdapter } from '../setup/gpu.ts';
import { expectClose } from '../support/close.ts';
import { writeOnnx } from '../support/onnx-writer.ts';
import { randomOf } from '../support/random.ts';
import { needsSharedData, sharedBytes } from '../support/shared-data.ts';

const [I, H, O] = [5, 6, 3];
const random = randomOf(9);
const floats = (...dims: number[]): Tensor<'float32'> =>
  tensor(
    random.floats(
      dims.reduce((a, b) => a * b, 1),
      0.5,
    ),
    dims,
  );

/**
 * h' = tanh(tanh(X·A)·W + h·R), last' = X, Y = h'·V + X·U · gain + last·U: work before the state, within it and after it,
 * what skips it, a state that is an input of before, and a number for all rows.
 */
const modelOf = (batch: number | 'N'): Uint8Array =>
  writeOnnx({
    inputs: [
      { name: 'X', type: 'float32', dims: [batch, I] },
      { name: 'gain', type: 'float32', dims: [1] },
      { name: 'h', type: 'float32', dims: [batch, H] },
      { name: 'last', type: 'float32', dims: [batch, I] },
    ],
    outputs: ['Y', 'hNext', 'lastNext'].map((name) => ({ name, type: 'float32' as const })),
    initializers: {
      A: floats(I, H),
      W: floats(H, H),
      R: floats(H, H),
      V: floats(H, O),
      U: floats(I, O),
    },
    nodes: [
      { op: 'MatMul', inputs: ['X', 'A'], outputs: ['a'] },
      { op: 'Tanh', inputs: ['a'], outputs: ['b'] },
      { op: 'MatMul', inputs: ['b', 'W'], outputs: ['c'] },
      { op: 'MatMul', inputs: ['h', 'R'], outputs: ['d'] },
      { op: 'Add', inputs: ['c', 'd'], outputs: ['e'] },
      { op: 'Tanh', inputs: ['e'], outputs: ['hNext'] },
      { op: 'MatMul', inputs: ['hNext', 'V'], outputs: ['f'] },
      { op: 'MatMul', inputs: ['X', 'U'], outputs: ['g'] },
      { op: 'Mul', inputs: ['g', 'gain'], outputs: ['i'] },
      { op: 'Add', inputs: ['f', 'i'], outputs: ['j'] },
      { op: 'MatMul', inputs: ['last', 'U'], outputs: ['k'] },
      { op: 'Add', inputs: ['j', 'k'], outputs: ['Y'] },
      { op: 'Identity', inputs: ['X'], outputs: ['lastNext'] },
    ],
  });

const STATE = { state: { hNext: 'h', lastNext: 'last' } };
const gain = tensor(Float32Array.of(0.7), [1]);
const numbers = (value: Tensor | undefined): number[] => Array.from(value!.data, Number);

/** Steps one by one and at once, from the same beginning, and one more step after them. */
async function both(model: Model, X: Tensor, first: Record<string, Tensor> = {}) {
  const [steps] = X.dims as [number];
  using single = model.stream(STATE);
  using many = model.stream(STATE);
  const rows: Record<string, Tensor>[] = [];
  const size = X.data.length / steps;
  for (let k = 0; k < steps; k++) {
    const data = (X.data as Float32Array).slice(k * size, (k + 1) * size);
    const feeds = { X: tensor(data, X.dims.slice(1)), gain, ...(k === 0 && first) };
    rows.push(await single.step(feeds));
  }
  const results = await many.stepMany({ X, gain, ...first });
  expect(many.steps).toBe(steps);
  for (const name of ['Y', 'hNext', 'lastNext']) {
    const want = rows.map((row) => row[name]!);
    expect(results[name]!.dims).toEqual([steps, ...want[0]!.dims]);
    expectClose(numbers(results[name]), want.flatMap(numbers), { atol: 1e-6, rtol: 0 });
  }
  const next = { X: tensor((X.data as Float32Array).slice(0, size), X.dims.slice(1)), gain };
  expectClose(numbers((await many.step(next)).Y), numbers((await single.step(next)).Y));
}

describe.each(['wasm', 'js', 'reference', 'webgpu'] as const)('on %s', (backend) => {
  const load = async (batch: number | 'N'): Promise<Model> =>
    loadModel(modelOf(batch), {
      device: backend === 'webgpu' ? await (await getAdapter()).requestDevice() : backend,
    });

  it('one step and many equal steps one by one', async () => {
    using model = await load('N');
    for (const steps of [1, 2, 17, 77]) await both(model, floats(steps, 1, I));
    expect.hasAssertions();
  });

  it('a state that is fed is the one before the first step', async () => {
    using model = await load('N');
    await both(model, floats(40, 1, I), { h: floats(1, H), last: floats(1, I) });
    expect.hasAssertions();
  });

  it('several rows, and a batch that is fixed', async () => {
    using free = await load('N');
    await both(free, floats(20, 3, I));
    using fixed = await load(1);
    await both(fixed, floats(20, 1, I));
    expect.hasAssertions();
  });
});

it('outputs that are wanted, an abort, feeds that do not fit', async () => {
  using model = await loadModel(modelOf('N'), { device: 'wasm' });
  using stream = model.stream(STATE);
  const X = floats(33, 1, I);
  const some = await stream.stepMany({ X, gain }, { outputs: ['Y'] });
  expect(Object.keys(some)).toEqual(['Y']);
  await expect(stream.stepMany({ X: floats(1, I), gain })).rejects.toMatchObject({
    code: 'SHAPE_MISMATCH',
    path: 'feeds',
  });
  await expect(stream.stepMany({ X, gain: floats(2, 1) })).rejects.toMatchObject({
    code: 'SHAPE_MISMATCH',
    path: 'feeds.gain.dims[0]',
  });
  await expect(stream.stepMany({ X: floats(0, 1, I), gain })).rejects.toThrow('one at least');
  const signal = AbortSignal.abort(new Error('no'));
  await expect(stream.stepMany({ X, gain }, { signal })).rejects.toThrow('no');
  expect(stream.steps).toBe(33);
});

it('steps are computed together where rows are independent, and only there', async () => {
  const run = vi.spyOn(ManySteps.prototype, 'run');
  try {
    for (const [batch, calls] of [
      ['N', 2],
      [1, 0],
    ] as const) {
      using model = await loadModel(modelOf(batch), { device: 'wasm' });
      using stream = model.stream(STATE);
      await stream.stepMany({ X: floats(60, 1, I), gain });
      expect(run.mock.calls.length, `batch ${batch}`).toBe(calls);
      run.mockClear();
    }
  } finally {
    run.mockRestore();
  }
});

it('what a state has no say in comes before it, what no state follows from after it', () => {
  const graph = importOnnx(modelOf('N'));
  const at = (rows: number) => {
    const dims = graph.inputs.map(({ name, dims: all }): [string, number[]] => [
      name,
      all.map((dim) => (typeof dim === 'number' ? dim : rows)),
    ]);
    return specializeGraph(graph, { dims: new Map(dims), host: new Map() });
  };
  const slots = [
    { input: 'h', output: 'hNext' },
    { input: 'last', output: 'lastNext' },
  ];
  const split = splitGraph(at(1), at(4), 4, slots, ['Y'])!;
  const outputsOf = ({ graph: { list } }: Part): string =>
    list.flatMap(({ outputs }) => outputs.map((value) => value!.name.at(-1))).join('');
  expect(outputsOf(split.before)).toBe('abcgit');
  expect(outputsOf(split.between)).toBe('det');
  expect(outputsOf(split.after)).toBe('fjkY');
  expect(split.between.reads.map(({ one }) => one.dims)).toEqual([
    [1, H],
    [1, I],
  ]);
});

describe('Silero VAD', needsSharedData, () => {
  it.each(['silero_vad_16k_op15.onnx', 'silero_vad.onnx'])(
    '%s frame by frame and at once',
    async (file) => {
      using model = await loadModel(sharedBytes(`models/silero-vad/${file}`), { device: 'wasm' });
      const X = floats(70, 1, 576);
      const sr = tensor(BigInt64Array.of(16000n), []);
      using single = model.stream({ state: { stateN: 'state' } });
      using many = model.stream({ state: { stateN: 'state' } });
      const { output } = await many.stepMany({ input: X, sr }, { outputs: ['output'] });
      const want = Array.from({ length: 70 }, (_, k) => {
        const data = X.data.slice(k * 576, (k + 1) * 576);
        return Number(single.stepSync({ input: tensor(data, [1, 576]), sr }).output!.data[0]);
      });
      expectClose(numbers(output), want, { atol: 1e-6, rtol: 0 });
    },
  );
});
