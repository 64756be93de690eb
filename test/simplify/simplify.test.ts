// A simplified graph gives the same numbers under the same names, with less to do.
import { describe, expect, it } from 'vitest';
import { isGraph, validateGraph, type Attribute, type Graph, type Node } from '../../src/graph.ts';
import { runReference } from '../../src/reference.ts';
import { simplify } from '../../src/simplify/index.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { expectClose } from '../support/close.ts';

let count = 0;

function node(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
): Node {
  return { op, name: `${op}_${count++}`, inputs, outputs, attributes };
}

interface Parts {
  readonly nodes: readonly Node[];
  readonly constants?: Readonly<Record<string, Tensor>>;
  readonly outputs?: readonly string[];
  readonly dims?: readonly (number | string)[];
}

/** A graph with a float input x and an output y. */
function graphOf({ nodes, constants = {}, outputs = ['y'], dims = [2, 3] }: Parts): Graph {
  const graph: Graph = {
    name: 'test',
    inputs: [{ name: 'x', type: 'float32', dims }],
    outputs: outputs.map((name) => ({ name, type: 'float32', dims: [] })),
    constants: new Map(Object.entries(constants)),
    nodes,
  };
  validateGraph(graph);
  return graph;
}

/** A branch of an If. */
function branchOf(
  nodes: readonly Node[],
  outputs: readonly string[],
  constants: Readonly<Record<string, Tensor>> = {},
): Graph {
  return {
    name: 'branch',
    inputs: [],
    outputs: outputs.map((name) => ({ name, type: 'float32', dims: [] })),
    constants: new Map(Object.entries(constants)),
    nodes,
  };
}

const x = tensor([1, -2, 3, -4, 5, -6], [2, 3]);
const ints = (...values: number[]): Tensor =>
  tensor(BigInt64Array.from(values, BigInt), [values.length]);
const bool = (value: boolean): Tensor => tensor(Uint8Array.of(Number(value)), [], 'bool');

/** The simplified graph, once it is known to compute the same. */
function simplified(graph: Graph): Graph {
  const simple = simplify(graph);
  validateGraph(simple);
  expect(simple.inputs).toEqual(graph.inputs);
  expect(simple.outputs).toEqual(graph.outputs);
  const expected = runReference(graph, { x });
  for (const [name, { type, dims, data }] of runReference(simple, { x })) {
    const want = expected.get(name)!;
    expect({ type, dims }).toEqual({ type: want.type, dims: want.dims });
    expectClose(data, want.data, { atol: 0, rtol: 1e-6, label: name });
  }
  return simple;
}

const opsOf = (graph: Graph): string[] => graph.nodes.map(({ op }) => op);

