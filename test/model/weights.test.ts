// The option `weights`: each kernel computes with the rounded weights as exactly as with any others,
// on less memory; and what the rounding itself costs.
import { afterAll, describe, expect, test } from 'vitest';
import {
  dense,
  gru,
  inspect,
  loadModel,
  lstm,
  rnn,
  sequential,
  tensor,
  type LoadOptions,
  type Tensor,
} from '../../src/index.ts';
import { runReference } from '../../src/reference.ts';
import { getAdapter } from '../setup/gpu.ts';
import { asAdapter } from '../support/as-adapter.ts';
import { expectClose } from '../support/close.ts';
import { exampleOf } from '../support/property.ts';
import { recurrentCases } from '../support/random-recurrent.ts';
import { randomOf } from '../support/random.ts';
import { casesOf, MORE_IN_FULL, SEED } from '../support/settings.ts';
import { expectLikeReference } from '../support/recurrent-equals-reference.ts';

const CASES = casesOf(1, 8);
const FEW_CASES = casesOf(1, 4);

const device = await (await getAdapter()).requestDevice();
const gpu = asAdapter(await (await getAdapter()).requestDevice(), 'gpu');
afterAll(() => {
  device.destroy();
  gpu.destroy();
});

describe.each(['f16', 'int8'] as const)('%s', (weights) => {
  describe.each([
    ['this adapter', device],
    ['a GPU', gpu],
  ] as const)('shapes for %s', MORE_IN_FULL, (_, target) => {
    const options: LoadOptions = { device: target, weights };
    const lstmOf = { cell: 'lstm', maxHidden: 67 } as const;
    test.each(['step', 'persistent'] as const)(
      `${CASES} random layers on the %s kernel equal the reference of rounded weights (SEED=${SEED})`,
      (recurrentKernel) => expectLikeReference(CASES, { ...options, recurrentKernel }),
    );
    test('so do single steps', () =>
      expectLikeReference(CASES, options, { T: 1, B: 1, maxHidden: 130 }));
    test('so do layers with peepholes', () =>
      expectLikeReference(FEW_CASES, options, { ...lstmOf, peepholes: true, B: 1, T: 1 }));
    test('so do layers with a projection', () =>
      expectLikeReference(FEW_CASES, options, { ...lstmOf, hidden: 33, projected: 9 }));
  });
});

/** nn.LSTM, GRU or RNN as PyTorch initialises them, as many inputs as units. */
function fresh(cell: 'lstm' | 'gru' | 'rnn', hidden: number, steps: number) {
  const random = randomOf(SEED);
  const rows = { lstm: 4, gru: 3, rnn: 1 }[cell] * hidden;
  const scale = 1 / Math.sqrt(hidden);
  const make = (...dims: number[]): Tensor<'float32'> =>
    tensor(
      random.floats(
        dims.reduce((n, dim) => n * dim, 1),
        scale,
      ),
      dims,
    );
  const options = { W: make(rows, hidden), R: make(rows, hidden), B: make(2 * rows) };
  const layer = { lstm, gru, rnn }[cell](options);
  const X = tensor(random.floats(steps * hidden), [1, steps, hidden]);
  return { layer, X };
}

describe('what rounding costs', () => {
  // Weights reach 0.09, inputs 1. A byte is off by 2e-4 on average, half precision by 1.2e-5; a sum of
  // 128 of them by 1.3e-3 and 8e-5. The worst of 12,800 outputs lies at four to five times that.
  const BOUNDS = { f16: 8e-4, int8: 1.2e-2 } as const;
  test.each(['lstm', 'gru', 'rnn'] as const)('%s of 128 units, 100 steps', async (cell) => {
    const { layer, X } = fresh(cell, 128, 100);
    const graph = sequential([layer]);
    const feeds = { [graph.inputs[0]!.name]: X };
    const name = graph.outputs[0]!.name;
    const exact = runReference(graph, feeds).get(name)!.data;
    const errors: Record<string, number> = {};
    for (const weights of ['f32', 'f16', 'int8'] as const) {
      const model = await loadModel(graph, { device, weights });
      const data = (await model.run(feeds))[name]!.data as Float32Array;
      errors[weights] = Math.max(...data.map((y, i) => Math.abs(y - exact[i]!)));
      model.dispose();
    }
    expect(errors['f32']).toBeLessThan(1e-5);
    expect(errors['f16']).toBeLessThan(BOUNDS.f16);
    expect(errors['int8']).toBeLessThan(BOUNDS.int8);
    expect(errors['f16']).toBeGreaterThan(errors['f32']!);
    expect(errors['int8']).toBeGreaterThan(errors['f16']!);
  });
});

