// What a call varies is never part of a kernel: new sizes compile nothing.
import { expect, it } from 'vitest';
import type { Attribute, Graph, Node } from '../../src/graph.ts';
import { runReference } from '../../src/reference.ts';
import { type Tensor, tensor } from '../../src/tensor.ts';
import { expectClose } from '../support/close.ts';
import { floats, list } from '../support/operator-case.ts';
import { randomOf } from '../support/random.ts';
import { SEED } from '../support/settings.ts';
import { withModel } from './run-cases.ts';

const random = randomOf(SEED);
const H = 6;

type AddNode = (
  op: string,
  inputs: readonly (string | Tensor)[],
  attributes?: Readonly<Record<string, Attribute>>,
) => string;

/** A graph of x [B, T, H]; `build` adds nodes, whose tensors become constants, and names outputs. */
function graphOf(build: (node: AddNode) => readonly string[]): Graph {
  const constants = new Map<string, Tensor>();
  const nodes: Node[] = [];
  const results = build((op, inputs, attributes = {}) => {
    const name = `${op}${nodes.length}`;
    const names = inputs.map((input, slot) => {
      if (typeof input === 'string') return input;
      constants.set(`${name}x${slot}`, input);
      return `${name}x${slot}`;
    });
    nodes.push({ op, name, inputs: names, outputs: [name], attributes });
    return name;
  });
  return {
    name: 'new shapes',
    inputs: [{ name: 'x', type: 'float32', dims: ['B', 'T', H] }],
    outputs: results.map((name) => ({ name, type: 'float32', dims: [] })),
    constants,
    nodes,
  };
}

async function expectNoNewKernels(
  graph: Graph,
  shapes: readonly (readonly [batch: number, steps: number])[],
): Promise<void> {
  const names = graph.outputs.map(({ name }) => name);
  await withModel(graph, async (model) => {
    let pipelines = 0;
    for (const [batch, steps] of shapes) {
      const feeds = { x: floats(random, [batch, steps, H]) };
      const got = await model.run(feeds);
      for (const [name, { dims, data }] of runReference(graph, feeds, names)) {
        expect(got[name]!.dims).toEqual(dims);
        const label = `${name} at B ${batch}, T ${steps}`;
        expectClose(got[name]!.data, data, { rtol: 1e-5, label, dims });
      }
      if (pipelines === 0) pipelines = model.usage.pipelines;
      expect(model.usage.pipelines, `B ${batch}, T ${steps}`).toBe(pipelines);
    }
    expect(pipelines).toBeGreaterThan(0);
  });
}

it('new sizes compile nothing, nor do axes that vanish or merge at a size of 1', async () => {
  const graph = graphOf((node) => {
    const channels = node('Transpose', ['x'], { perm: [0, 2, 1] });
    const mean = node('ReduceMean', ['x', list([1])], { keepdims: 1 });
    return [
      channels,
      mean,
      node('Add', ['x', mean]),
      node('Mul', [floats(random, [H]), 'x']),
      node('Where', [tensor([0, 1, 1, 0, 1, 0], [H], 'bool'), 'x', mean]),
      node('Relu', ['x']),
      node('Concat', ['x', 'x'], { axis: 1 }),
      node('Slice', ['x', list([-1]), list([-1000]), list([1]), list([-1])]),
      node('Tile', ['x', list([2, 3, 1])]),
      node('Pad', ['x', list([0, 1, 0, 0, 1, 0])]),
      node('Softmax', ['x'], { axis: 1 }),
      node('LayerNormalization', ['x', floats(random, [H]), floats(random, [H])]),
      node('ReduceMax', ['x', list([0, 2])]),
      node('CumSum', ['x', tensor([1], [], 'int64')]),
      node('ArgMax', ['x'], { axis: 1 }),
      node('TopK', ['x', list([1])]),
      node('GlobalAveragePool', [channels]),
      node('MaxPool', [channels], { kernel_shape: [2], pads: [1, 1] }),
      node('InstanceNormalization', [channels, floats(random, [H]), floats(random, [H])]),
      node('Gather', ['x', tensor([0, -1], [2], 'int64')], { axis: 1 }),
    ];
  });
  await expectNoNewKernels(graph, [
    [2, 7],
    [1, 41],
    [13, 1],
    [1, 1],
    [3, 300],
    [65, 2],
  ]);
});

it('products and convolutions choose by few, some or many rows and by nothing else', async () => {
  const graph = graphOf((node) => {
    const channels = node('Transpose', ['x'], { perm: [0, 2, 1] });
    const conv = node('Conv', [channels, floats(random, [4, H, 3]), floats(random, [4])], {
      pads: [1, 1],
    });
    return [
      conv,
      node('MatMul', ['x', floats(random, [H, 5])]),
      node('MatMul', ['x', channels]),
      node('ConvTranspose', [conv, floats(random, [4, 3, 2])], { strides: [2] }),
    ];
  });
  await expectNoNewKernels(graph, [
    [2, 7],
    [1, 41],
    [4, 5],
    [1, 64],
  ]);
  await expectNoNewKernels(graph, [
    [1, 65],
    [1, 300],
    [2, 77],
  ]);
});
