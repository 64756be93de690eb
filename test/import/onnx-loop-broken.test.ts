// Loops that cannot be unrolled, loops that are broken, and loops that would eat the machine.
import { describe, expect, it } from 'vitest';
import { inspect } from '../../src/inspect.ts';
import type { ImportLimits } from '../../src/import/limits.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { BACKENDS, runOn } from '../support/onnx-backends.ts';
import { bool, COUNTER, float, GOES_ON, int, long, node, scalar } from '../support/onnx-parts.ts';
import { writeOnnx, type OnnxGraph, type OnnxNode } from '../support/onnx-writer.ts';

const x = tensor([1, 2]);

const body: OnnxGraph = {
  nodes: [GOES_ON, node('Add', ['h', 'x'], ['h_next']), node('Neg', ['h_next'], ['turn'])],
  inputs: [...COUNTER, float('h', 2)],
  outputs: [bool('go_out'), float('h_next', 2), float('turn', 2)],
};

/** A loop around a body, the second node of its graph. */
const loop = (
  inner: OnnxGraph | undefined,
  inputs: readonly string[] = ['three', '', 'x'],
  outputs: readonly string[] = ['y', 'all'],
): OnnxGraph => ({
  nodes: [
    node('Abs', ['x'], ['positive']),
    { ...node('Loop', inputs, outputs, inner && { body: inner }), name: 'again' },
  ],
  inputs: [float('x', 2)],
  outputs: outputs.map((name) => ({ name, type: 'float32' as const })),
  initializers: {
    three: scalar(3, 'int64'),
    many: scalar(1e9, 'int64'),
    half: scalar(0.5, 'float32'),
    pair: long(1, 2),
    yes: scalar(1, 'bool'),
  },
});

const withNodes = (...nodes: readonly OnnxNode[]): OnnxGraph => ({ ...body, nodes });

const scan = (
  attributes: OnnxNode['attributes'],
  inputs: readonly string[] = ['x', 'rows'],
): OnnxGraph => ({
  nodes: [
    {
      ...node('Scan', inputs, ['y', 'all'], {
        body: {
          nodes: [node('Add', ['h', 'row'], ['h_next']), node('Neg', ['h_next'], ['turn'])],
          inputs: [float('h', 2), float('row', 2)],
          outputs: [float('h_next', 2), float('turn', 2)],
        },
        num_scan_inputs: 1,
        ...attributes,
      }),
      name: 'again',
    },
  ],
  inputs: [float('x', 2)],
  outputs: [float('y', 2), float('all', 3, 2)],
  initializers: { rows: tensor([1, 2, 3, 4, 5, 6], [3, 2]), more: tensor([1, 2], [1, 2]) },
});

async function expectRefusal(
  graph: OnnxGraph,
  code: string,
  path: string,
  words: RegExp,
  options: { opset?: number; limits?: Partial<ImportLimits>; feeds?: Record<string, Tensor> } = {},
): Promise<void> {
  const { opset = 22, limits = {}, feeds = { x } } = options;
  const file = writeOnnx(graph, { opset });
  for (const device of BACKENDS) {
    await expect(runOn(device, file, feeds, { limits }), device).rejects.toMatchObject({
      code,
      path,
      message: expect.stringMatching(words),
    });
  }
}

describe('loops that cannot be unrolled', () => {
  const LOOP = 'graph.nodes[0]'; // Abs, which nobody reads, is gone when this is found

  it('whose trip count is computed from floating point numbers', async () => {
    const graph = loop(body, ['M', '', 'x']);
    const nodes = [
      node('ReduceSum', ['x'], ['sum'], { keepdims: 0 }),
      node('Cast', ['sum'], ['M'], { to: 7 }),
      ...graph.nodes.slice(1),
    ];
    await expectRefusal(
      { ...graph, nodes },
      'UNSUPPORTED_OPERATOR',
      'graph.nodes[2]',
      /Loop 'again' depends on the numbers of the input 'x', which are only known when .*: loops are unrolled, so export/,
    );
  });

  it('whose condition is computed from what they carry', async () => {
    const stops = withNodes(
      node('ReduceSum', ['h'], ['sum'], { keepdims: 0 }),
      node('Less', ['sum', 'half'], ['go_out']),
      ...body.nodes.slice(1),
    );
    const words = /Loop 'again' depends on the numbers of the input 'x'/;
    await expectRefusal(loop(stops), 'UNSUPPORTED_OPERATOR', LOOP, words);
  });

  it('are said to be so by inspect', async () => {
    const stops = withNodes(
      node('ReduceSum', ['h'], ['sum'], { keepdims: 0 }),
      node('Less', ['sum', 'half'], ['go_out']),
      ...body.nodes.slice(1),
    );
    const { plan, unplanned } = await inspect(writeOnnx(loop(stops)));
    expect(plan).toBeUndefined();
    expect(unplanned).toMatch(/^graph\.nodes\[0\]: Loop 'again' depends on the numbers of/);
  });

  it('Scan of opset 8', async () => {
    const words = /Scan 'again' of opset 8 takes batches .*export it with opset 9 or later/;
    await expectRefusal(scan({}), 'UNSUPPORTED_OPERATOR', 'graph.nodes[0]', words, { opset: 8 });
  });
});

