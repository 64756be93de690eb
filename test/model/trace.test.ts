// A look inside: the gates, candidates and states of each step are those of the textbooks, on every backend and
// for every kind of layer, in runs and in streams; without it a call is as it was.
import { afterAll, describe, expect, test } from 'vitest';
import {
  defineCell,
  dense,
  gru,
  loadModel,
  lstm,
  recurrent,
  sequential,
  tensor,
  type LayerTrace,
  type LoadOptions,
  type Model,
  type Tensor,
  type TracedResults,
} from '../../src/index.ts';
import type { Graph } from '../../src/graph.ts';
import { runReference } from '../../src/reference.ts';
import { layerNormLstm, minGru } from '../cells/proof-cells.ts';
import { getAdapter } from '../setup/gpu.ts';
import { expectClose } from '../support/close.ts';
import { countBuffers } from '../support/fake-gpu.ts';
import { gatesByFormula, maxDifference, seriesDims } from '../support/gate-formulas.ts';
import { watchCalls } from '../support/gpu-calls.ts';
import { expectForAll } from '../support/property.ts';
import { recurrentCase, recurrentCases, type RecurrentCase } from '../support/random-recurrent.ts';
import { randomOf } from '../support/random.ts';
import type { RecurrentConfig } from '../support/recurrent-config.ts';
import { casesOf, MORE_IN_FULL } from '../support/settings.ts';
import { failureOf } from '../support/small-lstm.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());

const BACKENDS: readonly [string, LoadOptions, cases: number][] = [
  ['webgpu', { device }, casesOf(3, 40)],
  ['wasm', { device: 'wasm' }, casesOf(30, 300)],
  ['reference', { device: 'reference' }, casesOf(30, 300)],
];

// Both sides are float64 until the last rounding, of values that grow with a few unbounded activations.
const ROUNDING = { atol: 1e-6, rtol: 1e-6, nanEqual: true };

/** A plain layer of 5 units for 3 features. */
const PLAIN: RecurrentConfig = {
  cell: 'lstm',
  direction: 'forward',
  hidden: 5,
  layout: 0,
  T: 4,
  B: 2,
  I: 3,
  activations: ['Sigmoid', 'Tanh', 'Tanh'],
  alphas: [NaN, NaN, NaN],
  betas: [NaN, NaN, NaN],
  clip: 0,
  coupled: false,
  resetAfter: false,
  maskedOutput: 'zero',
  bias: true,
  lengths: undefined,
  mask: undefined,
  initialH: false,
  initialC: false,
  peepholes: false,
  projected: 0,
  outputs: [true, false, false],
};

const random = randomOf(31);
const floats = (...dims: number[]): Tensor<'float32'> =>
  tensor(
    random.floats(
      dims.reduce((n, dim) => n * dim, 1),
      0.5,
    ),
    dims,
  );

/** What makes a GRU of the plain layer. */
function gruOf(resetAfter: boolean): Partial<RecurrentConfig> {
  const [alphas, betas] = [
    [NaN, NaN],
    [NaN, NaN],
  ] as const;
  return { cell: 'gru', resetAfter, activations: ['Sigmoid', 'Tanh'], alphas, betas };
}

/** Fails unless a trace has the numbers of the formulas. */
function expectFormulas(made: RecurrentCase, trace: LayerTrace): void {
  const { config, label } = made;
  const formula = gatesByFormula(made);
  expect(trace).toMatchObject({ cell: config.cell, direction: config.direction });
  for (const kind of ['gates', 'states'] as const) {
    const [got, want] = [trace[kind], formula[kind]];
    expect(Object.keys(got).toSorted(), label).toEqual(Object.keys(want).toSorted());
    for (const [name, data] of Object.entries(want)) {
      const isOutput = kind === 'states' && name === 'h';
      const dims = seriesDims(made, isOutput ? config.projected || config.hidden : config.hidden);
      expect(got[name]!.dims, label).toEqual(dims);
      expectClose(got[name]!.data, data, { ...ROUNDING, dims, label: `${label} ${kind}.${name}` });
    }
  }
}

