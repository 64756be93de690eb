// Weights of half precision on the CPU: exactly what the kernels of float32 make of the rounded weights.
import { describe, expect, it } from 'vitest';
import { gru, loadModel, lstm, rnn, sequential, tensor, type Tensor } from '../../src/index.ts';
import type { Graph } from '../../src/graph.ts';
import { fromFloat16 } from '../../src/float16.ts';
import { randomOf } from '../support/random.ts';
import { recurrentCases } from '../support/random-recurrent.ts';
import { expectLikeReference } from '../support/recurrent-equals-reference.ts';
import { exampleOf } from '../support/property.ts';
import { casesOf, MORE_IN_FULL, SEED } from '../support/settings.ts';
import { storedWeights } from '../support/stored-weights.ts';

const random = randomOf(SEED);
const floats = (scale: number, ...dims: number[]): Tensor<'float32'> =>
  tensor(
    random.floats(
      dims.reduce((a, b) => a * b, 1),
      scale,
    ),
    dims,
  );

async function outputsOf(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
  options: { readonly device: 'wasm' | 'js'; readonly weights?: 'f16' },
): Promise<readonly Float32Array[]> {
  using model = await loadModel(graph, options);
  const results = model.runSync(feeds);
  return graph.outputs.map(({ name }) => results[name]!.data as Float32Array);
}

describe.each(['wasm', 'js'] as const)('f16 weights on %s', MORE_IN_FULL, (device) => {
  // Rows of a product: 1 has a kernel of its own for 32 columns, others expand a panel.
  it.each([
    ['lstm', 3, 37, 1],
    ['lstm', 64, 32, 2],
    ['gru', 40, 24, 1],
    ['gru', 5, 9, 7],
    ['rnn', 16, 100, 1],
    ['rnn', 1, 1, 3],
  ] as const)('%s of %i inputs and %i units, %i rows, bit by bit', async (cell, I, H, B) => {
    const G = { lstm: 4, gru: 3, rnn: 1 }[cell];
    const layer = { lstm, gru, rnn }[cell]({
      W: floats(2, G * H, I),
      R: floats(0.3, G * H, H),
      B: floats(1, 2 * G * H),
    });
    const graph = sequential([layer], { layout: 0 });
    const feeds = { [graph.inputs[0]!.name]: floats(1, 5, B, I) };
    const got = await outputsOf(graph, feeds, { device, weights: 'f16' });
    expect(got).toEqual(await outputsOf(storedWeights(graph, 'f16'), feeds, { device }));
    expect(got).not.toEqual(await outputsOf(graph, feeds, { device }));
  });

  it('every number of half precision but infinity and NaN', async () => {
    const [I, H] = [256, 248];
    const bits = Uint16Array.from({ length: I * H }, (_, k) => (k < 0x7c00 ? k : k + 0x400));
    const W = fromFloat16(bits);
    expect(new Set(W).size).toBe(bits.length - 1); // 0 and -0 are one
    const R = tensor(new Float32Array(H * H), [H, H]);
    const layer = rnn({ W: tensor(W, [H, I]), R, activations: ['Affine'] });
    const graph = sequential([layer], { layout: 0 });
    // Row b has a one at input b, and picks this column of W. Many rows, and some alone.
    const ones = Float32Array.from({ length: I * I }, (_, k) => Number(k % (I + 1) === 0));
    const groups: readonly (readonly [first: number, B: number])[] = [
      [0, I],
      ...[0, 1, 100, 255].map((b) => [b, 1] as const),
    ];
    for (const [first, B] of groups) {
      const X = tensor(ones.slice(first * I, (first + B) * I), [1, B, I]);
      const feeds = { [graph.inputs[0]!.name]: X };
      const [Y] = await outputsOf(graph, feeds, { device, weights: 'f16' });
      const expected = Float32Array.from({ length: B * H }, (_, k) => {
        const [b, u] = [Math.floor(k / H), k % H];
        return W[u * I + first + b]! + 0; // zeros are added: -0 becomes 0
      });
      expect(Y).toEqual(expected);
    }
  });

  it('random layers', () => expectLikeReference(casesOf(30, 1500), { device, weights: 'f16' }));

  it('takes half of the memory', async () => {
    const H = 256;
    const graph = sequential([lstm({ W: floats(0.1, 4 * H, H), R: floats(0.1, 4 * H, H) })]);
    const X = { [graph.inputs[0]!.name]: floats(1, 1, 1, H) };
    const bytes: number[] = [];
    for (const weights of ['f32', 'f16'] as const) {
      using model = await loadModel(graph, { device, weights });
      model.runSync(X);
      bytes.push(model.usage.weightBytes);
    }
    expect(bytes[0]! - bytes[1]!).toBe(2 * 2 * 4 * H * H);
  });

  it.each([1e5, Infinity, NaN])('refuses %f, and says whose it is', async (weight) => {
    const { graph, feeds } = exampleOf(recurrentCases({ cell: 'rnn', hidden: 4, I: 3 }));
    (graph.constants.get('R')!.data as Float32Array)[5] = weight;
    using model = await loadModel(graph, { device, weights: 'f16' });
    expect(() => model.runSync(feeds)).toThrow(
      expect.objectContaining({
        code: 'LIMIT_EXCEEDED',
        path: expect.stringContaining("graph.nodes[0] Recurrent 'layer'"),
        message: expect.stringContaining(String(weight)),
      }),
    );
  });
});
