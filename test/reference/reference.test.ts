// The interpreter: graphs of several nodes, branches, and what it refuses to be fed.
import { describe, expect, it } from 'vitest';
import { checkFeeds } from '../../src/feeds.ts';
import { RnnError } from '../../src/errors.ts';
import {
  validateGraph,
  type Attribute,
  type Graph,
  type Node,
  type ValueInfo,
} from '../../src/graph.ts';
import { toHost, toTensor } from '../../src/ops/value.ts';
import { runReference } from '../../src/reference.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { expectClose } from '../support/close.ts';
import { writeOnnx } from '../support/onnx-writer.ts';
import { runOnnxRuntime } from '../support/onnxruntime.ts';

const node = (
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
): Node => ({ op, name: outputs.join(' '), inputs, outputs, attributes });

const float = (name: string, ...dims: (number | string)[]): ValueInfo => ({
  name,
  type: 'float32',
  dims,
});

const graphOf = (parts: Partial<Graph>): Graph => ({
  name: 'test',
  inputs: [],
  outputs: [],
  constants: new Map(),
  nodes: [],
  ...parts,
});

// y = x > 0 ? x · two + inner : -shifted, where both branches read values from outside.
const branching = graphOf({
  inputs: [float('x')],
  outputs: [float('y')],
  constants: new Map<string, Tensor>([
    ['zero', tensor([0], [])],
    ['two', tensor([2], [])],
  ]),
  nodes: [
    node('Greater', ['x', 'zero'], ['positive']),
    node('Add', ['x', 'two'], ['shifted']),
    node('If', ['positive'], ['y'], {
      then_branch: graphOf({
        outputs: [float('sum')],
        constants: new Map<string, Tensor>([['ten', tensor([10], [])]]),
        nodes: [node('Mul', ['x', 'two'], ['double']), node('Add', ['double', 'ten'], ['sum'])],
      }),
      else_branch: graphOf({
        outputs: [float('negative')],
        nodes: [node('Neg', ['shifted'], ['negative'])],
      }),
    }),
  ],
});

describe('runReference', () => {
  it.each([
    [3, 16],
    [-5, 3],
  ])('takes the branch that the condition says: %d gives %d', async (x, y) => {
    validateGraph(branching);
    const feeds = { x: tensor([x], []) };
    expect(runReference(branching, feeds).get('y')).toEqual({
      type: 'float32',
      dims: [],
      data: Float64Array.of(y),
    });
    const onnx = (graph: Graph): Parameters<typeof writeOnnx>[0] => ({
      ...graph,
      initializers: Object.fromEntries(graph.constants),
      nodes: graph.nodes.map((item) => ({
        ...item,
        attributes: Object.fromEntries(
          Object.entries(item.attributes).map(([key, value]) => [key, onnx(value as Graph)]),
        ),
      })),
    });
    const theirs = await runOnnxRuntime(writeOnnx(onnx(branching)), feeds);
    expect(theirs['y']!.data).toEqual(Float32Array.of(y));
  });

  it('keeps what a branch makes inside', () => {
    const feeds = { x: tensor([1], []) };
    expect(() => runReference(branching, feeds, ['double'])).toThrow(
      /outputs\[0\]: unknown value, got 'double'/,
    );
  });

  it('computes inner values on demand, and nothing that nobody wants', () => {
    const graph = graphOf({
      inputs: [float('x', 2)],
      outputs: [float('a', 2), float('b', 2)],
      constants: new Map<string, Tensor>([['far', tensor([9], [1], 'int64')]]),
      nodes: [
        node('Neg', ['x'], ['n']),
        node('Exp', ['n'], ['a']),
        node('Gather', ['x', 'far'], ['out of range']),
        node('Neg', ['out of range'], ['b']),
      ],
    });
    const feeds = { x: tensor([0, 1]) };
    expect([...runReference(graph, feeds, ['a', 'n']).keys()]).toEqual(['a', 'n']);
    expect(runReference(graph, feeds, ['n']).get('n')!.data).toEqual(Float64Array.of(-0, -1));
    expect(() => runReference(graph, feeds)).toThrow(
      /^graph\.nodes\[2\]\.inputs\[1\]\[0\]: index, got 9/,
    );
    expect(runReference(graph, feeds, ['x']).get('x')!.data).toEqual(Float64Array.of(0, 1));
  });

  it('says where inside a branch something is wrong', () => {
    const graph = graphOf({
      inputs: [{ name: 'c', type: 'bool', dims: [] }],
      outputs: [float('y')],
      nodes: [
        node('If', ['c'], ['y'], {
          then_branch: graphOf({ outputs: [float('t')], nodes: [node('Nope', ['c'], ['t'])] }),
        }),
      ],
    });
    const bool = (value: number): Tensor => tensor(Uint8Array.of(value), [], 'bool');
    expect(() => runReference(graph, { c: bool(1) })).toThrow(
      /^graph\.nodes\[0\]\.then_branch\.nodes\[0\]: operator/,
    );
    expect(() => runReference(graph, { c: bool(0) })).toThrow(
      /^graph\.nodes\[0\]\.else_branch: If 'y', got nothing, expected a graph/,
    );
  });

  it('wants one condition', () => {
    const graph = graphOf({ ...branching, inputs: [float('x', 2)] });
    expect(() => runReference(graph, { x: tensor([1, 2]) })).toThrow(
      /^graph\.nodes\[2\]\.inputs\[0\]: condition of If 'y', got \[2\], expected one element/,
    );
  });

  it('carries float64 through, and rounds only when a tensor is made', () => {
    const graph = graphOf({
      inputs: [float('x', 1)],
      outputs: [float('y', 1)],
      nodes: [node('Exp', ['x'], ['y'])],
    });
    const y = runReference(graph, { x: tensor([1]) }).get('y')!;
    expectClose(y.data, [Math.E], { atol: 1e-15 });
    expect(toTensor(y).data).toEqual(Float32Array.of(Math.E));
  });
});