describe.each(BACKENDS)('on %s', (_, options, cases) => {
  test('random layers: every gate and state is that of its formula', MORE_IN_FULL, () =>
    expectForAll(recurrentCases({ maxHidden: 20 }), cases, async (made) => {
      const model = await loadModel(made.graph, options);
      const results = await model.run(made.feeds, { trace: ['layer'] });
      expect(Object.keys(results)).toEqual(model.outputs.map(({ name }) => name));
      expectFormulas(made, results.trace['layer']!);
      const exact = runReference(made.graph, made.feeds);
      const worst = Math.max(
        ...[...exact].map(([name, { data }]) => maxDifference(results[name]!, data)),
      );
      expect(results.trace['layer']!.deviation).toBeCloseTo(worst, 12);
      model.dispose();
    }),
  );

  test('two layers of a stack, from what the layer below has computed', async () => {
    const layers = [
      lstm({ W: floats(24, 5), R: floats(24, 6), B: floats(48) }),
      gru({ W: floats(12, 6), R: floats(12, 4), B: floats(24), resetAfter: true }),
      dense({ W: floats(3, 4), b: floats(3) }),
    ];
    const graph = sequential(layers);
    const names = graph.nodes.filter(({ op }) => op === 'Recurrent').map(({ name }) => name);
    const model = await loadModel(graph, options);
    const X = floats(2, 7, 5);
    const plain = await model.run({ X });
    const { Y, trace } = await model.run({ X }, { trace: names });
    expectClose(Y!.data as Float32Array, plain['Y']!.data as Float32Array, { atol: 1e-6 });
    expect(Object.keys(trace)).toEqual(names);
    const [below, above] = names.map((name) => trace[name]!) as [LayerTrace, LayerTrace];
    expect([below.cell, above.cell]).toEqual(['lstm', 'gru']);
    for (const each of [below, above]) expect(each.deviation).toBeLessThan(1e-5);
    // h' = (1 - z)∘n + z∘h, from the trace alone.
    const [T, B, H] = [7, 2, 4];
    const { z, h: n } = above.gates;
    const { h } = above.states;
    expect(h!.dims).toEqual([T, 1, B, H]);
    const next = h!.data.map((__, i) => {
      const before = i < B * H ? 0 : h!.data[i - B * H]!;
      return (1 - z!.data[i]!) * n!.data[i]! + z!.data[i]! * before;
    });
    expectClose(next, h!.data, { atol: 1e-6 });
    model.dispose();
  });

  describe('in a stream', () => {
    const made = recurrentCase(randomOf(5), { ...PLAIN, T: 6 });
    const X = made.feeds['X']! as Tensor<'float32'>;
    const chunk = (from: number, to: number): Tensor =>
      tensor(X.data.slice(from * 2 * 3, to * 2 * 3), [to - from, 2, 3]);
    const free: Graph = {
      ...made.graph,
      inputs: [{ name: 'X', type: 'float32', dims: ['T', 'B', 3] }],
      outputs: [{ name: 'Y', type: 'float32', dims: [] }],
    };
    const expectSteps = (results: TracedResults, from: number, to: number): void => {
      const { gates, states, deviation } = results.trace['layer']!;
      const want = gatesByFormula(made);
      for (const [got, all] of [
        [gates, want.gates],
        [states, want.states],
      ] as const) {
        for (const [name, data] of Object.entries(all))
          // Steps go on from the float32 state of the step before.
          expectClose(got[name]!.data, data.slice(from * 2 * 5, to * 2 * 5), { label: name });
      }
      expect(deviation).toBeLessThan(1e-5);
    };

    test('steps go on from the state before them, also after reset and restore', async () => {
      const model = await loadModel(free, options);
      const stream = model.stream({ batch: 2 });
      const traced = { trace: ['layer'] };
      expectSteps(await stream.step({ X: chunk(0, 1) }, traced), 0, 1);
      await stream.step({ X: chunk(1, 2) });
      const saved = await stream.snapshot();
      expectSteps(await stream.step({ X: chunk(2, 5) }, traced), 2, 5);
      stream.reset();
      expectSteps(await stream.step({ X: chunk(0, 2) }, traced), 0, 2);
      stream.restore(saved);
      expectSteps(await stream.step({ X: chunk(2, 3) }, traced), 2, 3);
      model.dispose();
    });

    test('a traced step keeps its place among calls that overlap', async () => {
      const model = await loadModel(free, options);
      const stream = model.stream({ batch: 2 });
      const [first, second, third] = await Promise.all([
        stream.step({ X: chunk(0, 2) }),
        stream.step({ X: chunk(2, 3) }, { trace: ['layer'] }),
        stream.step({ X: chunk(3, 6) }),
      ]);
      expectSteps(second, 2, 3);
      const whole = (await model.run({ X }))['Y']!.data as Float32Array;
      const parts = [first, second, third].flatMap(({ Y }) => [...(Y!.data as Float32Array)]);
      expectClose(parts, whole, { atol: 2e-6 });
      model.dispose();
    });
  });

  test('cells of an app: what they observe, and sums, products and states of any', async () => {
    const W = floats(2 * 4, 3);
    const layers = [
      recurrent({ cell: minGru, W, B: floats(16), name: 'minimal' }),
      recurrent({ cell: layerNormLstm, W: floats(20, 4), R: floats(20, 5), P: floats(70) }),
    ];
    const graph = sequential(layers, { layout: 0 });
    const names = graph.nodes.filter(({ op }) => op === 'Recurrent').map(({ name }) => name);
    const model = await loadModel(graph, options);
    const { trace } = await model.run({ X: floats(3, 2, 3) }, { trace: names });
    const [minimal, other] = names.map((name) => trace[name]!) as [LayerTrace, LayerTrace];
    expect(minimal.cell).toBe('min_gru');
    expectClose(
      minimal.gates['z']!.data,
      minimal.inputs['z']!.data.map((x) => 1 / (1 + Math.exp(-x))),
      { atol: 1e-6 },
    );
    expect(minimal.gates['h']!.data).toEqual(minimal.inputs['h']!.data);
    expect(minimal.products).toEqual({});
    expect(minimal.deviation).toBeLessThan(1e-5);
    expect(other.gates).toEqual({});
    expect(Object.keys(other.products)).toEqual(['i', 'o', 'f', 'c']);
    expect(other.states['c']!.dims).toEqual([3, 1, 2, 5]);
    // R·h of the first step is that of zeros, and of later ones it is not.
    expect(other.products['i']!.data.subarray(0, 10).every((x) => x === 0)).toBe(true);
    expect(other.products['i']!.data.subarray(10).every((x) => x !== 0)).toBe(true);
    model.dispose();
  });
});