describe('broken loops', () => {
  const AT = 'graph.nodes[1]';
  const LATER = 'graph.nodes[0]';
  const expectInvalid = (path: string, words: RegExp, graph: OnnxGraph) =>
    expectRefusal(graph, 'INVALID_MODEL', path, words);

  it('without a body', () =>
    expectInvalid(`${AT}.body`, /got nothing, expected a graph/, loop(undefined)));

  it('with a body of other inputs', () =>
    expectInvalid(`${AT}.body.inputs`, /got 3, expected 4/, loop(body, ['three', '', 'x', 'x'])));

  it('with a body of too few outputs', () =>
    expectInvalid(
      `${AT}.body.outputs`,
      /outputs of the body of Loop 'again', got 3, expected 4 or more/,
      loop(body, undefined, ['y', 'all', 'more']),
    ));

  it('with a carried value left out', () =>
    expectInvalid(
      `${AT}.inputs[2]`,
      /input of Loop 'again', got nothing/,
      loop(
        {
          ...body,
          inputs: [...body.inputs!, float('g', 2)],
          outputs: [...body.outputs, float('h', 2)],
        },
        ['three', '', '', 'x'],
      ),
    ));

  it('with a trip count of floating point', () =>
    expectInvalid(
      `${LATER}.inputs[0]`,
      /trip count of Loop 'again', got float32, expected int64/,
      loop(body, ['half', '', 'x']),
    ));

  it('with two trip counts', () =>
    expectRefusal(
      loop(body, ['pair', '', 'x']),
      'SHAPE_MISMATCH',
      `${LATER}.inputs[0]`,
      /trip count of Loop 'again', got \[2\], expected one element/,
    ));

  it('with a condition that is none', () =>
    expectInvalid(
      `${LATER}.body.outputs[0]`,
      /condition of Loop 'again', got int64, expected bool/,
      loop({ ...withNodes(...body.nodes.slice(1)), outputs: [int('i'), ...body.outputs.slice(1)] }),
    ));

  it('that change the type of a value', () =>
    expectInvalid(
      `${LATER}.body.outputs[1]`,
      /value that Loop 'again' carries to its next iteration, got int64, expected float32/,
      loop(
        withNodes(
          GOES_ON,
          node('Cast', ['h'], ['h_next'], { to: 7 }),
          node('Neg', ['h'], ['turn']),
        ),
      ),
    ));

  it('that give tensors of different shapes', () =>
    expectInvalid(
      `${LATER}.body.outputs[2]`,
      /tensor 1 that Loop 'again' puts together, got float32 \[4\], expected float32 \[2\]/,
      loop(
        withNodes(
          GOES_ON,
          node('Concat', ['h', 'x'], ['h_next'], { axis: 0 }),
          node('Neg', ['h'], ['turn']),
        ),
      ),
    ));

  it('whose bodies do not compute', () =>
    expectRefusal(
      loop(
        withNodes(GOES_ON, node('Add', ['h', 'wide'], ['h_next']), node('Neg', ['h'], ['turn'])),
      ),
      'INVALID_MODEL',
      'graph.nodes[1].body.nodes[1].inputs[1]',
      /reads 'wide', which nothing makes/,
    ));

  it.each([
    ['num_scan_inputs', { num_scan_inputs: 0 }, /got 0, expected 1 to 2/],
    ['num_scan_inputs', { num_scan_inputs: 3 }, /got 3, expected 1 to 2/],
    ['scan_input_axes', { scan_input_axes: [0, 1] }, /got 2, expected 1/],
    ['scan_input_axes[0]', { scan_input_axes: [2] }, /axis out of range, got 2/],
    ['scan_input_directions[0]', { scan_input_directions: [2] }, /got 2, expected 0 or 1/],
    ['scan_output_directions', { scan_output_directions: [1, 1] }, /got 2, expected 1/],
    ['body.outputs[1]', { scan_output_axes: [4] }, /axis out of range, got 4/],
  ] as const)('Scan: %s', (where, attributes, words) =>
    expectRefusal(scan(attributes), 'INVALID_MODEL', `graph.nodes[0].${where}`, words),
  );

  it('Scan: sequences of different lengths', () => {
    const twoRows: OnnxGraph = {
      nodes: [node('Add', ['row', 'other'], ['h_next']), node('Neg', ['row'], ['turn'])],
      inputs: [float('row', 2), float('other', 2)],
      outputs: [float('h_next', 2), float('turn', 2)],
    };
    return expectRefusal(
      scan({ num_scan_inputs: 2, body: twoRows }, ['rows', 'more']),
      'SHAPE_MISMATCH',
      'graph.nodes[0].inputs[1]',
      /size of axis 0 that Scan 'again' goes along, got 1, expected 3/,
    );
  });

  it('a tensor for a sequence, and a sequence for a tensor', async () => {
    const of = (...nodes: readonly OnnxNode[]): OnnxGraph => ({
      ...loop(body),
      nodes,
      outputs: [float('y', 2)],
    });
    const zero = node('Constant', [], ['zero'], { value: scalar(0, 'int64') });
    await expectRefusal(
      of(zero, node('SequenceAt', ['x', 'zero'], ['y'])),
      'INVALID_MODEL',
      'graph.nodes[0].inputs[0]',
      /input of SequenceAt 'SequenceAt_1', got a tensor, expected a sequence/,
    );
    await expectRefusal(
      of(node('SequenceConstruct', ['x'], ['s']), node('Neg', ['s'], ['y'])),
      'INVALID_MODEL',
      'graph.nodes[1].inputs[0]',
      /input of Neg 'Neg_1', got a sequence, expected a tensor/,
    );
    await expectRefusal(
      of(node('SequenceConstruct', ['x'], ['y'])),
      'INVALID_MODEL',
      'graph.outputs',
      /'y', got a sequence, expected a tensor/,
    );
  });
});

