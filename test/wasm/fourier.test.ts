// Convolutions with a windowed Fourier basis: they are found by their numbers, and fast transforms give what the
// convolution gives.
import { describe, expect, it } from 'vitest';
import type { Graph } from '../../src/graph.ts';
import { loadModel, tensor, type Tensor } from '../../src/index.ts';
import { specializeGraph } from '../../src/plan/specialize/infer.ts';
import { runReference } from '../../src/reference.ts';
import * as id from '../../src/wasm/assembly/ids.ts';
import { fourierBasis } from '../../src/wasm/lower/fourier.ts';
import { makeProgram } from '../../src/wasm/make-program.ts';
import { expectClose } from '../support/close.ts';
import { randomOf } from '../support/random.ts';
import { casesOf, MORE_IN_FULL, SEED } from '../support/settings.ts';

interface Filters {
  readonly size: number;
  readonly bins: number;
  readonly interleaved: boolean;
  readonly sign: 1 | -1;
}

const hann = (n: number, size: number): number => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / size);

/** Filters [2 · bins, 1, size] as a model has them: float32 of window times cosine and sine. */
function basisOf({ size, bins, interleaved, sign }: Filters, window = hann): Tensor<'float32'> {
  const data = new Float32Array(2 * bins * size);
  for (let k = 0; k < bins; k++)
    for (let n = 0; n < size; n++) {
      const angle = (2 * Math.PI * ((k * n) % size)) / size;
      const [re, im] = interleaved ? [2 * k, 2 * k + 1] : [k, bins + k];
      data[re * size + n] = window(n, size) * Math.cos(angle);
      data[im * size + n] = window(n, size) * -sign * Math.sin(angle);
    }
  return tensor(data, [2 * bins, 1, size]);
}

const graphOf = (
  x: Tensor,
  weights: Tensor,
  attributes: Graph['nodes'][number]['attributes'],
): Graph => ({
  name: 'spectra',
  inputs: [{ name: 'X', type: 'float32', dims: x.dims }],
  outputs: [{ name: 'Y', type: 'float32', dims: [] }],
  constants: new Map([['W', weights]]),
  nodes: [{ op: 'Conv', name: 'stft', inputs: ['X', 'W'], outputs: ['Y'], attributes }],
});

/** Whether the program of a graph has a fast transform. */
function isFast(graph: Graph, x: Tensor): boolean {
  const specialized = specializeGraph(graph, { dims: new Map([['X', x.dims]]), host: new Map() });
  const { steps } = makeProgram(specialized, { outputs: ['Y'], feedback: new Map() });
  return steps.some(
    (step) => step.kind === 'table' && step.entries.some(({ kernel }) => kernel === id.FOURIER),
  );
}

const random = randomOf(SEED);
const signal = (...dims: number[]): Tensor =>
  tensor(random.floats(dims.reduce((a, b) => a * b, 1)), dims);

/**
 * A sum of N products of order one in float32, rounded at each of log2 N stages, of weights that are themselves rounded:
 * 2^-24 · (log2 N + 2) of the root of the sum of the squares, at most √N; a factor of 4 for the worst of many.
 */
const boundOf = (size: number): number => 4 * 2 ** -24 * (Math.log2(size) + 2) * Math.sqrt(size);

describe.each(['wasm', 'js'] as const)('on %s', (device) => {
  const expectRight = async (filters: Filters, x: Tensor, stride: number): Promise<void> => {
    const graph = graphOf(x, basisOf(filters), { strides: [stride] });
    expect(isFast(graph, x)).toBe(true);
    using model = await loadModel(graph, { device });
    const { Y } = await model.run({ X: x });
    const want = runReference(graph, { X: x }).get('Y')!;
    expect(Y!.dims).toEqual(want.dims);
    expectClose(Y!.data as Float32Array, want.data, { atol: boundOf(filters.size), rtol: 0 });
  };

  it.each([16, 32, 64, 128, 256, 512, 1024])('windows of %i numbers', async (size) => {
    const x = signal(2, 1, size + 5 * 7);
    await expectRight({ size, bins: size / 2 + 1, interleaved: false, sign: 1 }, x, 7);
  });

  it('orders, signs, strides, counts of windows, frequencies left out', MORE_IN_FULL, async () => {
    for (let n = 0; n < casesOf(6, 100); n++) {
      const size = 2 ** random.int(4, 8);
      const bins = random.int(Math.floor(2 * Math.log2(size)) + 1, size / 2 + 1);
      const [places, stride] = [random.int(1, 9), random.int(1, size)];
      const x = signal(
        random.int(1, 3),
        1,
        size + (places - 1) * stride + random.int(0, stride - 1),
      );
      const sign = random.chance(0.5) ? 1 : -1;
      await expectRight({ size, bins, interleaved: random.chance(0.5), sign }, x, stride);
    }
  });
});

describe('what is found', () => {
  const filters: Filters = { size: 64, bins: 33, interleaved: false, sign: 1 };
  const x = signal(1, 1, 200);
  const fast = (weights: Tensor, attributes: Graph['nodes'][number]['attributes'] = {}): boolean =>
    isFast(graphOf(x, weights, attributes), x);

  it('any window', () => {
    expect(fast(basisOf(filters))).toBe(true);
    expect(fast(basisOf(filters, () => 1))).toBe(true);
    const weights = random.floats(64);
    expect(fast(basisOf(filters, (n) => weights[n]!))).toBe(true);
  });

  it('no filters that differ by more than rounding, in any element', () => {
    for (let k = 0; k < 12; k++) {
      const weights = basisOf(filters);
      const at = random.int(64, weights.data.length - 1);
      weights.data[at]! += 1e-6 * hann(at % 64, 64) + (at % 64 === 0 ? 1e-6 : 0);
      expect(fast(weights), `element ${at}`).toBe(false);
    }
    const broken = basisOf(filters);
    broken.data[100] = NaN;
    expect(fast(broken)).toBe(false);
  });

  it('no padding, no dilation, no size that is no power of two, no few frequencies', () => {
    const weights = basisOf(filters);
    expect(fast(weights, { pads: [1, 0] })).toBe(false);
    expect(fast(weights, { dilations: [2] })).toBe(false);
    expect(fast(basisOf({ ...filters, size: 60, bins: 31 }))).toBe(false);
    expect(fast(basisOf({ ...filters, bins: 12 }))).toBe(false);
    expect(fourierBasis(new Float32Array(65 * 64), 65, 64)).toBeUndefined();
  });
});
