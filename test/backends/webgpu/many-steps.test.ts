// Several steps of a stream in one submit: what they give and leave is what the steps one by one do.
import { afterAll, expect, test } from 'vitest';
import { streamGraph } from '../../../src/backends/stateful-graph.ts';
import { loadModel, tensor, type Graph, type Tensor } from '../../../src/index.ts';
import { getAdapter } from '../../setup/gpu.ts';
import { watchCalls } from '../../support/gpu-calls.ts';
import { feedsOf, graph as layer, I } from '../../support/small-lstm.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());

const node = (op: string, inputs: string[], output: string) => ({
  op,
  name: output,
  inputs,
  outputs: [output],
  attributes: {},
});

/** An LSTM whose input is the sum of two, with an output that follows from shapes, and one of integers. */
const GRAPH: Graph = {
  ...layer,
  inputs: [
    { name: 'A', type: 'float32', dims: ['batch', 'time', I] },
    { name: 'bias', type: 'float32', dims: [I] },
  ],
  outputs: [
    ...layer.outputs,
    { name: 'shape', type: 'int64', dims: [3] },
    { name: 'whole', type: 'int64', dims: ['batch', 'time', I] },
  ],
  nodes: [
    node('Add', ['A', 'bias'], 'X'),
    ...layer.nodes,
    node('Shape', ['A'], 'shape'),
    { ...node('Cast', ['X'], 'whole'), attributes: { to: 'int64' } },
  ],
};

test('five steps in one submit equal five submits, in every output and the state', async () => {
  const counts = new Map<string, number>();
  watchCalls(device, (name) => counts.set(name, (counts.get(name) ?? 0) + 1));
  const model = await loadModel(GRAPH, { device });
  const { graph, session } = model.parts();
  const streamed = streamGraph(graph, { chunks: 'independent' });
  const [one, many] = [session.stream(streamed, 2, 0), session.stream(streamed, 2, 0)];
  const outputs = ['Y', 'shape', 'whole'];
  const bias = tensor(Float32Array.of(1, -2, 3), [I]);
  const frames = Array.from({ length: 5 }, () => feedsOf(1, 2)['X'] as Tensor<'float32'>);
  const results: Record<string, Tensor>[] = [];
  for (const A of frames) results.push(await one.step({ A, bias }, outputs));

  const all = frames.flatMap(({ data }) => [...data]);
  const A = tensor(Float32Array.from(all), [5, 2, 1, I]);
  const data = A.data.slice();
  await many.warmUp({ A: frames[0]!, bias }, outputs);
  await one.warmUp({ A: frames[0]!, bias }, outputs);
  counts.clear();
  const call = many.stepMany!({ bias }, 5, { A }, outputs);
  A.data.fill(NaN); // it is the caller's again
  const got = await call;
  expect(counts.get('mapAsync')).toBe(1);
  expect(counts.get('submit')).toBe(1);
  for (const name of outputs) {
    const want = results.map((result) => result[name]!);
    expect(got[name]!.type).toBe(want[0]!.type);
    expect(got[name]!.dims).toEqual([5, ...want[0]!.dims]);
    expect([...got[name]!.data]).toEqual(want.flatMap((each) => [...each.data]));
  }
  expect(await many.snapshot()).toEqual(await one.snapshot());
  // Three more on either side go on from there.
  const three = tensor(data.slice(0, 3 * 2 * I), [3, 2, 1, I]);
  const next = await many.stepMany!({ bias }, 3, { A: three }, ['Y']);
  let last: Record<string, Tensor> = {};
  for (const frame of frames.slice(0, 3)) last = await one.step({ A: frame, bias }, ['Y']);
  expect(next['Y']!.data.slice(-last['Y']!.data.length)).toEqual(last['Y']!.data);
  model.dispose();
});