describe('constants', () => {
  it('what follows from constants is one', () => {
    const simple = simplified(
      graphOf({
        nodes: [
          node('Add', ['a', 'b'], ['c']),
          node('Exp', ['c'], ['d']),
          node('Transpose', ['d'], ['e'], { perm: [1, 0] }),
          node('MatMul', ['x', 'e'], ['y']),
        ],
        constants: { a: tensor([1, 2, 3, 4, 5, 6], [2, 3]), b: tensor([0.1]) },
      }),
    );
    expect(opsOf(simple)).toEqual(['MatMul']);
    expect([...simple.constants.keys()]).toEqual(['e']);
  });

  it('results are rounded to their type', () => {
    const simple = simplified(
      graphOf({
        nodes: [node('Div', ['one', 'three'], ['c']), node('Mul', ['x', 'c'], ['y'])],
        constants: { one: tensor([1]), three: tensor([3]) },
      }),
    );
    expect(simple.constants.get('c')).toEqual(tensor([Math.fround(1 / 3)]));
  });

  it('an output may be one', () => {
    const simple = simplified(
      graphOf({ nodes: [node('Neg', ['a'], ['y'])], constants: { a: tensor([4]) } }),
    );
    expect(simple.nodes).toEqual([]);
    expect(simple.constants.get('y')).toEqual(tensor([-4]));
  });

  it('the shape of an input is one where it is fixed', () => {
    const nodes = [
      node('Shape', ['x'], ['shape']),
      node('Gather', ['shape', 'first'], ['rows']),
      node('Concat', ['rows', 'one'], ['wanted'], { axis: 0 }),
      node('ConstantOfShape', ['wanted'], ['ones'], { value: tensor([1]) }),
      node('Add', ['x', 'ones'], ['y']),
    ];
    const constants = { first: ints(0), one: ints(1) };
    expect(opsOf(simplified(graphOf({ nodes, constants })))).toEqual(['Add']);
    const free = simplified(graphOf({ nodes, constants, dims: ['rows', 3] }));
    expect(opsOf(free)).toEqual(['Shape', 'Gather', 'Concat', 'ConstantOfShape', 'Add']);
  });

  it('also further in, once the shapes on the way are known', () => {
    const simple = simplified(
      graphOf({
        nodes: [
          node('Transpose', ['x'], ['t'], { perm: [1, 0] }),
          node('Relu', ['t'], ['r']),
          node('Shape', ['r'], ['shape']),
          node('Reshape', ['x', 'shape'], ['y']),
        ],
      }),
    );
    expect(opsOf(simple)).toEqual(['Reshape']);
    expect(simple.constants.get('shape')).toEqual(ints(3, 2));
  });

  it.each([
    ['Expand', [ints(2 ** 14, 2 ** 14)]],
    ['Tile', [ints(2 ** 20)]],
  ])('%s that would fill memory stays a node', (op, [shape]) => {
    const graph = graphOf({
      nodes: [
        node(op, ['a', 'shape'], ['big']),
        node('ReduceSum', ['big'], ['sum'], { keepdims: 0 }),
        node('Mul', ['x', 'sum'], ['y']),
      ],
      constants: { a: tensor([1, 2].slice(0, op === 'Expand' ? 1 : 2)), shape: shape! },
    });
    expect(opsOf(simplify(graph))).toEqual([op, 'ReduceSum', 'Mul']);
  });

  it('products that would take minutes to compute stay nodes', () => {
    const graph = graphOf({
      nodes: [
        node('MatMul', ['a', 'a'], ['b']),
        node('ReduceSum', ['b'], ['sum'], { keepdims: 0 }),
        node('Mul', ['x', 'sum'], ['y']),
      ],
      constants: { a: tensor(new Float32Array(2 ** 20), [2 ** 10, 2 ** 10]) },
    });
    expect(opsOf(simplify(graph))).toEqual(['MatMul', 'ReduceSum', 'Mul']);
  });

  it('folds of a whole graph end at 2^24 elements read and written', () => {
    const nodes = Array.from({ length: 20_000 }, (_, i) => node('Neg', [`v${i}`], [`v${i + 1}`]));
    const graph = graphOf({
      nodes: [...nodes, node('Mul', ['x', 'v20000'], ['y'])],
      constants: { v0: tensor(new Float32Array(4096), [4096, 1, 1]) },
    });
    const folded = graph.nodes.length - simplify(graph).nodes.length;
    expect(folded).toBe(2 ** 24 / (2 * 4096));
  });

  it('what fails when computed is left for the run to say', () => {
    const graph = graphOf({
      nodes: [node('Reshape', ['a', 'shape'], ['b']), node('Add', ['x', 'b'], ['y'])],
      constants: { a: tensor([1, 2, 3]), shape: ints(2, 2) },
    });
    expect(simplify(graph).nodes).toHaveLength(2);
    expect(() => runReference(simplify(graph), { x })).toThrow(/shape/);
  });
});

describe('nodes that do nothing', () => {
  it('are gone', () => {
    const simple = simplified(
      graphOf({
        nodes: [
          node('Identity', ['x'], ['a']),
          node('Dropout', ['a', 'ratio'], ['b', 'mask']),
          node('Cast', ['b'], ['c'], { to: 'float32' }),
          node('Exp', ['c'], ['d']),
          node('Cast', ['d'], ['e'], { to: 1 }),
          node('Identity', ['e'], ['f']),
          node('Neg', ['f'], ['y']),
        ],
        constants: { ratio: tensor([0.5], []) },
      }),
    );
    expect(opsOf(simple)).toEqual(['Exp', 'Neg']);
    expect(simple.constants.size).toBe(0);
  });

  it('a Cast whose input has a free shape, too', () => {
    const simple = simplified(
      graphOf({
        dims: ['a', 'b'],
        nodes: [
          node('Softmax', ['x'], ['p']),
          node('Cast', ['p'], ['q'], { to: 'float32' }),
          node('Cast', ['q'], ['i'], { to: 'int64' }),
          node('Cast', ['i'], ['y'], { to: 'float32' }),
        ],
      }),
    );
    expect(opsOf(simple)).toEqual(['Softmax', 'Cast', 'Cast']);
  });

  it('a mask that somebody reads keeps its Dropout', () => {
    const graph = graphOf({
      nodes: [
        node('Dropout', ['x'], ['y', 'mask']),
        node('Cast', ['mask'], ['z'], { to: 'float32' }),
      ],
      outputs: ['y', 'z'],
    });
    expect(opsOf(simplified(graph))).toEqual(['Dropout', 'Cast']);
  });

  it('outputs keep their names', () => {
    const simple = simplified(
      graphOf({
        nodes: [
          node('Exp', ['x'], ['a']),
          node('Identity', ['a'], ['y']), // renamed away
          node('Identity', ['a'], ['again']), // a second name for one value
          node('Identity', ['y'], ['more']), // a name for a value that is an output
          node('Identity', ['x'], ['same']), // an input as it is
          node('Identity', ['k'], ['number']), // a constant as it is
        ],
        constants: { k: tensor([7]) },
        outputs: ['y', 'again', 'more', 'same', 'number', 'x'],
      }),
    );
    expect(simple.nodes[0]).toMatchObject({ op: 'Exp', outputs: ['y'] });
    expect(opsOf(simple)).toEqual(['Exp', 'Identity', 'Identity', 'Identity']);
  });
});