describe('memory', () => {
  const H = 128;
  const { layer, X } = fresh('lstm', H, 9);
  const graph = sequential([layer, dense({ W: tensor(new Float32Array(3 * H), [3, H]) })]);
  const name = graph.inputs[0]!.name;
  const matrices = 2 * 4 * H * H;

  test('is that of the weights as they are stored, and of nothing else', async () => {
    const bytes: Record<string, number> = {};
    for (const weights of ['f32', 'f16', 'int8'] as const) {
      const model = await loadModel(graph, { device, weights });
      await model.warmUp({ [name]: X });
      bytes[weights] = model.usage.weightBytes;
      model.dispose();
    }
    expect(bytes['f32']! - bytes['f16']!).toBe(2 * matrices);
    expect(bytes['f32']! - bytes['int8']!).toBe(3 * matrices - 4 * 2 * 4 * H);
  });

  test('is what inspect says of it', async () => {
    const bytesOf = async (weights: 'f32' | 'f16' | 'int8'): Promise<number> =>
      (await inspect(graph, { weights, dims: { [name]: [1, 9, H] } })).plan!.weightBytes;
    const all = await bytesOf('f32');
    expect(all - (await bytesOf('f16'))).toBe(2 * matrices);
    expect(all - (await bytesOf('int8'))).toBe(3 * matrices - 4 * 2 * 4 * H);
  });
});

test('a stream is a run, with weights in bytes', async () => {
  const { layer, X } = fresh('gru', 40, 6);
  const graph = sequential([layer]);
  const [input, output] = [graph.inputs[0]!.name, graph.outputs[0]!.name];
  const model = await loadModel(graph, { device, weights: 'int8' });
  const whole = (await model.run({ [input]: X }))[output]!.data as Float32Array;
  const stream = model.stream();
  for (let t = 0; t < 6; t++) {
    const step = tensor(X.data.slice(t * 40, (t + 1) * 40), [1, 1, 40]);
    const { data } = (await stream.step({ [input]: step }))[output]!;
    expectClose(data as Float32Array, whole.slice(t * 40, (t + 1) * 40), { atol: 1e-6 });
  }
  model.dispose();
});

test('weights that are inputs of the graph are computed with as they are', async () => {
  const { graph, feeds } = exampleOf(
    recurrentCases({ cell: 'gru', hidden: 13, I: 7, projected: 0 }),
  );
  const names = ['W', 'R'];
  const given = names.map((name) => [name, graph.constants.get(name)!] as const);
  const open = {
    ...graph,
    constants: new Map([...graph.constants].filter(([name]) => !names.includes(name))),
    inputs: [...graph.inputs, ...given.map(([name, { type, dims }]) => ({ name, type, dims }))],
  };
  const all = { ...feeds, ...Object.fromEntries(given) };
  const model = await loadModel(open, { device, weights: 'int8' });
  const actual = await model.run(all);
  for (const [name, { data }] of runReference(graph, feeds)) {
    expectClose(actual[name]!.data as Float32Array, data, { label: name });
  }
  model.dispose();
});

describe('the option', () => {
  const { layer, X } = fresh('rnn', 8, 3);
  const graph = sequential([layer]);
  const feeds = { [graph.inputs[0]!.name]: X };

  test('has three values', async () => {
    const wrong = { weights: 'int4' } as unknown as LoadOptions;
    const error = { code: 'INVALID_ARGUMENT', path: 'options.weights' };
    await expect(loadModel(graph, wrong)).rejects.toMatchObject(error);
    await expect(inspect(graph, wrong)).rejects.toMatchObject(error);
  });

  test('is nothing to the reference, which has the weights as they are given', async () => {
    const [plain, int8] = await Promise.all(
      [{}, { weights: 'int8' } as const].map(async (options) => {
        const model = await loadModel(graph, { device: 'reference', ...options });
        return model.run(feeds);
      }),
    );
    expect(int8).toEqual(plain);
  });

  test('refuses weights beyond half precision, and says whose they are', async () => {
    const big = exampleOf(recurrentCases({ cell: 'rnn', hidden: 4, I: 3 }));
    (big.graph.constants.get('R')!.data as Float32Array)[5] = 1e5;
    const model = await loadModel(big.graph, { device, weights: 'f16' });
    await expect(model.run(big.feeds)).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      path: expect.stringContaining("graph.nodes[0] Recurrent 'layer'"),
      message: expect.stringContaining('100000'),
    });
    model.dispose();
  });
});
