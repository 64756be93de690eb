// The text of an inspection: what it says to do where a file alone does not tell what runs.
import { describe, expect, test } from 'vitest';
import { inspectionLines } from '../../src/cli/inspect-command.ts';
import { inspect, tensor, type InspectOptions } from '../../src/index.ts';
import { writeOnnx, type OnnxGraph } from '../support/onnx-writer.ts';

describe('inspect where there is no plan', () => {
  const x = (...dims: (number | string)[]) => ({ name: 'x', type: 'float32', dims }) as const;
  const textOf = async (graph: OnnxGraph, options?: InspectOptions): Promise<string> =>
    inspectionLines(await inspect(writeOnnx(graph), options)).join('\n');
  const branch = (op: string): OnnxGraph => ({
    nodes: [{ op, inputs: ['x'], outputs: ['b'] }],
    outputs: [{ name: 'b', type: 'float32' }],
  });

  test('numbers that decide are asked for, and branches stand under what chooses', async () => {
    const graph: OnnxGraph = {
      inputs: [x(2), { name: 'c', type: 'bool', dims: [] }],
      nodes: [
        {
          op: 'If',
          inputs: ['c'],
          outputs: ['y'],
          attributes: { then_branch: branch('Relu'), else_branch: branch('Tanh') },
        },
      ],
      outputs: [{ name: 'y', type: 'float32', dims: [2] }],
    };
    const open = await textOf(graph);
    expect(open).toMatch(/\nIf .*\n {2}Relu .*\n {2}Tanh /);
    expect(open).toContain('no plan: what runs depends on the numbers of c; say them: --value c=…');
    const said = await textOf(graph, { values: { c: [1] } });
    expect(said).toMatch(/\nRelu /);
    expect(said).toContain('planned for the numbers of c');
  });

  test('sizes that do not fit: which node, and how to say others', async () => {
    const out = await textOf({
      inputs: [x('N', 1, 'L')],
      initializers: { w: tensor(new Float32Array(8), [1, 1, 8]) },
      nodes: [{ op: 'Conv', name: 'front', inputs: ['x', 'w'], outputs: ['y'] }],
      outputs: [{ name: 'y', type: 'float32' }],
    });
    expect(out).toContain("no plan: Conv 'front', graph.nodes[0].inputs[0]: ");
    expect(out).toContain('free sizes are 1 unless they are said: --dims x=…x1x…');
  });

  test('operators that are missing stand at the end, with their places', async () => {
    const out = await textOf({
      inputs: [x(2, 2)],
      nodes: [{ op: 'Det', name: 'first', inputs: ['x'], outputs: ['y'] }],
      outputs: [{ name: 'y', type: 'float32' }],
    });
    expect(out).toContain(
      "no plan: operators are missing\n\nnot supported:\n  Det 'first' at graph.nodes[0]",
    );
  });
});
