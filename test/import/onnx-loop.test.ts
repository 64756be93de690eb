// Loops of ONNX files, on both backends, against ONNX Runtime.
import { describe, expect, it } from 'vitest';
import { tensor } from '../../src/tensor.ts';
import { BACKENDS, expectLikeOnnxRuntime, runOn } from '../support/onnx-backends.ts';
import {
  bool,
  COUNTER,
  float,
  floatsOf,
  GOES_ON,
  int,
  long,
  node,
  scalar,
} from '../support/onnx-parts.ts';
import {
  writeOnnx,
  type OnnxGraph,
  type OnnxNode,
  type OnnxValue,
} from '../support/onnx-writer.ts';
import { randomOf } from '../support/random.ts';
import { SEED } from '../support/settings.ts';

const floats = floatsOf(randomOf(SEED));

/** h' = tanh(x + h · 0.5 + i), and h' as the output of each iteration. */
const body: OnnxGraph = {
  nodes: [
    GOES_ON,
    node('Cast', ['i'], ['step'], { to: 1 }),
    node('Constant', [], ['half'], { value_float: { float: 0.5 } }),
    node('Mul', ['h', 'half'], ['scaled']),
    node('Add', ['scaled', 'x'], ['sum']),
    node('Add', ['sum', 'step'], ['moved']),
    node('Tanh', ['moved'], ['h_next']),
    node('Identity', ['h_next'], ['h_turn']),
  ],
  inputs: [...COUNTER, float('h', 2, 3)],
  outputs: [bool('go_out'), float('h_next', 2, 3), float('h_turn', 2, 3)],
};

const around = (inner: OnnxGraph, trips: number, conditions = 1): OnnxGraph => ({
  nodes: [node('Loop', ['M', 'go', 'h0'], ['h_last', 'all'], { body: inner })],
  inputs: [float('x', 2, 3), float('h0', 2, 3)],
  outputs: [float('h_last', 2, 3), float('all', 'turns', 2, 3)],
  initializers: { M: scalar(trips, 'int64'), go: scalar(conditions, 'bool') },
});

