// Which inputs must be known as numbers before a plan is made, however far they are from what they decide.
import { expect, it } from 'vitest';
import type { Graph, Node } from '../../../src/graph.ts';
import { hostInputsOf } from '../../../src/plan/specialize/shape-inputs.ts';
import { tensor } from '../../../src/tensor.ts';

const node = (op: string, inputs: readonly string[], output: string): Node => {
  return { op, name: output, inputs, outputs: [output], attributes: {} };
};

/** X [N, 4] reshaped by a value that some nodes make. */
const reshapedBy = (...nodes: readonly Node[]): Graph => ({
  name: 'reshaped',
  inputs: [
    { name: 'X', type: 'float32', dims: ['N', 4] },
    { name: 'n', type: 'int64', dims: [2] },
  ],
  outputs: [{ name: 'Y', type: 'float32', dims: ['A', 'B'] }],
  constants: new Map([['one', tensor(BigInt64Array.of(1n), [1])]]),
  nodes: [...nodes, node('Reshape', ['X', 'shape'], 'Y')],
});

it('an input whose numbers are a shape after several operators is one', () => {
  const graph = reshapedBy(
    node('Neg', ['n'], 'negated'),
    node('Abs', ['negated'], 'absolute'),
    node('Mul', ['absolute', 'one'], 'scaled'),
    node('Identity', ['scaled'], 'shape'),
  );
  expect([...hostInputsOf(graph)]).toEqual(['n']);
});

it('an input of which only the shape counts is none', () => {
  const graph = reshapedBy(node('Shape', ['X'], 'dims'), node('Mul', ['dims', 'one'], 'shape'));
  expect([...hostInputsOf(graph)]).toEqual([]);
});
