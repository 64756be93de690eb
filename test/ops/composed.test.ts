// What operators that others make up refuse; what they compute is compared in test/differential.
import { expect, it } from 'vitest';
import type { Attribute, Graph } from '../../src/graph.ts';
import { specializeGraph } from '../../src/plan/specialize/infer.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { list } from '../support/operator-case.ts';

/** Specializes one node at these shapes of its inputs; a tensor is a constant. */
function plan(
  op: string,
  inputs: readonly (readonly number[] | Tensor | undefined)[],
  attributes: Readonly<Record<string, Exclude<Attribute, Graph>>> = {},
): unknown {
  const dims = new Map<string, readonly number[]>();
  const constants = new Map<string, Tensor>();
  const names = inputs.map((input, slot) => {
    if (input === undefined) return '';
    const name = `x${slot}`;
    if ('data' in input) constants.set(name, input);
    else dims.set(name, input);
    return name;
  });
  const graph: Graph = {
    name: 'one node',
    inputs: [...dims].map(([name, sizes]) => ({ name, type: 'float32', dims: sizes })),
    outputs: [],
    constants,
    nodes: [{ op, name: 'node', inputs: names, outputs: ['y'], attributes }],
  };
  return specializeGraph(graph, { dims, host: new Map() });
}

const at = list([0, 5]);
const table = tensor([1, 2, 3, 4], [2, 2]);

it.each<[string, Parameters<typeof plan>, string, RegExp]>([
  ['more terms', ['Einsum', [[2]], { equation: 'i,j' }], 'INVALID_MODEL', /one with 1 terms/],
  [
    'too few letters',
    ['Einsum', [[2, 3]], { equation: 'i' }],
    'INVALID_MODEL',
    /a letter for each axis/,
  ],
  ['no letters', ['Einsum', [[2]], { equation: '1->1' }], 'INVALID_MODEL', /expected letters/],
  [
    'an unknown letter',
    ['Einsum', [[2]], { equation: 'i->j' }],
    'INVALID_MODEL',
    /letters of its terms/,
  ],
  ['no equation', ['Einsum', [[2]]], 'INVALID_MODEL', /equation/],
  [
    'sizes',
    ['Einsum', [[2], [3]], { equation: 'i,i->' }],
    'SHAPE_MISMATCH',
    /size of 'i' .* got 3, expected 2/,
  ],
  [
    'a huge diagonal',
    ['Einsum', [[1e5, 1e5]], { equation: 'ii->i' }],
    'LIMIT_EXCEEDED',
    /elements/,
  ],
  [
    'an index',
    ['GatherND', [table, { ...at, dims: [1, 2] }]],
    'SHAPE_MISMATCH',
    /inputs\[1\]\[1\]: index, got 5/,
  ],
  [
    'too many indices',
    ['GatherND', [[2], { ...at, dims: [1, 2] }]],
    'SHAPE_MISMATCH',
    /1 to 1 indices/,
  ],
  ['a batch', ['GatherND', [[2], at], { batch_dims: 3 }], 'INVALID_MODEL', /batch_dims/],
  ['an axis', ['Hardmax', [[2]], { axis: 1 }], 'INVALID_MODEL', /axis out of range/],
  [
    'cubic',
    ['Resize', [[1, 4], undefined, tensor([1, 2])], { mode: 'cubic' }],
    'UNSUPPORTED_OPERATOR',
    /cubic/,
  ],
  [
    'antialias',
    ['Resize', [[4], undefined, tensor([2])], { antialias: 1 }],
    'UNSUPPORTED_OPERATOR',
    /antialias/,
  ],
  ['no scales', ['Resize', [[4]]], 'INVALID_MODEL', /expected scales or sizes/],
  [
    'few scales',
    ['Resize', [[4, 4], undefined, tensor([2])]],
    'SHAPE_MISMATCH',
    /2 numbers above 0/,
  ],
  [
    'a huge size',
    ['Resize', [[4], undefined, undefined, list([2 ** 40])]],
    'LIMIT_EXCEEDED',
    /at most 4194304/,
  ],
])('%s', (_, args, code, says) => {
  expect(() => plan(...args)).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(says) }),
  );
});
