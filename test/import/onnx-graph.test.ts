// The graph in an ONNX file is the graph that comes out, its names and its order made sound.
import { describe, expect, it } from 'vitest';
import { isGraph } from '../../src/graph.ts';
import { importOnnx } from '../../src/import/onnx/index.ts';
import { runReference } from '../../src/reference.ts';
import { tensor } from '../../src/tensor.ts';
import { writeOnnx, type OnnxNode } from '../support/onnx-writer.ts';
import {
  attribute,
  encode,
  input,
  int,
  message,
  model,
  node,
  output,
  text,
} from '../support/proto.ts';

describe('names and shapes', () => {
  const shapeOf = (...dims: Parameters<typeof input>[2][]) =>
    importOnnx(model(input('x', 1, ...dims), output('x', 1, ...dims)));

  it('sizes that are left open get a name', () => {
    const graph = shapeOf(int(1, 2), text(2, 'batch'), int(1, 0), int(99, 1), text(2, ''));
    expect(graph.inputs).toEqual([
      { name: 'x', type: 'float32', dims: [2, 'batch', 'x_dim_2', 'x_dim_3', 'x_dim_4'] },
    ]);
  });

  it('never a name that the file uses', () => {
    const graph = shapeOf(text(2, 'x_dim_1'), int(1, 0));
    expect(graph.inputs[0]!.dims).toEqual(['x_dim_1', 'x_dim_1_1']);
  });

  it('the graph may have the output of no rank, an input never', () => {
    const bare = (field: number) => message(field, text(1, 'x'), message(2, message(1, int(1, 1))));
    expect(importOnnx(model(input('x', 1, int(1, 2)), bare(12))).outputs[0]!.dims).toEqual([]);
    expect(() => importOnnx(model(bare(11), output('x')))).toThrow(/inputs\[0\].*no shape/);
  });

  it('nodes without a name, or with a name again, get one', () => {
    const named = (name: string) => text(3, name);
    const graph = importOnnx(
      model(
        input('x', 1, int(1, 1)),
        node('Relu', ['x'], ['a']),
        node('Relu', ['a'], ['b'], named('twice')),
        node('Relu', ['b'], ['c'], named('twice')),
        node('Relu', ['c'], ['d'], named('Relu_0')),
        output('d'),
      ),
    );
    expect(graph.nodes.map(({ name }) => name)).toEqual(['Relu_0', 'twice', 'twice_1', 'Relu_0_1']);
  });

  it('a weight that is an input too is a weight', () => {
    const graph = importOnnx(
      writeOnnx({
        nodes: [{ op: 'Add', inputs: ['x', 'w'], outputs: ['y'] }],
        inputs: [
          { name: 'x', type: 'float32', dims: [1] },
          { name: 'w', type: 'float32', dims: [1] },
        ],
        outputs: [{ name: 'y', type: 'float32' }],
        initializers: { w: tensor([2]) },
      }),
    );
    expect(graph.inputs.map(({ name }) => name)).toEqual(['x']);
    expect(graph.constants.get('w')).toEqual(tensor([2]));
  });

  it('names such as __proto__ are names', () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
    const graph = importOnnx(
      model(
        ...names.map((name) => input(name, 1, text(2, name))),
        node(
          'None',
          names,
          ['valueOf'],
          text(3, '__proto__'),
          attribute('__proto__', 2, int(3, 1)),
        ),
        output('valueOf', 1, text(2, '__proto__')),
      ),
    );
    expect(graph.inputs.map(({ name }) => name)).toEqual(names);
    expect(graph.nodes[0]!.name).toBe('__proto__');
    expect(Object.getPrototypeOf(graph.nodes[0]!.attributes)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)['1']).toBeUndefined();
  });
});

