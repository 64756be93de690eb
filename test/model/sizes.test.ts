// Sizes beyond one workgroup, long sequences, and what a new length costs.
import { afterAll, expect, test } from 'vitest';
import { loadModel, tensor, type Tensor } from '../../src/index.ts';
import { runReference } from '../../src/reference.ts';
import { getAdapter } from '../setup/gpu.ts';
import { expectClose } from '../support/close.ts';
import { exampleOf } from '../support/property.ts';
import { recurrentCases } from '../support/random-recurrent.ts';
import { casesOf, MORE_IN_FULL } from '../support/settings.ts';

const device = await (await getAdapter()).requestDevice();
afterAll(() => device.destroy());

const PLAIN = {
  layout: 0 as const,
  lengths: undefined,
  mask: undefined,
  initialH: false,
  initialC: false,
  peepholes: false,
  projected: 0,
  clip: 0,
  coupled: false,
  bias: true,
};

const STEPS = casesOf(8, 50);

test(
  `a bidirectional LSTM of 1000 units, 3 rows, ${STEPS} steps is right`,
  MORE_IN_FULL,
  async () => {
    const layers = recurrentCases({
      ...PLAIN,
      cell: 'lstm',
      direction: 'bidirectional',
      activations: ['Sigmoid', 'Tanh', 'Tanh', 'Sigmoid', 'Tanh', 'Tanh'],
      alphas: Array.from({ length: 6 }, () => Number.NaN),
      betas: Array.from({ length: 6 }, () => Number.NaN),
      hidden: 1000,
      I: 20,
      T: STEPS,
      B: 3,
      outputs: [true, true, true],
    });
    const { graph, feeds } = exampleOf(layers);
    const model = await loadModel(graph, { device });
    const actual = await model.run(feeds);
    for (const [name, { data }] of runReference(graph, feeds)) {
      // Sums of 1000 terms: the rounding of f32 is about 1000·2⁻²⁴·(terms of 0.05) = 3e-6 a step.
      expectClose(actual[name]!.data as Float32Array, data, { atol: 2e-5, label: name });
    }
    model.dispose();
  },
);

test.each(['step', 'persistent'] as const)(
  '4096 steps after 16 are right and compile nothing (%s kernel)',
  async (recurrentKernel) => {
    const layers = recurrentCases({
      ...PLAIN,
      cell: 'gru',
      resetAfter: true,
      direction: 'forward',
      activations: ['Sigmoid', 'Tanh'],
      alphas: [Number.NaN, Number.NaN],
      betas: [Number.NaN, Number.NaN],
      hidden: 32,
      I: 8,
      T: 4096,
      B: 1,
      outputs: [true, true, false],
    });
    const { graph, feeds } = exampleOf(layers);
    const free = {
      ...graph,
      inputs: [{ name: 'X', type: 'float32' as const, dims: ['T', 'B', 8] }],
      outputs: graph.outputs.map(({ name, type }) => ({ name, type, dims: [] })),
    };
    const model = await loadModel(free, { device, recurrentKernel });
    const X = feeds['X']! as Tensor<'float32'>;
    await model.run({ X: tensor(X.data.slice(0, 16 * 8), [16, 1, 8]) });
    const { pipelines } = model.usage;
    expect(pipelines).toBeGreaterThan(0);
    const actual = await model.run({ X });
    expect(model.usage.pipelines).toBe(pipelines);
    for (const [name, { data }] of runReference(graph, feeds)) {
      expectClose(actual[name]!.data as Float32Array, data, { atol: 1e-5, label: name });
    }
    model.dispose();
  },
);