// Each option of a layer by itself, so that a failure names it.
test.each<[string, Partial<RecurrentConfig>]>([
  ['an LSTM', {}],
  ['coupled gates', { coupled: true }],
  ['peepholes', { peepholes: true }],
  ['a projection', { projected: 2, outputs: [true, true, true] }],
  ['a GRU whose reset gate scales h', gruOf(false)],
  ['a GRU whose reset gate scales the product', gruOf(true)],
  ['an RNN', { cell: 'rnn', activations: ['Tanh'], alphas: [NaN], betas: [NaN] }],
  ['a reverse direction with lengths', { direction: 'reverse', lengths: [4, 2] }],
  ['a mask with gaps', { mask: [1, 1, 0, 1, 1, 0, 0, 1] }],
  ['masked outputs that repeat', { mask: [0, 1, 1, 0, 0, 1, 1, 1], maskedOutput: 'repeat' }],
  ['initial states, batch first', { initialH: true, initialC: true, layout: 1 }],
  ['last states only', { outputs: [false, true, true], lengths: [0, 3] }],
  ['a clip', { clip: 0.25 }],
])('the formulas of %s', async (_, config) => {
  const made = recurrentCase(randomOf(9), { ...PLAIN, ...config });
  const model = await loadModel(made.graph, { device: 'wasm' });
  const { trace } = await model.run(made.feeds, { trace: ['layer'] });
  expectFormulas(made, trace['layer']!);
  expect(trace['layer']!.deviation).toBeLessThan(1e-5);
  model.dispose();
});

test('a step that does not count has NaN for gates and leaves the states as they were', async () => {
  const made = recurrentCase(randomOf(9), { ...PLAIN, B: 1, T: 3, mask: [1, 0, 1], lengths: [2] });
  const model = await loadModel(made.graph, { device: 'wasm' });
  const { trace } = await model.run(made.feeds, { trace: ['layer'] });
  const { gates, inputs, products, states } = trace['layer']!;
  for (const series of [gates, inputs, products].flatMap((each) => Object.values(each))) {
    expect(series.data.subarray(0, 5).some(Number.isNaN)).toBe(false);
    expect(series.data.subarray(5).every(Number.isNaN)).toBe(true);
  }
  for (const { data } of Object.values(states)) {
    expect(data.slice(5, 10)).toEqual(data.slice(0, 5));
    expect(data.slice(10)).toEqual(data.slice(0, 5));
  }
  model.dispose();
});

test('no steps give empty tensors, by all names', async () => {
  const model = await loadModel(sequential([lstm({ W: floats(20, 3), R: floats(20, 5) })]), {
    device: 'wasm',
  });
  const { trace } = await model.run({ X: floats(2, 0, 3) }, { trace: ['lstm_0'] });
  const { gates, states, deviation } = trace['lstm_0']!;
  expect(Object.keys(gates).toSorted()).toEqual(['c', 'f', 'i', 'o']);
  expect(Object.values(gates).map(({ dims }) => dims.join())).toEqual(Array(4).fill('0,1,2,5'));
  expect(Object.keys(states)).toEqual(['h', 'c']);
  expect(deviation).toBe(0);
  model.dispose();
});

