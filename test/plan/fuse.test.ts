// Chains of elementwise nodes: one kernel computes what many would, and gives the same numbers.
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { Graph } from '../../src/graph.ts';
import { tensor } from '../../src/tensor.ts';
import { getAdapter } from '../setup/gpu.ts';
import { floats, list, narrower } from '../support/operator-case.ts';
import { chance, expectForAll, seeds, type Drawn } from '../support/property.ts';
import { randomOf } from '../support/random.ts';
import { casesOf, MORE_IN_FULL, SEED } from '../support/settings.ts';
import { dispatchesOf, expectSame, Sketch } from '../support/sketch.ts';

const CHAINS = casesOf(5, 12);

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());

const STEPS = 14; // kinds of them in `chainOf`

const chains = fc.record({
  dims: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 }),
  // A seed for each step: one can be left out without changing the others.
  steps: fc.array(fc.record({ kind: fc.nat(STEPS - 1), seed: seeds }), {
    minLength: 1,
    maxLength: 20,
    size: 'max',
  }),
  twoOutputs: chance(0.3),
});

/** Nodes that keep numbers below 4, and use what came before, constants and new inputs. */
function chainOf({ dims, steps: drawn, twoOutputs }: Drawn<typeof chains>): {
  sketch: Sketch;
  graph: Graph;
} {
  const sketch = new Sketch();
  let random = randomOf(SEED);
  let last = sketch.input(floats(random, dims));
  const made = [last];
  const other = (): string => {
    const roll = random.next();
    if (roll < 0.3) return sketch.constant(floats(random, random.pick([[], [1], [1, 1]])));
    if (roll < 0.5) return sketch.constant(floats(random, narrower(random, dims)));
    if (roll < 0.8) return sketch.input(floats(random, narrower(random, dims)));
    return random.pick(made);
  };
  const half = (): string => sketch.constant(tensor([0.5], []));
  const steps: (() => string)[] = [
    () => sketch.node('Tanh', [last]),
    () => sketch.node('Relu', [last]),
    () => sketch.node('Sigmoid', [last]),
    () => sketch.node('LeakyRelu', [last], { alpha: 0.25 }),
    () => sketch.node('Neg', [last]),
    () => sketch.node('Mul', random.chance(0.5) ? [last, half()] : [half(), last]),
    () => sketch.node('Mul', [sketch.node('Tanh', [last]), sketch.node('Sigmoid', [last])]),
    () => sketch.node('Add', [sketch.node('Tanh', [last]), other()]),
    () => sketch.node('Sub', [other(), sketch.node('Sigmoid', [last])]),
    () => sketch.node('Min', [other(), last, other()]),
    () =>
      sketch.node('Clip', [
        last,
        sketch.constant(tensor([-0.7], [])),
        sketch.constant(tensor([0.9], [])),
      ]),
    () => sketch.node('Where', [sketch.node('Less', [last, other()]), last, other()]),
    () => sketch.node('Cast', [sketch.node('Cast', [last], { to: 'int32' })], { to: 'float32' }),
    () => sketch.node('Cast', [last], { to: 'float32' }),
  ];
  for (const { kind, seed } of drawn) {
    random = randomOf(seed);
    last = sketch.node('Clip', [
      steps[kind]!(),
      sketch.constant(tensor([-2], [])),
      sketch.constant(tensor([2], [])),
    ]);
    made.push(last);
  }
  const outputs = twoOutputs ? [last, sketch.nodes[0]!.outputs[0]!] : [last];
  return { sketch, graph: sketch.graph(...new Set(outputs)) };
}

