// Attributes in normal form: what an operator makes of them once, for the reference and the kernels.
import { describe, expect, it } from 'vitest';
import type { Node } from '../../src/graph.ts';
import { operatorOf, type OperatorParams } from '../../src/ops/index.ts';
import { toHost } from '../../src/ops/value.ts';
import type { Lower } from '../../src/plan/lowering.ts';
import type { LowerOf } from '../../src/plan/lower/operator.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { list } from '../support/operator-case.ts';

type Name = keyof OperatorParams;

const zeros = (...dims: number[]): Tensor =>
  tensor(new Float32Array(dims.reduce((a, b) => a * b, 1)), dims);
const scalar = (value: number): Tensor => tensor(BigInt64Array.of(BigInt(value)), []);

/** The parameters of a node with these inputs, whose numbers are all known. */
function paramsOf(op: Name, inputs: readonly (Tensor | undefined)[], attributes = {}): unknown {
  const names = inputs.map((input, slot) => (input === undefined ? '' : `x${slot}`));
  const node: Node = { op, name: 'node', inputs: names, outputs: ['y'], attributes };
  const host = (slot: number) => inputs[slot] && toHost(inputs[slot]);
  return operatorOf(node, 'graph.nodes[0]').infer(node, inputs, host, 'graph.nodes[0]').params;
}

describe('parameters', () => {
  // Types make sure that each row expects exactly what the operator of its name makes.
  type Row = {
    [N in Name]: [N, readonly (Tensor | undefined)[], Node['attributes'], OperatorParams[N]];
  }[Name];
  const NUMBERS = { epsilon: 1e-5 };

  it.each<Row>([
    // Axes count from the front; left out, they are all axes, or those of the specification.
    ['Concat', [zeros(2, 3), zeros(2, 3)], { axis: -1 }, { axis: 1 }],
    ['Softmax', [zeros(2, 3, 4)], {}, { axis: 2 }],
    ['Gather', [zeros(2, 3), list([0])], {}, { axis: 0 }],
    ['OneHot', [zeros(2, 3), scalar(4), tensor([0, 1])], {}, { axis: 2 }],
    ['ReduceSum', [zeros(2, 3, 4)], {}, { axes: [0, 1, 2] }],
    ['ReduceSum', [zeros(2, 3, 4)], { noop_with_empty_axes: 1 }, { axes: [] }],
    ['ReduceMax', [zeros(2, 3, 4), list([-1, 0])], {}, { axes: [2, 0] }],
    ['Transpose', [zeros(2, 3, 4)], {}, { perm: [2, 1, 0] }],
    ['LayerNormalization', [zeros(2, 3, 4), zeros(4)], {}, { axis: 2, ...NUMBERS }],
    [
      'CumSum',
      [zeros(2, 3), scalar(-2)],
      { reverse: 1 },
      { axis: 0, exclusive: false, reverse: true },
    ],
    // Bounds of a slice within the input, and for every axis.
    [
      'Slice',
      [zeros(4, 5, 6), list([-3, 99]), list([9, -99]), list([-1, 0]), list([2, -1])],
      {},
      { starts: [3, 0, 3], steps: [-1, 1, 2] },
    ],
    [
      'Pad',
      [zeros(2, 3, 4), list([5, 6]), undefined, list([-1])],
      { mode: 'edge' },
      { mode: 'edge', before: [0, 0, 5] },
    ],
    // Padding of windows, whatever the attributes that say so.
    [
      'Conv',
      [zeros(1, 2, 9), zeros(4, 1, 4)],
      { group: 2, pads: [1, 2] },
      { kernel: [4], strides: [1], dilations: [1], before: [1], after: [2], groups: 2 },
    ],
    [
      'Conv',
      [zeros(1, 1, 9), zeros(1, 1, 4)],
      { auto_pad: 'SAME_LOWER', strides: [2] },
      { kernel: [4], strides: [2], dilations: [1], before: [2], after: [1], groups: 1 },
    ],
    [
      'AveragePool',
      [zeros(1, 1, 9)],
      { kernel_shape: [2], auto_pad: 'VALID', count_include_pad: 1 },
      { kernel: [2], strides: [1], dilations: [1], before: [0], after: [0], countPad: true },
    ],
    [
      'ConvTranspose',
      [zeros(1, 1, 3), zeros(1, 1, 4)],
      { strides: [2], output_shape: [5] },
      { kernel: [4], strides: [2], dilations: [1], before: [2], after: [1], groups: 1 },
    ],
    // Defaults of activations are those of their formulas; Selu calls the second one gamma.
    ['LeakyRelu', [zeros(2)], {}, { alpha: 0.01, beta: 0 }],
    ['Selu', [zeros(2)], { gamma: 3 }, { alpha: 1.6732632423543772, beta: 3 }],
    ['Cast', [zeros(2)], { to: 7 }, { to: 'int64' }],
    [
      'Gemm',
      [zeros(3, 2), zeros(3, 4)],
      { transA: 1 },
      { transA: true, transB: false, alpha: 1, beta: 1 },
    ],
    ['Add', [zeros(2), zeros(2)], {}, undefined],
  ])('%s, row %#', (op, inputs, attributes, expected) => {
    expect(paramsOf(op, inputs, attributes)).toEqual(expected);
  });
});

// The compiler checks these: a lowering reads the parameters of its operator and no others.
const transpose: LowerOf<'Transpose'> = ({ params }) => void params.perm;
// @ts-expect-error Slice makes starts and steps
const slice: LowerOf<'Slice'> = transpose;
// @ts-expect-error Add makes none
const add: LowerOf<'Add'> = transpose;
// @ts-expect-error what lowers every operator can read none
const every: Lower = ({ params }) => void params.perm;
void [slice, add, every];
