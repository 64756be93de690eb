// Indices out of range: refused where the host knows them, and visible where only the device does.
import { afterAll, describe, expect, it } from 'vitest';
import type { Graph, Node } from '../../src/graph.ts';
import { loadModel, tensor, type LoadOptions, type Tensor } from '../../src/index.ts';
import { getAdapter } from '../setup/gpu.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());

const node = (op: string, inputs: readonly string[], output: string, attributes = {}): Node => ({
  op,
  name: `the ${op}`,
  inputs,
  outputs: [output],
  attributes,
});

const data = tensor([1, 2, 3, 4, 5, 6], [3, 2]);
const info = (name: string, { type, dims }: Tensor) => ({ name, type, dims });

/** A graph of these nodes that gives `y`, with some tensors fed and others constant. */
function graphOf(
  nodes: readonly Node[],
  feeds: Readonly<Record<string, Tensor>>,
  constants: Readonly<Record<string, Tensor>> = {},
): Graph {
  return {
    name: 'indices',
    inputs: Object.entries(feeds).map(([name, value]) => info(name, value)),
    outputs: [{ name: 'y', type: 'float32', dims: [] }],
    constants: new Map(Object.entries(constants)),
    nodes,
  };
}

async function run(graph: Graph, feeds: Readonly<Record<string, Tensor>>, options: LoadOptions) {
  const model = await loadModel(graph, options);
  try {
    const { y } = await model.run(feeds);
    return [...(y!.data as Float32Array)];
  } finally {
    model.dispose();
  }
}

const BACKENDS: readonly [string, LoadOptions][] = [
  ['webgpu', { device }],
  ['reference', { device: 'reference' }],
];

describe.each(BACKENDS)('on %s', (_, options) => {
  it('a token beyond the vocabulary is refused before the run, with its position', async () => {
    const ids = tensor(BigInt64Array.of(0n, -3n, 3n), [3], 'int64');
    const graph = graphOf([node('Gather', ['table', 'ids'], 'y')], { ids }, { table: data });
    await expect(run(graph, { ids }, options)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      path: 'feeds.ids[2]',
      message: expect.stringContaining('got 3, expected -3 to 2'),
    });
    const valid = tensor(BigInt64Array.of(0n, -3n, 2n), [3], 'int64');
    expect(await run(graph, { ids: valid }, options)).toEqual([1, 2, 1, 2, 5, 6]);
  });

  it('also behind casts and shapes, and for tuples of indices', async () => {
    const at = tensor([0, 1, 2, 2], [4]); // float32: [[0, 1], [2, 2]] is beyond the second axis
    const updates = tensor([7, 8], [2]);
    const shape = tensor([2, 2], [2], 'int64');
    const nodes = [
      node('Cast', ['at'], 'integers', { to: 7 }),
      node('Reshape', ['integers', 'shape'], 'tuples'),
      node('ScatterND', ['data', 'tuples', 'updates'], 'y'),
    ];
    const feeds = { data, at, updates };
    await expect(run(graphOf(nodes, feeds, { shape }), feeds, options)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      path: 'feeds.at[3]',
    });
  });

  it.each(['Gather', 'GatherElements'])('a constant one of %s is refused', async (op) => {
    const indices = tensor([0, 3], [1, 2], 'int64');
    const graph = graphOf([node(op, ['data', 'indices'], 'y')], { data }, { indices });
    await expect(run(graph, { data }, options)).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
      path: 'graph.nodes[0].inputs[1][1]',
    });
  });
});

describe('indices that the device makes', () => {
  // Integers that only the device knows: fed ones less nothing.
  const made = (values: readonly number[], dims: readonly number[]) => ({
    feed: tensor(values, dims, 'int64'),
    nodes: [node('Sub', ['raw', 'zero'], 'indices')],
    zero: tensor([0], [], 'int64'),
  });
  const onDevice = (
    last: Node,
    values: readonly number[],
    dims: readonly number[],
    more: Readonly<Record<string, Tensor>> = {},
  ) => {
    const { feed, nodes, zero } = made(values, dims);
    const feeds = { data, raw: feed, ...more };
    return run(graphOf([...nodes, last], feeds, { zero }), feeds, { device });
  };

  it('give NaN instead of some row: Gather', async () => {
    const y = await onDevice(node('Gather', ['data', 'indices'], 'y'), [2, 3, -3, -4], [4]);
    expect(y).toEqual([5, 6, NaN, NaN, 1, 2, NaN, NaN]);
  });

  it('give NaN instead of some element: GatherElements', async () => {
    const last = node('GatherElements', ['data', 'indices'], 'y', { axis: 1 });
    expect(await onDevice(last, [1, 2, -2, -3], [2, 2])).toEqual([2, NaN, 3, NaN]);
  });

  it('give a line of NaN: ScatterElements', async () => {
    const last = node('ScatterElements', ['data', 'indices', 'updates'], 'y', { axis: 1 });
    const updates = tensor([7, 8], [2, 1]);
    expect(await onDevice(last, [-1, 2], [2, 1], { updates })).toEqual([1, 7, NaN, NaN, 5, 6]);
  });

  it('give NaN everywhere: ScatterND', async () => {
    const last = node('ScatterND', ['data', 'indices', 'updates'], 'y');
    const updates = tensor([7, 8], [1, 2]);
    expect(await onDevice(last, [3], [1, 1], { updates })).toEqual(Array(6).fill(NaN));
    expect(await onDevice(last, [-1], [1, 1], { updates })).toEqual([1, 2, 3, 4, 7, 8]);
  });
});
