// Weights of 8 bits on the CPU, against the reference with the rounded weights.
import { describe, expect, it } from 'vitest';
import { loadModel, lstm, rnn, sequential, tensor, type Tensor } from '../../src/index.ts';
import { runReference } from '../../src/reference.ts';
import { randomOf } from '../support/random.ts';
import { expectLikeReference, expectRight } from '../support/recurrent-equals-reference.ts';
import { casesOf, MORE_IN_FULL, SEED } from '../support/settings.ts';
import { storedNumbers } from '../support/stored-weights.ts';

const CPU = ['wasm', 'js'] as const;

const random = randomOf(SEED);
const floats = (scale: number, ...dims: number[]): Tensor<'float32'> =>
  tensor(
    random.floats(
      dims.reduce((a, b) => a * b, 1),
      scale,
    ),
    dims,
  );

const sumOfSizes = (row: ArrayLike<number>): number =>
  Array.from(row).reduce((sum, x) => sum + Math.abs(x), 0);
const largest = (row: ArrayLike<number>): number =>
  Array.from(row).reduce((top, x) => Math.max(top, Math.abs(x)), 0);

describe.each(CPU)('int8 weights on %s', MORE_IN_FULL, (device) => {
  // Sums of a layer without a curve: each number of x and of h is off by half of 1/32767 of the largest of its
  // row, so a sum by as much times the sizes of its weights. 1100 is beyond two blocks of sums, 5 is odd.
  it.each([
    [5, 3],
    [67, 40],
    [1100, 530],
  ])('a step of %i inputs and %i units is off by 1/65534 of each product at most', async (I, H) => {
    const [W, R, B] = [floats(0.1, H, I), floats(0.1, H, H), floats(1, 2 * H)];
    const graph = sequential([rnn({ W, R, B, activations: ['Affine'] })], { layout: 0 });
    const [storedW, storedR] = [storedNumbers(W.data, I, 'int8'), storedNumbers(R.data, H, 'int8')];
    const rounded = sequential(
      [
        rnn({
          W: tensor(storedW, [H, I]),
          R: tensor(storedR, [H, H]),
          B,
          activations: ['Affine'],
        }),
      ],
      { layout: 0 },
    );
    const X = floats(3, 2, 2, I);
    const [input, output] = [graph.inputs[0]!.name, graph.outputs[0]!.name];
    using model = await loadModel(graph, { device, weights: 'int8' });
    const got = model.runSync({ [input]: X })[output]!.data as Float32Array;
    const exact = runReference(rounded, { [input]: X }).get(output)!.data;
    let worst = 0;
    for (let b = 0; b < 2; b++) {
      const first = exact.subarray(b * H, (b + 1) * H);
      const before = largest(first.map((x, k) => got[b * H + k]! - x));
      const ofRow = (t: number): number =>
        largest(X.data.subarray((t * 2 + b) * I, (t * 2 + b + 1) * I)) / 65534;
      const ofState = largest(got.subarray(b * H, (b + 1) * H)) / 65534;
      for (let u = 0; u < H; u++) {
        const w = storedW.subarray(u * I, (u + 1) * I);
        const r = storedR.subarray(u * H, (u + 1) * H);
        // The second step also multiplies the errors of the first.
        const bounds = [
          sumOfSizes(w) * ofRow(0),
          sumOfSizes(w) * ofRow(1) + sumOfSizes(r) * (ofState + before),
        ];
        bounds.forEach((bound, t) => {
          const at = (t * 2 + b) * H + u;
          // Scales and the last additions are rounded to float32.
          const float32 = 2e-6 * (1 + Math.abs(exact[at]!));
          worst = Math.max(worst, Math.abs(got[at]! - exact[at]!) / (bound + float32));
        });
      }
    }
    expect(worst).toBeLessThanOrEqual(1);
    expect(got.some((x, i) => x !== Math.fround(exact[i]!))).toBe(true);
  });

  it('sums of one sign fit, however long they are', () => {
    const [I, H] = [1100, 4];
    const full = (x: number, ...dims: [number, number]) =>
      tensor(new Float32Array(dims[0] * dims[1]).fill(x), dims);
    const layer = rnn({ W: full(0.5, H, I), R: full(0, H, H), activations: ['Affine'] });
    return expectRight(
      {
        graph: sequential([layer], { layout: 0 }),
        feeds: { X: tensor(new Float32Array(I).fill(-2), [1, 1, I]) },
        label: 'sums of -1100',
      },
      { device, weights: 'int8' },
      1e-3,
    );
  });

  // 130 products are off by 130/65534 = 2e-3 of weight times state at worst; the weights of random layers and the
  // damping of the cells leave a tenth.
  it('random layers', () =>
    expectLikeReference(casesOf(60, 1500), { device, weights: 'int8' }, undefined, 5e-4));

  it('takes a quarter of the memory, and refuses what it cannot hold', async () => {
    const H = 256;
    const layer = (W: Tensor<'float32'>) =>
      sequential([lstm({ W, R: floats(0.1, 4 * H, H) })], { layout: 0 });
    const graph = layer(floats(0.1, 4 * H, H));
    const X = { [graph.inputs[0]!.name]: floats(1, 1, 1, H) };
    const bytes: number[] = [];
    for (const weights of ['f32', 'int8'] as const) {
      using model = await loadModel(graph, { device, weights });
      model.runSync(X);
      bytes.push(model.usage.weightBytes);
    }
    expect(bytes[1]! / bytes[0]!).toBeLessThan(0.26);
    const infinite = floats(0.1, 4 * H, H);
    infinite.data[77] = Infinity;
    using model = await loadModel(layer(infinite), { device, weights: 'int8' });
    expect(() => model.runSync(X)).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED', message: expect.stringMatching(/int8/) }),
    );
  });

  it('keeps weights that are fed in float32, and NaN of an input in the row that it is in', async () => {
    const graph = sequential([rnn({ W: floats(0.5, 4, 3), R: floats(0.5, 4, 4) })], { layout: 0 });
    const [input, output] = [graph.inputs[0]!.name, graph.outputs[0]!.name];
    const X = floats(1, 1, 2, 3);
    X.data[1] = NaN;
    using model = await loadModel(graph, { device, weights: 'int8' });
    const { data } = model.runSync({ [input]: X })[output]!;
    expect([...data].map((x) => Number.isNaN(x))).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
    const node = graph.nodes.find(({ op }) => op === 'Recurrent')!;
    const name = node.inputs[1]!;
    const W = graph.constants.get(name)!;
    const constants = new Map(graph.constants);
    constants.delete(name);
    const fed = {
      ...graph,
      constants,
      inputs: [...graph.inputs, { name, type: 'float32', dims: W.dims }],
    } as const;
    const feeds = { [input]: floats(1, 3, 1, 3), [name]: W };
    using other = await loadModel(fed, { device, weights: 'int8' });
    const exact = runReference(fed, feeds).get(output)!.data;
    const got = other.runSync(feeds)[output]!.data as Float32Array;
    got.forEach((x, i) => expect(x).toBeCloseTo(exact[i]!, 6));
  });
});
