// Loops in models that people use: streams, inspection, plans for several shapes of one model.
import { describe, expect, it } from 'vitest';
import { inspect, tensor } from '../../src/index.ts';
import { BACKENDS, expectLikeOnnxRuntime, loadOn, runOn } from '../support/onnx-backends.ts';
import { bool, COUNTER, float, floatsOf, int, long, node, scalar } from '../support/onnx-parts.ts';
import { writeOnnx, type OnnxGraph } from '../support/onnx-writer.ts';
import { randomOf } from '../support/random.ts';
import { SEED } from '../support/settings.ts';

const floats = floatsOf(randomOf(SEED));

/** h = tanh(W · h + x[i]) for all of x, from a state that is an input or zeros. */
const recurrence = (begins: 'input' | 'zeros'): OnnxGraph => ({
  nodes: [
    node('Shape', ['x'], ['shape']),
    node('Gather', ['shape', 'zero'], ['T']),
    {
      ...node('Loop', ['T', '', begins === 'input' ? 'state' : 'zeros'], ['stateN', 'y'], {
        body: {
          nodes: [
            node('Identity', ['go_in'], ['go_out']),
            node('Gather', ['x', 'i'], ['x_i']),
            node('MatMul', ['h', 'W'], ['wh']),
            node('Add', ['wh', 'x_i'], ['sum']),
            node('Tanh', ['sum'], ['h_next']),
            node('Identity', ['h_next'], ['h_turn']),
          ],
          inputs: [...COUNTER, float('h', 1, 3)],
          outputs: [bool('go_out'), float('h_next', 1, 3), float('h_turn', 1, 3)],
        },
      }),
      name: 'again',
    },
  ],
  inputs: [float('x', 'T', 1, 3), ...(begins === 'input' ? [float('state', 1, 3)] : [])],
  outputs: [float('y', 'T', 1, 3), float('stateN', 1, 3)],
  initializers: { W: floats(3, 3), zero: scalar(0, 'int64'), zeros: tensor([0, 0, 0], [1, 3]) },
});

describe('streams', () => {
  it('carry the state of a loop that takes and gives it', async () => {
    const file = writeOnnx(recurrence('input'));
    const x = floats(6, 1, 3);
    const { y } = await runOn('reference', file, { x, state: tensor([0, 0, 0], [1, 3]) });
    for (const device of BACKENDS) {
      const model = await loadOn(device, file);
      expect(model.backend).toBe(device);
      const stream = model.stream({ state: { stateN: 'state' } });
      const steps: number[] = [];
      for (let t = 0; t < 6; t += 2) {
        const part = tensor((x.data as Float32Array).slice(t * 3, (t + 2) * 3), [2, 1, 3]);
        steps.push(...((await stream.step({ x: part }))['y']!.data as Float32Array));
      }
      steps.forEach((value, i) => expect(value).toBeCloseTo(Number(y!.data[i]), 5));
      model.dispose();
    }
  });

  it('refuse a loop that is unrolled and whose state nobody could carry', async () => {
    const { nodes, ...graph } = recurrence('zeros');
    // A part that is cut out at a place which must be known when a plan is made.
    const body = nodes[2]!.attributes!['body'] as OnnxGraph;
    const cut = [
      node('Unsqueeze', ['i', 'first'], ['from']),
      node('Add', ['from', 'one'], ['to']),
      node('Slice', ['x', 'from', 'to', 'first'], ['x_part']),
      node('Squeeze', ['x_part', 'first'], ['x_i']),
    ];
    const cutting = body.nodes.flatMap((each) => (each.outputs[0] === 'x_i' ? cut : [each]));
    const loop = { ...nodes[2]!, attributes: { body: { ...body, nodes: cutting } } };
    const initializers = { ...graph.initializers, first: long(0), one: long(1) };
    const file = writeOnnx({ ...graph, nodes: nodes.with(2, loop), initializers });
    const model = await loadOn('webgpu', file);
    expect(() => model.stream()).toThrow(
      expect.objectContaining({
        code: 'UNSUPPORTED_OPERATOR',
        path: 'graph.nodes[2]',
        message: expect.stringMatching(/state of Loop 'again', which begins with 'zeros' at each/),
      }),
    );
    model.dispose();
  });
});

describe('inspect', () => {
  it('tells of each layer of a loop once, with the runs of all turns', async () => {
    const file = writeOnnx(recurrence('zeros'));
    const { layers, plan } = await inspect(file, { dims: { x: [5, 1, 3] } });
    const paths = layers.map(({ op, path }) => `${path} ${op}`);
    expect(new Set(paths).size).toBe(paths.length);
    expect(layers.find(({ op }) => op === 'MatMul')).toMatchObject({
      path: expect.stringMatching(/^graph\.nodes\[2\]\.body\.nodes\[\d\]$/),
      dispatches: 4, // that of the first turn is known: it begins with zeros
      parameters: 9,
    });
    expect(layers.reduce((sum, { dispatches }) => sum + dispatches, 0)).toBe(plan!.dispatches);
  });
});

describe('plans of one model', () => {
  it('do not share what follows from branches that differ', async () => {
    const branch = (weights: string): OnnxGraph => ({
      nodes: [node('Identity', [weights], [`${weights}_out`])],
      outputs: [float(`${weights}_out`, 4, 4)],
    });
    const file = writeOnnx({
      nodes: [
        node('Equal', ['which', 'zero'], ['first']),
        node('If', ['first'], ['W'], { then_branch: branch('A'), else_branch: branch('B') }),
        node('Transpose', ['W'], ['turned'], { perm: [1, 0] }),
        node('Gemm', ['x', 'turned'], ['y'], { transB: 1 }),
      ],
      inputs: [float('x', 2, 4), int('which')],
      outputs: [float('y', 2, 4)],
      initializers: { A: floats(4, 4), B: floats(4, 4), zero: scalar(0, 'int64') },
    });
    const x = floats(2, 4);
    const model = await loadOn('webgpu', file);
    const results: unknown[] = [];
    for (const which of [0, 1]) {
      const feeds = { x, which: scalar(which, 'int64') };
      await expectLikeOnnxRuntime(file, feeds, `which=${which}`);
      const { y } = await model.run(feeds);
      const { y: alone } = await runOn('reference', file, feeds);
      y!.data.forEach((value, i) => expect(Number(value)).toBeCloseTo(Number(alone!.data[i]), 5));
      results.push(y!.data);
    }
    expect(results[0]).not.toEqual(results[1]);
    model.dispose();
  });
});