describe('Loop', () => {
  it.each([0, 1, 2, 5])('of %d turns, with the values around it', async (trips) => {
    const feeds = { x: floats(2, 3), h0: floats(2, 3) };
    await expectLikeOnnxRuntime(writeOnnx(around(body, trips)), feeds);
  });

  it.each([7, 11, 13, 16, 18, 21, 22])('of opset %d', async (opset) => {
    const nodes = body.nodes.map((one) =>
      one.op === 'Constant' ? { ...one, attributes: { value: scalar(0.5, 'float32') } } : one,
    );
    const feeds = { x: floats(2, 3), h0: floats(2, 3) };
    await expectLikeOnnxRuntime(writeOnnx(around({ ...body, nodes }, 3), { opset }), feeds);
  });

  it('that never begins', async () => {
    const feeds = { x: floats(2, 3), h0: floats(2, 3) };
    await expectLikeOnnxRuntime(writeOnnx(around(body, 4, 0)), feeds);
  });

  it('gives no size where it makes nothing and the file does not tell', async () => {
    const outputs = [bool('go_out'), float('h_next', 2, 3), float('h_turn', 'a', 3)];
    const feeds = { x: floats(2, 3), h0: floats(2, 3) };
    for (const device of BACKENDS) {
      const { all } = await runOn(device, writeOnnx(around({ ...body, outputs }, 0)), feeds);
      expect(all!.dims).toEqual([0, 0, 3]);
    }
  });

  it('runs as often as an input is long, and plans again for another length', async () => {
    const model: OnnxGraph = {
      nodes: [
        node('Shape', ['xs'], ['shape']),
        node('Gather', ['shape', 'zero'], ['T']),
        node('Loop', ['T', '', 'h0'], ['h_last', 'all'], {
          body: {
            nodes: [
              node('Constant', [], ['go_out'], { value: scalar(1, 'bool') }),
              node('Gather', ['xs', 'i'], ['x'], { axis: 0 }),
              node('MatMul', ['h', 'W'], ['wh']),
              node('Add', ['wh', 'x'], ['sum']),
              node('Tanh', ['sum'], ['h_next']),
              node('Identity', ['h_next'], ['h_turn']),
            ],
            inputs: [...COUNTER, float('h', 2, 4)],
            outputs: [bool('go_out'), float('h_next', 2, 4), float('h_turn', 2, 4)],
          },
        }),
      ],
      inputs: [float('xs', 'T', 2, 4), float('h0', 2, 4)],
      outputs: [float('h_last', 2, 4), float('all', 'T', 2, 4)],
      initializers: { W: floats(4, 4), zero: scalar(0, 'int64') },
    };
    for (const steps of [3, 6, 0, 1]) {
      const feeds = { xs: floats(steps, 2, 4), h0: floats(2, 4) };
      await expectLikeOnnxRuntime(writeOnnx(model), feeds, `T=${steps}`);
    }
  });

  it('runs as often as an integer input says', async () => {
    const graph = around(body, 0);
    const file = writeOnnx({
      ...graph,
      inputs: [...graph.inputs!, int('M')],
      initializers: { go: scalar(1, 'bool') },
    });
    for (const trips of [3, 0, 2]) {
      const feeds = { x: floats(2, 3), h0: floats(2, 3), M: scalar(trips, 'int64') };
      await expectLikeOnnxRuntime(file, feeds, `M=${trips}`);
    }
  });

  it('stops where its condition, computed from what it counts, says so', async () => {
    // While sum < 10: sum += i + 1. A PyTorch while has the largest trip count there is.
    const graph: OnnxGraph = {
      nodes: [
        node('Loop', ['M', 'go', 'sum0', 'x'], ['sum_last', 'y_last', 'sums'], {
          body: {
            nodes: [
              node('Add', ['i', 'one'], ['step']),
              node('Add', ['sum', 'step'], ['sum_next']),
              node('Less', ['sum_next', 'ten'], ['go_out']),
              node('Mul', ['y', 'y'], ['y_next']),
              node('Identity', ['sum_next'], ['sum_turn']),
            ],
            inputs: [...COUNTER, int('sum'), float('y', 2)],
            outputs: [bool('go_out'), int('sum_next'), float('y_next', 2), int('sum_turn')],
          },
        }),
      ],
      inputs: [float('x', 2)],
      outputs: [int('sum_last'), float('y_last', 2), int('sums', 'n')],
      initializers: {
        M: tensor(BigInt64Array.of(2n ** 63n - 1n), []),
        go: scalar(1, 'bool'),
        sum0: scalar(0, 'int64'),
        one: scalar(1, 'int64'),
        ten: scalar(10, 'int64'),
      },
    };
    await expectLikeOnnxRuntime(writeOnnx(graph), { x: floats(2) });
  });

  it('carries a tensor that grows', async () => {
    const graph: OnnxGraph = {
      nodes: [
        node('Loop', ['M', '', 'out0', 'x'], ['out', 'h_last'], {
          body: {
            nodes: [
              GOES_ON,
              node('Add', ['h', 'x'], ['h_next']),
              node('Unsqueeze', ['h_next', 'first'], ['row']),
              node('Concat', ['out', 'row'], ['out_next'], { axis: 0 }),
            ],
            inputs: [...COUNTER, float('out', 'n', 3), float('h', 3)],
            outputs: [bool('go_out'), float('out_next', 'n', 3), float('h_next', 3)],
          },
        }),
      ],
      inputs: [float('x', 3)],
      outputs: [float('out', 'n', 3)],
      initializers: {
        M: long(4),
        first: long(0),
        out0: tensor(new Float32Array(0), [0, 3]),
      },
    };
    await expectLikeOnnxRuntime(writeOnnx(graph), { x: floats(3) });
  });

  it('in a loop, and an If by the turn inside of that', async () => {
    const branch = (op: string): OnnxGraph => ({
      nodes: [node(op, ['h', 'step'], ['taken'])],
      outputs: [float('taken', 2)],
    });
    const inner: OnnxGraph = {
      nodes: [
        node('Identity', ['inner_go'], ['inner_on']),
        node('Mod', ['j', 'two'], ['odd']),
        node('Equal', ['odd', 'zero'], ['even']),
        node('Add', ['i', 'j'], ['both']),
        node('Cast', ['both'], ['step'], { to: 1 }),
        node('If', ['even'], ['h_next'], {
          then_branch: branch('Add'),
          else_branch: branch('Sub'),
        }),
        node('Mul', ['h_next', 'x'], ['h_turn']),
      ],
      inputs: [int('j'), bool('inner_go'), float('h', 2)],
      outputs: [bool('inner_on'), float('h_next', 2), float('h_turn', 2)],
    };
    const outer: OnnxGraph = {
      nodes: [
        GOES_ON,
        node('Loop', ['i', '', 'outer_h'], ['outer_next', 'inner_turns'], { body: inner }),
        node('ReduceSum', ['inner_turns', 'first'], ['outer_turn'], { keepdims: 0 }),
      ],
      inputs: [...COUNTER, float('outer_h', 2)],
      outputs: [bool('go_out'), float('outer_next', 2), float('outer_turn', 2)],
    };
    const graph: OnnxGraph = {
      nodes: [node('Loop', ['M', '', 'h0'], ['last', 'all'], { body: outer })],
      inputs: [float('x', 2), float('h0', 2)],
      outputs: [float('last', 2), float('all', 'n', 2)],
      initializers: {
        M: scalar(4, 'int64'),
        two: scalar(2, 'int64'),
        zero: scalar(0, 'int64'),
        first: long(0),
      },
    };
    await expectLikeOnnxRuntime(writeOnnx(graph), { x: floats(2), h0: floats(2) });
  });

  it('with a recurrent layer and weights of its own in each turn', async () => {
    const graph: OnnxGraph = {
      nodes: [
        node('Loop', ['M', '', 'x', 'h0'], ['y', 'h_last'], {
          body: {
            nodes: [
              GOES_ON,
              node('GRU', ['x_in', 'W', 'R', '', '', 'h'], ['Y', 'h_next'], { hidden_size: 3 }),
              node('Squeeze', ['Y', 'dirs'], ['x_next']),
            ],
            inputs: [...COUNTER, float('x_in', 4, 2, 3), float('h', 1, 2, 3)],
            outputs: [bool('go_out'), float('x_next', 4, 2, 3), float('h_next', 1, 2, 3)],
            initializers: { W: floats(1, 9, 3), R: floats(1, 9, 3), dirs: long(1) },
          },
        }),
      ],
      inputs: [float('x', 4, 2, 3), float('h0', 1, 2, 3)],
      outputs: [float('y', 4, 2, 3), float('h_last', 1, 2, 3)],
      initializers: { M: scalar(3, 'int64') },
    };
    await expectLikeOnnxRuntime(writeOnnx(graph), { x: floats(4, 2, 3), h0: floats(1, 2, 3) });
  });

  it('whose constants differ from turn to turn', async () => {
    // The values of an iteration must not be mistaken for those of the one before, whose names they have.
    const graph: OnnxGraph = {
      nodes: [
        node('Loop', ['M', '', 'W0', 'h0'], ['W_last', 'h_last'], {
          body: {
            nodes: [
              GOES_ON,
              node('Transpose', ['W'], ['W_turned'], { perm: [1, 0] }),
              node('Add', ['W_turned', 'one'], ['W_next']),
              node('MatMul', ['h', 'W_next'], ['h_next']),
            ],
            inputs: [...COUNTER, float('W', 4, 4), float('h', 2, 4)],
            outputs: [bool('go_out'), float('W_next', 4, 4), float('h_next', 2, 4)],
          },
        }),
      ],
      inputs: [float('h0', 2, 4)],
      outputs: [float('W_last', 4, 4), float('h_last', 2, 4)],
      initializers: { M: scalar(3, 'int64'), W0: floats(4, 4), one: scalar(0.25, 'float32') },
    };
    await expectLikeOnnxRuntime(writeOnnx(graph), { h0: floats(2, 4) });
  });
});

