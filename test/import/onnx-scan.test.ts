// Scans of ONNX files, on both backends, against ONNX Runtime.
import { describe, expect, it } from 'vitest';
import { BACKENDS, expectLikeOnnxRuntime, runOn } from '../support/onnx-backends.ts';
import { float, floatsOf, long, node } from '../support/onnx-parts.ts';
import { writeOnnx, type OnnxGraph, type OnnxNode } from '../support/onnx-writer.ts';
import { randomOf } from '../support/random.ts';
import { SEED } from '../support/settings.ts';

const floats = floatsOf(randomOf(SEED));

/** c' = c · 0.5 + x + bias from outside, y = tanh(c'), z = c' + w for a second sequence w. */
const body: OnnxGraph = {
  nodes: [
    node('Constant', [], ['half'], { value_float: { float: 0.5 } }),
    node('Mul', ['c', 'half'], ['kept']),
    node('Add', ['kept', 'x'], ['sum']),
    node('Add', ['sum', 'bias'], ['c_next']),
    node('Tanh', ['c_next'], ['y']),
    node('Add', ['c_next', 'w'], ['z']),
  ],
  inputs: [float('c', 2, 3), float('x', 2, 3), float('w', 2, 3)],
  outputs: [float('c_next', 2, 3), float('y', 2, 3), float('z', 2, 3)],
};

const shape = (steps: number, axis: number): number[] => [2, 3].toSpliced(axis, 0, steps);

function scan(
  xs: readonly (number | string)[],
  ws: readonly (number | string)[],
  attributes: OnnxNode['attributes'] = {},
): OnnxGraph {
  const outputs = ['c_last', 'ys', 'zs'];
  return {
    nodes: [node('Scan', ['c0', 'xs', 'ws'], outputs, { body, num_scan_inputs: 2, ...attributes })],
    inputs: [float('c0', 2, 3), float('xs', ...xs), float('ws', ...ws)],
    outputs: outputs.map((name) => ({ name, type: 'float32' })),
    initializers: { bias: floats(3) },
  };
}

describe('Scan', () => {
  it.each([9, 11, 16, 19, 21, 22])('of opset %d', async (opset) => {
    const nodes = body.nodes.map((one) =>
      one.op === 'Constant' ? { ...one, attributes: { value: floats() } } : one,
    );
    const graph = scan(['T', 2, 3], ['T', 2, 3], { body: { ...body, nodes } });
    const feeds = { c0: floats(2, 3), xs: floats(4, 2, 3), ws: floats(4, 2, 3) };
    await expectLikeOnnxRuntime(writeOnnx(graph, { opset }), feeds);
  });

  it('runs as often as its input is long', async () => {
    const file = writeOnnx(scan(['T', 2, 3], ['T', 2, 3]));
    for (const steps of [5, 1, 3]) {
      const feeds = { c0: floats(2, 3), xs: floats(steps, 2, 3), ws: floats(steps, 2, 3) };
      await expectLikeOnnxRuntime(file, feeds, `T=${steps}`);
    }
  });

  it('hands its state on where there is nothing to go along', async () => {
    // ONNX Runtime does not run it.
    const graph = scan(['T', 2, 3], ['T', 2, 3], { scan_output_axes: [1, 2] });
    const feeds = { c0: floats(2, 3), xs: floats(0, 2, 3), ws: floats(0, 2, 3) };
    for (const device of BACKENDS) {
      const { c_last, ys, zs } = await runOn(device, writeOnnx(graph), feeds);
      expect(c_last!.data).toEqual(feeds.c0.data);
      expect([ys!.dims, zs!.dims]).toEqual([
        [2, 0, 3],
        [2, 3, 0],
      ]);
    }
  });

  it.each([
    [
      [0, 0],
      [0, 0],
    ],
    [
      [1, 0],
      [2, 1],
    ],
    [
      [2, 1],
      [0, -1],
    ],
    [
      [-1, -2],
      [-2, 1],
    ],
  ])('along axes %j into axes %j', async (from, into) => {
    const places = from.map((axis) => (axis < 0 ? axis + 3 : axis)) as [number, number];
    const [xs, ws] = places.map((axis) => shape(4, axis)) as [number[], number[]];
    const graph = scan(xs, ws, { scan_input_axes: from, scan_output_axes: into });
    const feeds = { c0: floats(2, 3), xs: floats(...xs), ws: floats(...ws) };
    await expectLikeOnnxRuntime(writeOnnx(graph), feeds);
  });

  it.each([
    [
      [1, 1],
      [1, 1],
    ],
    [
      [1, 0],
      [0, 1],
    ],
    [
      [0, 1],
      [1, 0],
    ],
  ])('in directions %j into directions %j', async (from, into) => {
    const graph = scan([4, 2, 3], [4, 2, 3], {
      scan_input_directions: from,
      scan_output_directions: into,
    });
    const feeds = { c0: floats(2, 3), xs: floats(4, 2, 3), ws: floats(4, 2, 3) };
    await expectLikeOnnxRuntime(writeOnnx(graph), feeds);
  });

  it('over weights of the file, with no state', async () => {
    const graph: OnnxGraph = {
      nodes: [
        node('Scan', ['Ws'], ['ys'], {
          num_scan_inputs: 1,
          body: {
            nodes: [node('MatMul', ['x', 'W'], ['y'])],
            inputs: [float('W', 3, 3)],
            outputs: [float('y', 2, 3)],
          },
        }),
      ],
      inputs: [float('x', 2, 3)],
      outputs: [float('ys', 4, 2, 3)],
      initializers: { Ws: floats(4, 3, 3) },
    };
    await expectLikeOnnxRuntime(writeOnnx(graph), { x: floats(2, 3) });
  });

  it('in a Scan', async () => {
    const inner: OnnxGraph = {
      nodes: [
        node('Add', ['a', 'cell'], ['a_next']),
        node('Mul', ['a_next', 'row_scale'], ['made']),
      ],
      inputs: [float('a'), float('cell')],
      outputs: [float('a_next'), float('made')],
    };
    const outer: OnnxGraph = {
      nodes: [
        node('ReduceMax', ['row', 'first'], ['row_scale'], { keepdims: 0 }),
        node('Scan', ['total', 'row'], ['total_next', 'sums'], {
          num_scan_inputs: 1,
          body: inner,
          scan_input_directions: [1],
        }),
      ],
      inputs: [float('total'), float('row', 'W')],
      outputs: [float('total_next'), float('sums', 'W')],
    };
    const graph: OnnxGraph = {
      nodes: [
        node('Scan', ['total0', 'image'], ['total', 'table'], { num_scan_inputs: 1, body: outer }),
      ],
      inputs: [float('image', 'H', 'W'), float('total0')],
      outputs: [float('total'), float('table', 'H', 'W')],
      initializers: { first: long(0) },
    };
    const file = writeOnnx(graph);
    await expectLikeOnnxRuntime(file, { image: floats(3, 4), total0: floats() });
  });
});