describe('order', () => {
  const chain = (...order: number[]): Uint8Array => {
    const nodes: readonly OnnxNode[] = [
      { op: 'Neg', inputs: ['x'], outputs: ['a'] },
      { op: 'Exp', inputs: ['a'], outputs: ['b'] },
      { op: 'Add', inputs: ['a', 'b'], outputs: ['y'] },
    ];
    return writeOnnx({
      nodes: order.map((i) => nodes[i]!),
      inputs: [{ name: 'x', type: 'float32', dims: [1] }],
      outputs: [{ name: 'y', type: 'float32' }],
    });
  };

  it.each([[[0, 1, 2]], [[2, 1, 0]], [[1, 2, 0]], [[2, 0, 1]]])(
    '%j becomes one that runs',
    (order) => {
      const graph = importOnnx(chain(...order));
      expect(graph.nodes.map(({ op }) => op)).toEqual(['Neg', 'Exp', 'Add']);
      expect(runReference(graph, { x: tensor([1]) }).get('y')!.data[0]).toBeCloseTo(
        -1 + Math.exp(-1),
      );
    },
  );

  it('a node waits for what the graphs inside of it read', () => {
    const branch = (op: string) => ({
      nodes: [{ op, inputs: ['late'], outputs: [op] }],
      outputs: [{ name: op, type: 'float32' as const }],
    });
    const graph = importOnnx(
      writeOnnx({
        nodes: [
          {
            op: 'If',
            inputs: ['c'],
            outputs: ['y'],
            attributes: { then_branch: branch('Neg'), else_branch: branch('Abs') },
          },
          { op: 'Exp', inputs: ['x'], outputs: ['late'] },
        ],
        inputs: [
          { name: 'c', type: 'bool', dims: [] },
          { name: 'x', type: 'float32', dims: [1] },
        ],
        outputs: [{ name: 'y', type: 'float32' }],
      }),
    );
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Exp', 'If']);
  });

  it('a long chain needs no deep stack', () => {
    const count = 50_000;
    const nodes = Array.from({ length: count }, (_, i) =>
      node('Neg', [i === 0 ? 'x' : `v${i - 1}`], [`v${i}`]),
    );
    const graph = importOnnx(
      model(input('x', 1, int(1, 1)), ...nodes.toReversed(), output(`v${count - 1}`)),
    );
    expect(graph.nodes).toHaveLength(count);
  });
});

describe('If', () => {
  const branch = (op: string, factor: number) => ({
    nodes: [
      {
        op: 'Constant',
        inputs: [],
        outputs: ['k'],
        attributes: { value_float: { float: factor } },
      },
      // Both names exist outside: legal for neither of them, yet files do it.
      { op, inputs: ['x', 'k'], outputs: ['outside'] },
      { op: 'Add', inputs: ['outside', 'free'], outputs: ['out'] },
    ],
    outputs: [{ name: 'out', type: 'float32' as const }],
  });
  const file = writeOnnx({
    nodes: [
      { op: 'Exp', inputs: ['x'], outputs: ['outside'] },
      { op: 'Neg', inputs: ['outside'], outputs: ['free'] },
      {
        op: 'If',
        inputs: ['c'],
        outputs: ['z'],
        attributes: { then_branch: branch('Mul', 3), else_branch: branch('Add', 10) },
      },
      { op: 'Add', inputs: ['z', 'outside'], outputs: ['y'] },
    ],
    inputs: [
      { name: 'c', type: 'bool', dims: [] },
      { name: 'x', type: 'float32', dims: [1] },
    ],
    outputs: [{ name: 'y', type: 'float32' }],
  });

  it.each([
    [1, 2 * 3],
    [0, 2 + 10],
  ])('with condition %d sees the values around it and keeps its own', (c, expected) => {
    const graph = importOnnx(file);
    const feeds = { c: tensor(Uint8Array.of(c), [], 'bool'), x: tensor([2]) };
    expect(runReference(graph, feeds).get('y')!.data[0]).toBeCloseTo(expected, 6);
  });

  it('values inside never have the name of one outside', () => {
    const { then_branch } = importOnnx(file).nodes[2]!.attributes;
    expect(isGraph(then_branch) && then_branch.nodes.map(({ outputs }) => outputs[0])).toEqual([
      'outside_1',
      'out',
    ]);
  });
});

describe('domains', () => {
  const withDomain = (...domains: readonly string[]): Uint8Array =>
    writeOnnx({
      nodes: domains.map((domain, i) => ({
        op: 'Relu',
        domain,
        inputs: ['x'],
        outputs: [`y${i}`],
      })),
      inputs: [{ name: 'x', type: 'float32', dims: [1] }],
      outputs: [{ name: 'y0', type: 'float32' }],
    });

  it.each(['', 'ai.onnx'])("'%s' is the standard one", (domain) => {
    expect(importOnnx(withDomain(domain)).nodes[0]!.op).toBe('Relu');
  });

  it('all others are refused at once', () => {
    expect(() => importOnnx(withDomain('', 'com.microsoft', 'my.own', 'my.own'))).toThrow(
      expect.objectContaining({
        code: 'UNSUPPORTED_OPERATOR',
        path: 'graph.nodes[1]',
        message: expect.stringMatching(
          /com\.microsoft:Relu at graph\.nodes\[1\], my\.own:Relu at graph\.nodes\[2\]; of com\.microsoft there are /,
        ),
      }),
    );
  });

  it('a function must not redefine a standard operator', () => {
    const file = encode(
      int(1, 10),
      message(7, input('x', 1, int(1, 1)), node('Relu', ['x'], ['y']), output('y')),
      message(8, int(2, 22)),
      message(25, text(1, 'Relu'), text(10, 'ai.onnx')),
    );
    expect(() => importOnnx(file)).toThrow(/model\.functions.*ai\.onnx:Relu/);
  });
});