describe('a loop as PyTorch exports it', () => {
  /** for i in range(len(x)): h = tanh(W · (x[i] + h)); out.append(h). Then torch.stack(out, 1). */
  const exported = (collect: 'insert' | 'split'): OnnxGraph => {
    const isInsert = collect === 'insert';
    const outs: OnnxValue = { name: 'outs', type: 'float32', sequence: true };
    const steps = [
      node('Cast', ['true'], ['go_out'], { to: 9 }),
      node('Gather', ['x', 'i'], ['x_i'], { axis: 0 }),
      node('Add', ['x_i', 'h'], ['sum']),
      node('MatMul', ['sum', 'W'], ['product']),
      node('Tanh', ['product'], ['h_next']),
    ];
    const gathering: OnnxGraph = isInsert
      ? {
          nodes: [...steps, node('SequenceInsert', ['outs', 'h_next'], ['outs_next'])],
          inputs: [...COUNTER, float('h', 2, 3), outs],
          outputs: [bool('go_out'), float('h_next', 2, 3), { ...outs, name: 'outs_next' }],
        }
      : {
          nodes: [...steps, node('Identity', ['h_next'], ['h_turn'])],
          inputs: [...COUNTER, float('h', 2, 3)],
          outputs: [bool('go_out'), float('h_next', 2, 3), float('h_turn', 2, 3)],
        };
    return {
      nodes: [
        node('Shape', ['x'], ['shape']),
        node('Gather', ['shape', 'zero'], ['T']),
        node('ConstantOfShape', ['state'], ['h0']),
        ...(isInsert
          ? [
              node('SequenceEmpty', [], ['empty']),
              node('Loop', ['T', 'true', 'h0', 'empty'], ['h_n', 'list'], { body: gathering }),
            ]
          : [
              node('Loop', ['T', 'true', 'h0'], ['h_n', 'all'], { body: gathering }),
              node('SplitToSequence', ['all'], ['list'], { axis: 0, keepdims: 0 }),
            ]),
        node('ConcatFromSequence', ['list'], ['y'], { axis: 1, new_axis: 1 }),
      ],
      inputs: [float('x', 'T', 2, 3)],
      outputs: [float('y', 2, 'T', 3), float('h_n', 2, 3)],
      initializers: {
        W: floats(3, 3),
        zero: scalar(0, 'int64'),
        state: long(2, 3),
        true: scalar(1, 'bool'),
      },
    };
  };

  it.each(['insert', 'split'] as const)('%s', async (collect) => {
    const file = writeOnnx(exported(collect), { opset: 17 });
    for (const steps of [1, 4]) await expectLikeOnnxRuntime(file, { x: floats(steps, 2, 3) });
  });

  it('refuses to stack what no turn has made', async () => {
    for (const device of BACKENDS) {
      const run = runOn(device, writeOnnx(exported('insert')), { x: floats(0, 2, 3) });
      await expect(run).rejects.toMatchObject({
        code: 'SHAPE_MISMATCH',
        path: expect.stringMatching(/^graph\.nodes\[\d\]\.inputs\[0\]$/),
      });
    }
  });
});