describe('what nobody reads', () => {
  it('is gone: nodes, outputs of nodes, constants', () => {
    const simple = simplified(
      graphOf({
        nodes: [
          node('Exp', ['x'], ['unread']),
          node('Split', ['x', 'sizes'], ['y', 'rest'], { axis: 1 }),
          node('Add', ['unread', 'k'], ['alsoUnread']),
        ],
        constants: { k: tensor([1]), sizes: ints(1, 2), other: tensor([2]) },
      }),
    );
    expect(simple.nodes.map(({ outputs }) => outputs)).toEqual([['y', '']]);
    expect([...simple.constants.keys()]).toEqual(['sizes']);
  });

  it('a value that only a branch reads stays', () => {
    const graph = graphOf({
      nodes: [
        node('Exp', ['x'], ['e']),
        node('ReduceSum', ['x'], ['sum'], { keepdims: 0 }),
        node('Greater', ['sum', 'zero'], ['positive']),
        node('If', ['positive'], ['y'], {
          then_branch: branchOf([node('Add', ['e', 'k'], ['t'])], ['t']),
          else_branch: branchOf([node('Neg', ['e'], ['t'])], ['t']),
        }),
      ],
      constants: { zero: tensor([0], []), k: tensor([1]) },
    });
    expect(opsOf(simplified(graph))).toEqual(['Exp', 'ReduceSum', 'Greater', 'If']);
    expect([...simplify(graph).constants.keys()]).toEqual(['zero', 'k']);
  });
});

describe('If', () => {
  const chosen = (value: boolean): Graph =>
    graphOf({
      nodes: [
        node('Not', ['flag'], ['condition']),
        node('If', ['condition'], ['y', 'z'], {
          then_branch: branchOf([node('Neg', ['x'], ['t'])], ['t', 'x']),
          else_branch: branchOf([node('Exp', ['x'], ['t'])], ['k', 't'], { k: tensor([9]) }),
        }),
      ],
      constants: { flag: bool(!value) },
      outputs: ['y', 'z'],
    });

  it.each([
    [true, ['Neg', 'Identity']],
    [false, ['Exp']],
  ])('of a constant condition (%s) is the branch that it takes', (value, ops) => {
    expect(opsOf(simplified(chosen(value)))).toEqual(ops);
  });

  it('branches with the same names inside can both come out', () => {
    const take = (output: string): Node =>
      node('If', ['yes'], [output], {
        then_branch: branchOf(
          [
            { op: 'Mul', name: 'same', inputs: ['x', 'k'], outputs: ['t'], attributes: {} },
            { op: 'Exp', name: 'other', inputs: ['t'], outputs: ['u'], attributes: {} },
          ],
          ['u'],
          { k: tensor([output === 'a' ? 2 : 3]) },
        ),
        else_branch: branchOf([], ['x']),
      });
    const simple = simplified(
      graphOf({
        nodes: [take('a'), take('b'), node('Sub', ['a', 'b'], ['y'])],
        constants: { yes: bool(true) },
      }),
    );
    expect(opsOf(simple)).toEqual(['Mul', 'Exp', 'Mul', 'Exp', 'Sub']);
    expect(new Set(simple.nodes.map(({ name }) => name)).size).toBe(5);
  });

  it('inside of one whose condition is not known it comes out there', () => {
    const inner = node('If', ['yes'], ['t'], {
      then_branch: branchOf([node('Neg', ['e'], ['v'])], ['v']),
      else_branch: branchOf([], ['x']),
    });
    const graph = graphOf({
      nodes: [
        node('Exp', ['x'], ['e']),
        node('ReduceSum', ['x'], ['sum'], { keepdims: 0 }),
        node('Less', ['sum', 'zero'], ['negative']),
        node('If', ['negative'], ['y'], {
          then_branch: branchOf([inner, node('Identity', ['t'], ['w'])], ['w']),
          else_branch: branchOf(
            [node('Add', ['two', 'two'], ['v']), node('Mul', ['x', 'v'], ['w'])],
            ['w'],
          ),
        }),
      ],
      constants: { zero: tensor([0], []), two: tensor([2]), yes: bool(true) },
    });
    const { then_branch, else_branch } = simplified(graph).nodes.at(-1)!.attributes;
    expect(isGraph(then_branch) && opsOf(then_branch)).toEqual(['Neg']);
    expect(isGraph(else_branch) && opsOf(else_branch)).toEqual(['Mul']);
  });

  it('is left alone when it has fewer outputs than it says', () => {
    const graph = graphOf({
      nodes: [
        node('If', ['yes'], ['y', 'z'], {
          then_branch: branchOf([], ['x']),
          else_branch: branchOf([], ['x']),
        }),
      ],
      constants: { yes: bool(true) },
      outputs: ['y', 'z'],
    });
    expect(opsOf(simplify(graph))).toEqual(['If']);
  });
});
