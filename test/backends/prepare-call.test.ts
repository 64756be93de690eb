// A graph is specialized once for each shape of a call, whatever is made from that.
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadModel, tensor } from '../../src/index.ts';
import type { Graph } from '../../src/index.ts';
import { CallChecker } from '../../src/backends/prepare-call.ts';
import { PartialEvaluator } from '../../src/plan/specialize/partial-evaluator.ts';
import { getAdapter } from '../setup/gpu.ts';
import { feedsOf, graph } from '../support/small-lstm.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());

/** The graphs that have been specialized, once for each time. */
let specialized: Graph[] = [];
const { evaluate } = PartialEvaluator.prototype;
beforeEach(() => {
  specialized = [];
  PartialEvaluator.prototype.evaluate = function count(this: PartialEvaluator, each) {
    specialized.push(each);
    return evaluate.call(this, each);
  };
});
afterEach(() => {
  PartialEvaluator.prototype.evaluate = evaluate;
});

/** How often each graph has been specialized. */
const counts = (): number[] => {
  const byGraph = new Map<Graph, number>();
  for (const each of specialized) byGraph.set(each, (byGraph.get(each) ?? 0) + 1);
  return [...byGraph.values()];
};

describe.each([
  ['webgpu', device],
  ['reference', 'reference'],
] as const)('on %s', (_, where) => {
  test('a run: once for each shape, and warming up is for that run', async () => {
    const model = await loadModel(graph, { device: where });
    await model.run(feedsOf(2));
    expect(counts()).toEqual([1]);
    await model.run(feedsOf(2));
    expect(counts()).toEqual([1]);
    await model.warmUp(feedsOf(3));
    await model.run(feedsOf(3));
    expect(counts()).toEqual([2]);
    model.dispose();
  });

  test('a step: the graph with its state once for each shape, the one without at the first', async () => {
    const model = await loadModel(graph, { device: where });
    const stream = model.stream();
    specialized = []; // what `stream` does is its own
    await stream.step(feedsOf(1));
    expect(counts()).toEqual([1, 1]);
    await stream.step(feedsOf(1));
    expect(counts()).toEqual([1, 1]);
    await stream.step(feedsOf(2));
    expect(counts()).toEqual([1, 2]);
    model.dispose();
  });

  test('a step of a stream whose state is fed: once', async () => {
    const sum: Graph = {
      name: 'sum',
      inputs: ['x', 'state'].map((name) => ({ name, type: 'float32', dims: ['n'] })),
      outputs: [{ name: 'next', type: 'float32', dims: ['n'] }],
      constants: new Map(),
      nodes: [
        { op: 'Add', name: 'add', inputs: ['x', 'state'], outputs: ['next'], attributes: {} },
      ],
    };
    const model = await loadModel(sum, { device: where });
    const stream = model.stream({ state: { next: 'state' } });
    specialized = [];
    const x = tensor([1, 2, 3]);
    await stream.step({ x });
    const { next } = await stream.step({ x });
    expect(next!.data).toEqual(Float32Array.of(2, 4, 6));
    expect(counts()).toEqual([1]);
    model.dispose();
  });
});

describe('a checked call', () => {
  test('is the same for the same shapes, and no other', () => {
    const checker = new CallChecker(graph, {});
    const [a, b, c] = [feedsOf(2), feedsOf(2), feedsOf(3)].map((feeds) => checker.check(feeds));
    expect(a).toBe(b);
    expect(c!.key).not.toBe(a!.key);
  });

  test('has the shapes of its feeds as they were', () => {
    const checker = new CallChecker(graph, {});
    const feeds = feedsOf(2);
    const call = checker.check(feeds);
    (feeds['X']!.dims as number[])[1] = 7;
    expect(call.specialized.value('Y')!.dims).toEqual([1, 2, 4]);
  });

  test('is specialized again when it is needed after its release', () => {
    const call = new CallChecker(graph, {}).check(feedsOf(2));
    const before = call.specialized;
    call.release();
    expect(call.specialized.value('Y')!.dims).toEqual(before.value('Y')!.dims);
    expect(counts()).toEqual([2]);
  });
});