describe('loops that come to too much', () => {
  const LOOP = 'graph.nodes[0]';
  const expectLimited = (graph: OnnxGraph, path = LOOP, limits: Partial<ImportLimits> = {}) =>
    expectRefusal(graph, 'LIMIT_EXCEEDED', path, /Loop '[^']+' and the loops around it/, {
      limits,
    });

  it('a thousand million turns', () => expectLimited(loop(body, ['many', '', 'x'])));

  it('no end at all', () => expectLimited(loop(body, ['', '', 'x'])));

  it('turns of no nodes', () =>
    expectLimited(
      loop(
        { nodes: [], inputs: body.inputs!, outputs: [bool('go_in'), float('h', 2), float('h', 2)] },
        ['many', '', 'x'],
      ),
    ));

  it('loops in loops that multiply', () => {
    let inner = body;
    for (let depth = 0; depth < 4; depth++) {
      const names = [`i${depth}`, `go${depth}`, `h${depth}`] as const;
      inner = {
        nodes: [node('Loop', ['hundred', '', names[2]], [`next${depth}`], { body: inner })],
        inputs: [int(names[0]), bool(names[1]), float(names[2], 2)],
        outputs: [bool(names[1]), float(`next${depth}`, 2)],
      };
    }
    const graph = loop(inner, ['hundred', '', 'x'], ['y']);
    const at = `${LOOP}${'.body.nodes[0]'.repeat(4)}`;
    return expectLimited({ ...graph, initializers: { hundred: scalar(100, 'int64') } }, at);
  });

  it('more than a caller allows', async () => {
    await expectLimited(loop(body), LOOP, { maxUnrolled: 8 });
    const all = await runOn(
      'reference',
      writeOnnx(loop(body)),
      { x },
      { limits: { maxUnrolled: 12 } },
    );
    expect(Array.from(all['y']!.data as Float32Array)).toEqual([4, 8]);
  });

  it('large tensors of every turn', () => {
    const large = withNodes(
      GOES_ON,
      node('Add', ['h', 'x'], ['h_next']),
      node('Constant', [], ['shape'], { value: long(2 ** 20) }),
      node('ConstantOfShape', ['shape'], ['turn']),
    );
    return expectLimited(loop(large, ['many', '', 'x']));
  });
});