test('weights stored in 8 bits show in the deviation, and not in the trace', async () => {
  const made = recurrentCase(randomOf(9), PLAIN);
  const model = await loadModel(made.graph, { device, weights: 'int8' });
  const { trace } = await model.run(made.feeds, { trace: ['layer'] });
  expectFormulas(made, trace['layer']!);
  expect(trace['layer']!.deviation).toBeGreaterThan(1e-5);
  expect(trace['layer']!.deviation).toBeLessThan(3e-2);
  model.dispose();
});

describe('refused by name', () => {
  const made = recurrentCase(randomOf(9), PLAIN);
  const runWith = async (graph: Graph, options: object): Promise<unknown> => {
    const model = await loadModel(graph, { device: 'wasm' });
    return model.run(made.feeds, options as { trace: string[] });
  };

  test.each([
    ['a name that is no layer', { trace: ['layer', 'Y'] }, 'options.trace[1]', /'Y'.*layer/],
    ['a name alone', { trace: 'layer' }, 'options.trace', /list of recurrent layers: layer/],
    ['no text', { trace: [3] }, 'options.trace[0]', /got '3'/],
    [
      'a result on the GPU',
      { trace: ['layer'], output: 'gpu' },
      'options.trace',
      /stay on the GPU/,
    ],
  ])('%s', async (_, options, path, message) => {
    const error = await failureOf(() => runWith(made.graph, options));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', path });
    expect(error.message).toMatch(message);
  });

  test("an output called 'trace', unless it is left out", async () => {
    const [node] = made.graph.nodes;
    const graph: Graph = {
      ...made.graph,
      outputs: [...made.graph.outputs, { name: 'trace', type: 'float32', dims: [1, 2, 5] }],
      nodes: [{ ...node!, outputs: ['Y', 'trace'] }],
    };
    const error = await failureOf(() => runWith(graph, { trace: ['layer'] }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', path: 'options.trace' });
    const results = await runWith(graph, { trace: ['layer'], outputs: ['Y'] });
    expectFormulas(made, (results as TracedResults).trace['layer']!);
  });

  test('a cell that observes something else than its units', async () => {
    const cell = defineCell({
      gates: ['a'],
      states: ['h'],
      phases: [{ wgsl: 'fn cell(x: Gates, before: State) -> State { return State(x.a); }' }],
      step: ({ x, observe }) => {
        observe?.('a', x.a.slice(1));
        return { h: x.a };
      },
    });
    const model = await loadModel(sequential([recurrent({ cell, W: floats(4, 3) })]), {
      device: 'wasm',
    });
    const X = floats(1, 2, 3);
    const error = await failureOf(() => model.run({ X }, { trace: ['cell_0'] }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', path: 'cell.step' });
    await model.run({ X });
    model.dispose();
  });
});

test('a call without it is as it was: the same device calls, no buffer more', async () => {
  const own = await (await getAdapter()).requestDevice();
  const live = countBuffers(own);
  const model: Model = await loadModel(recurrentCase(randomOf(9), PLAIN).graph, { device: own });
  const { feeds } = recurrentCase(randomOf(9), PLAIN);
  await model.warmUp(feeds);
  await model.run(feeds);
  const calls: string[] = [];
  // Calls of buffers are seen of those only that are made from now on.
  const ofBuffers = ['mapAsync', 'getMappedRange', 'unmap'];
  watchCalls(own, (name) => !ofBuffers.includes(name) && calls.push(name));
  const during = async (): Promise<string[]> => {
    calls.length = 0;
    await model.run(feeds);
    return [...calls];
  };
  const [before, buffers] = [await during(), live()];
  expect(before).toContain('submit');
  const kernels = model.usage.kernels;
  await model.run(feeds, { trace: ['layer'] });
  expect(live()).toBeGreaterThan(buffers); // the plan of a traced call
  const traced = live();
  expect(await during()).toEqual(before);
  expect(live()).toBe(traced);
  expect(model.usage.kernels).toEqual(kernels);
  model.dispose();
  own.destroy();
});

test('an aborted call rejects with its reason', async () => {
  const { graph, feeds } = recurrentCase(randomOf(9), PLAIN);
  const model = await loadModel(graph, { device: 'reference' });
  const controller = new AbortController();
  const call = model.run(feeds, { trace: ['layer'], signal: controller.signal });
  controller.abort(new Error('enough'));
  await expect(call).rejects.toThrow('enough');
  model.dispose();
});
