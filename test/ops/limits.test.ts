// What a few bytes ask for is refused before it is allocated, by every operator that can enlarge its inputs.
import { describe, expect, it } from 'vitest';
import { loadModel } from '../../src/index.ts';
import type { Graph } from '../../src/graph.ts';
import { runReference } from '../../src/reference.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { list, nodeOf, type OperatorCase } from '../support/operator-case.ts';

const one = tensor([1], [1]);
const scalar = (value: number): Tensor => tensor([value], [], 'int64');
const HUGE = 2 ** 27;

const CASES: readonly OperatorCase[] = [
  { op: 'Expand', inputs: [one, list([2 ** 20, 2 ** 20])] },
  { op: 'Tile', inputs: [one, list([HUGE])] },
  { op: 'ConstantOfShape', inputs: [list([HUGE])] },
  { op: 'Pad', inputs: [one, list([0, HUGE])] },
  { op: 'Range', inputs: [scalar(0), scalar(HUGE), scalar(1)] },
  { op: 'OneHot', inputs: [list([0]), scalar(HUGE), tensor([0, 1], [2])] },
  {
    op: 'Add',
    inputs: [
      tensor(new Float32Array(2 ** 14), [2 ** 14, 1]),
      tensor(new Float32Array(2 ** 14), [2 ** 14]),
    ],
  },
  {
    op: 'MatMul',
    inputs: [
      tensor(new Float32Array(2 ** 14), [2 ** 14, 1]),
      tensor(new Float32Array(2 ** 14), [1, 2 ** 14]),
    ],
  },
  {
    op: 'ConvTranspose',
    inputs: [tensor([1, 1], [1, 1, 2]), tensor([1], [1, 1, 1])],
    attributes: { strides: [HUGE] },
  },
];

/** The case as a graph whose inputs are constants, so that only its own numbers decide. */
function graphOf(operatorCase: OperatorCase): Graph {
  const node = nodeOf(operatorCase);
  const constants = new Map<string, Tensor>();
  operatorCase.inputs.forEach((input, slot) => {
    if (input) constants.set(`x${slot}`, input);
  });
  const outputs = [{ name: 'y0', type: 'float32' as const, dims: [] }];
  return { name: 'huge', inputs: [], outputs, constants, nodes: [node] };
}

describe('limits.maxLiveElements', () => {
  it.each(CASES)('$op', (operatorCase) => {
    const run = () => runReference(graphOf(operatorCase), {});
    expect(run).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED', path: 'graph.nodes[0]' }),
    );
  });

  it('counts what a graph holds at once, and is an option', async () => {
    const node = (from: string, to: string) => ({
      op: 'Neg',
      name: to,
      inputs: [from],
      outputs: [to],
      attributes: {},
    });
    const graph: Graph = {
      name: 'chain',
      inputs: [{ name: 'x', type: 'float32', dims: [4] }],
      outputs: [{ name: 'c', type: 'float32', dims: [4] }],
      constants: new Map(),
      nodes: [node('x', 'a'), node('a', 'b'), node('b', 'c')],
    };
    const x = tensor([1, 2, 3, 4], [4]);
    const limited = (maxLiveElements: number) =>
      loadModel(graph, { device: 'reference', limits: { maxLiveElements } });
    await expect((await limited(11)).run({ x })).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      path: 'graph.nodes[2]',
    });
    const { c } = await (await limited(12)).run({ x });
    expect([...(c!.data as Float32Array)]).toEqual([-1, -2, -3, -4]);
  });
});