describe('checkFeeds', () => {
  const inputs: readonly ValueInfo[] = [
    float('x', 'T', 'B', 3),
    { name: 'lengths', type: 'int32', dims: ['B'] },
  ];
  const x = tensor(new Float32Array(24), [4, 2, 3]);
  const lengths = tensor(Int32Array.of(4, 1), [2]);

  it('tells the sizes of the free dimensions', () => {
    expect(checkFeeds(inputs, { x, lengths })).toEqual(
      new Map([
        ['T', 4],
        ['B', 2],
      ]),
    );
  });

  it.each<[string, Record<string, Tensor>, string, string]>([
    [
      'nothing',
      { x },
      'INVALID_ARGUMENT',
      'feeds.lengths: input, got nothing, expected a tensor int32 [B]',
    ],
    [
      'an unknown name',
      { x, lengths, y: x },
      'INVALID_ARGUMENT',
      "feeds.y: unknown input, got 'y', expected x, lengths",
    ],
    [
      'another type',
      { x, lengths: tensor([4, 1]) },
      'INVALID_ARGUMENT',
      'feeds.lengths: element type, got float32, expected int32',
    ],
    [
      'another rank',
      { x: tensor(new Float32Array(24)), lengths },
      'SHAPE_MISMATCH',
      'feeds.x: shape, got [24], expected float32 [T, B, 3]',
    ],
    [
      'another fixed size',
      { x: tensor(new Float32Array(32), [4, 2, 4]), lengths },
      'SHAPE_MISMATCH',
      'feeds.x.dims[2]: size, got 4, expected 3',
    ],
    [
      'two sizes of one free dimension',
      { x, lengths: tensor(Int32Array.of(1, 2, 3)) },
      'SHAPE_MISMATCH',
      'feeds.lengths.dims[0]: size, got 3, expected 2 (B',
    ],
    [
      'fewer numbers than it says',
      { x: { ...x, data: new Float32Array(3) }, lengths },
      'SHAPE_MISMATCH',
      'feeds.x.data: elements, got 3, expected 24 for [4, 2, 3]',
    ],
    [
      'an array',
      { x: [1] as unknown as Tensor, lengths },
      'INVALID_ARGUMENT',
      'feeds.x: input, got something else',
    ],
  ])('refuses %s', (_, feeds, code, message) => {
    try {
      checkFeeds(inputs, feeds);
      expect.unreachable();
    } catch (error) {
      expect((error as Error).message).toContain(message);
      expect(error).toBeInstanceOf(RnnError);
      expect((error as RnnError).code).toBe(code);
    }
  });

  it('does not take what every object has for a feed', () => {
    expect(() => checkFeeds([float('toString', 1)], {})).toThrow(
      /feeds\.toString: input, got nothing/,
    );
  });
});

describe('values', () => {
  const int64 = (...values: bigint[]): Tensor => tensor(BigInt64Array.from(values));

  it('64-bit integers are exact or refused', () => {
    expect(toHost(int64(2n ** 53n - 1n, -3n)).data).toEqual(Float64Array.of(2 ** 53 - 1, -3));
    expect(() => toHost(int64(0n, 2n ** 53n + 1n), 'feeds.x')).toThrow(
      /^feeds\.x\[1\]: int64 beyond 2\^53, got 9007199254740993/,
    );
    expect(() => toHost(tensor(BigUint64Array.of(2n ** 60n)))).toThrow(/uint64 beyond/);
  });

  it('the ends of int64 survive, for they mean all there is', () => {
    const ends = int64(2n ** 63n - 1n, -(2n ** 63n));
    expect(toTensor(toHost(ends))).toEqual(ends);
  });

  it('round trips every type', () => {
    for (const type of [
      'float32',
      'float64',
      'float16',
      'int8',
      'uint8',
      'int16',
      'uint16',
      'int32',
      'uint32',
      'int64',
      'uint64',
      'bool',
    ] as const) {
      const value = tensor([1, 0, 1], [3, 1], type);
      expect(toTensor(toHost(value))).toEqual(value);
    }
    expect(() =>
      toTensor({ type: 'int64', dims: [1], data: Float64Array.of(2 ** 60) }, 'y'),
    ).toThrow(/^y\[0\]: int64 beyond/);
  });
});