describe('elementwise chains', () => {
  it(`random ones give what separate nodes give, seed ${SEED}`, MORE_IN_FULL, async () => {
    let [before, after] = [0, 0];
    await expectForAll(chains, CHAINS, async (plan) => {
      const { sketch, graph } = chainOf(plan);
      await expectSame(device, graph, sketch.feeds, 'chain');
      before += dispatchesOf(graph, sketch.feeds, false).length;
      after += dispatchesOf(graph, sketch.feeds).length;
    });
    expect(after).toBeLessThan(before / 3);
  });

  it('with one reader each are one dispatch, whatever the number of constants', async () => {
    const random = randomOf(SEED);
    const sketch = new Sketch();
    let last = sketch.input(floats(random, [3, 5]));
    for (let n = 0; n < 9; n++) {
      last = sketch.node('Add', [last, sketch.constant(tensor([n / 10], []))]);
      last = sketch.node('Tanh', [last]);
    }
    const graph = sketch.graph(last);
    expect(dispatchesOf(graph, sketch.feeds, false)).toHaveLength(18);
    const [only, ...others] = dispatchesOf(graph, sketch.feeds);
    expect(others).toEqual([]);
    expect(Object.keys(only!.buffers)).toEqual(['out', 'A']);
    await expectSame(device, graph, sketch.feeds, 'constants');
  });

  it.each([1, 2])('bind at most what a device allows: %i more per node', async (more) => {
    const random = randomOf(SEED);
    const sketch = new Sketch();
    let last = sketch.input(floats(random, [4, 4]));
    for (let n = 0; n < 20; n++) {
      const term = sketch.input(floats(random, [4, 1], 0.1));
      const factor = (): string => sketch.input(floats(random, [4]));
      last = sketch.node('Add', [last, more === 1 ? term : sketch.node('Mul', [term, factor()])]);
    }
    const graph = sketch.graph(last);
    const dispatches = dispatchesOf(graph, sketch.feeds);
    for (const { buffers } of dispatches)
      expect(Object.keys(buffers).length).toBeLessThanOrEqual(8);
    expect(dispatches.length).toBeLessThan(10);
    await expectSame(device, graph, sketch.feeds, 'many inputs');
  });

  it('compute once what two nodes read, and what the caller reads', async () => {
    const random = randomOf(SEED);
    const sketch = new Sketch();
    const x = sketch.input(floats(random, [7]));
    const shared = sketch.node('Tanh', [x]);
    const sum = sketch.node('Add', [
      sketch.node('Neg', [shared]),
      sketch.node('Sigmoid', [shared]),
    ]);
    const square = sketch.node('Mul', [sum, sum]);
    const result = sketch.node('Relu', [square]);
    const graph = sketch.graph(result, square);
    expect(dispatchesOf(graph, sketch.feeds).map(({ kernel }) => kernel.name)).toEqual([
      'tanh',
      'neg+sigmoid+add+mul',
      'relu',
    ]);
    await expectSame(device, graph, sketch.feeds, 'shared');
  });

  it('end where a node needs a dense buffer', async () => {
    const random = randomOf(SEED);
    const sketch = new Sketch();
    const x = sketch.input(floats(random, [4, 6]));
    const before = sketch.node('Tanh', [sketch.node('Neg', [x])]);
    const weights = sketch.constant(floats(random, [6, 3], 0.3));
    const flat = sketch.node('Reshape', [
      sketch.node('Abs', [sketch.node('MatMul', [before, weights])]),
      sketch.constant(list([-1])),
    ]);
    const graph = sketch.graph(sketch.node('Relu', [flat]));
    const names = dispatchesOf(graph, sketch.feeds).map(({ kernel }) => kernel.name.split('-')[0]);
    expect(names).toEqual(['neg+tanh', 'matmul', 'abs', 'relu']);
    await expectSame(device, graph, sketch.feeds, 'dense');
  });

  it('compile nothing for new sizes', () => {
    const random = randomOf(SEED);
    const sourcesOf = (rows: number, width: number): string[] => {
      const sketch = new Sketch();
      const [x, y] = [
        sketch.input(floats(random, [rows, width])),
        sketch.input(floats(random, [rows, 1])),
      ];
      const row = sketch.node('Sqrt', [sketch.node('Abs', [y])]);
      const last = sketch.node('Div', [sketch.node('Sub', [x, y]), row]);
      return dispatchesOf(sketch.graph(last), sketch.feeds).map(({ kernel }) => kernel.source);
    };
    const first = sourcesOf(5, 8);
    expect(first).toHaveLength(1);
    for (const [rows, width] of [
      [1, 1],
      [1, 9],
      [3, 1],
      [2, 64],
    ] as const) {
      expect(sourcesOf(rows, width)).toEqual(first);
    }
  });
});