describe('sequences', () => {
  const graph = (nodes: readonly OnnxNode[], ...outputs: OnnxValue[]): Uint8Array =>
    writeOnnx({
      nodes,
      inputs: [float('a', 2, 3), float('b', 2, 3), float('c', 2, 3)],
      outputs,
      initializers: {
        zero: scalar(0, 'int64'),
        last: scalar(-1, 'int64'),
        two: scalar(2, 'int64'),
        sizes: long(1, 2),
      },
    });
  const feeds = { a: floats(2, 3), b: floats(2, 3), c: floats(2, 3) };
  const all = node('SequenceConstruct', ['a', 'b', 'c'], ['s']);

  it('are made, measured, read and joined', async () => {
    const file = graph(
      [
        all,
        node('SequenceLength', ['s'], ['n']),
        node('SequenceAt', ['s', 'last'], ['end']),
        node('SequenceErase', ['s'], ['fewer']),
        node('SequenceErase', ['s', 'zero'], ['rest']),
        node('SequenceInsert', ['rest', 'a', 'last'], ['more']),
        node('ConcatFromSequence', ['fewer'], ['flat'], { axis: -1 }),
        node('ConcatFromSequence', ['more'], ['stacked'], { axis: -1, new_axis: 1 }),
      ],
      int('n'),
      float('end', 2, 3),
      float('flat', 2, 6),
      float('stacked', 2, 3, 3),
    );
    await expectLikeOnnxRuntime(file, feeds);
  });

  it.each([
    ['', 1, 1],
    ['', 0, 1],
    ['two', 1, 1],
    ['sizes', 1, 1],
  ])('are split off by %j, keepdims %d, axis %d', async (split, keepdims, axis) => {
    const inputs = split === '' ? ['a'] : ['a', split];
    const file = graph(
      [
        node('SplitToSequence', inputs, ['s'], { axis, keepdims }),
        node('SequenceAt', ['s', 'last'], ['end']),
        node('SequenceLength', ['s'], ['n']),
      ],
      { name: 'end', type: 'float32' },
      int('n'),
    );
    await expectLikeOnnxRuntime(file, feeds);
  });
});
