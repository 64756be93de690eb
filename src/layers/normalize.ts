// Normalisation layers, and dropout, as in inference.
import { tensor } from '../tensor.ts';
import { expectWidth, invalid, knownWidth, makeLayer } from './layer.ts';
import type { Layer, LayerOptions } from './layer.ts';
import { readShaped, readWeights, type Weights } from './weights.ts';

/** Options of `layerNorm`. F features. */
export interface LayerNormOptions extends LayerOptions {
  /** [F]; ones when left out. Keras calls it gamma too, PyTorch weight. */
  readonly gamma?: Weights | undefined;
  /** [F]; zeros when left out. Keras calls it beta too, PyTorch bias. */
  readonly beta?: Weights | undefined;
  /** Added to the variance; 1e-5 by default, as in PyTorch. That of Keras is 1e-3. */
  readonly epsilon?: number | undefined;
}

/** Options of `batchNorm`. F features. */
export interface BatchNormOptions extends LayerNormOptions {
  /** [F], the running mean. */
  readonly mean: Weights;
  /** [F], the running variance. */
  readonly variance: Weights;
}

function readEpsilon(epsilon: unknown, path: string): number {
  if (Number.isFinite(epsilon) && (epsilon as number) >= 0) return epsilon as number;
  throw invalid(`${path}.epsilon`, epsilon, 'a number, 0 or more');
}

const featuresOf = (weights: Weights | undefined, path: string) =>
  weights === undefined
    ? undefined
    : ({ type: 'float32', features: readWeights(weights, path).data.length } as const);

/**
 * gamma ∘ (x - mean) / √(variance + ε) + beta with the mean and variance of the features of each step:
 * any shape → the same.
 *
 * @throws RnnError `SHAPE_MISMATCH` or `INVALID_ARGUMENT` where it is put into a model
 * @example
 * ```ts
 * layerNorm({ gamma, beta });
 * ```
 */
export function layerNorm({ gamma, beta, epsilon = 1e-5, name }: LayerNormOptions = {}): Layer {
  return makeLayer({
    kind: 'layerNorm',
    name,
    wants: (path) => featuresOf(gamma ?? beta, `${path}.gamma`),
    append: (place) => {
      const { builder, x, stem, path } = place;
      const F = knownWidth(place);
      const scale =
        gamma === undefined
          ? tensor(new Float32Array(F).fill(1), [F])
          : readShaped(gamma, [F], 'F', `${path}.gamma`);
      const inputs = [x.name, builder.constant(`${stem}/gamma`, () => scale)];
      if (beta !== undefined) {
        const shift = readShaped(beta, [F], 'F', `${path}.beta`);
        inputs.push(builder.constant(`${stem}/beta`, () => shift));
      }
      const attributes = { axis: -1, epsilon: readEpsilon(epsilon, path) };
      return { ...x, name: builder.node('LayerNormalization', stem, inputs, attributes) };
    },
  });
}

/**
 * gamma ∘ (x - mean) / √(variance + ε) + beta with the mean and variance of training: any shape → the same.
 *
 * @throws RnnError `SHAPE_MISMATCH` or `INVALID_ARGUMENT` where it is put into a model
 * @example
 * ```ts
 * batchNorm({ mean, variance, gamma, beta, epsilon: 1e-3 });
 * ```
 */
export function batchNorm(options: BatchNormOptions): Layer {
  const { mean, variance, gamma, beta, epsilon = 1e-5, name } = options;
  return makeLayer({
    kind: 'batchNorm',
    name,
    wants: (path) => featuresOf(mean, `${path}.mean`),
    append: (place) => {
      const { builder, x, stem, path } = place;
      const average = readWeights(mean, `${path}.mean`);
      const F = average.data.length;
      expectWidth(place, F, 'mean');
      const read = (weights: Weights, key: string): Float32Array =>
        readShaped(weights, [F], 'F', `${path}.${key}`).data;
      const center = read(mean, 'mean');
      const spread = read(variance, 'variance');
      const [gain, offset] = [gamma && read(gamma, 'gamma'), beta && read(beta, 'beta')];
      const small = readEpsilon(epsilon, path);
      // All but x is known: one product and one sum.
      const factor = (c: number): number => (gain?.[c] ?? 1) / Math.sqrt(spread[c]! + small);
      const vector = (key: string, at: (c: number) => number): string =>
        builder.constant(`${stem}/${key}`, () =>
          tensor(
            Float32Array.from({ length: F }, (_, c) => at(c)),
            [F],
          ),
        );
      const scale = vector('scale', factor);
      const shift = vector('shift', (c) => (offset?.[c] ?? 0) - center[c]! * factor(c));
      const scaled = builder.node('Mul', stem, [x.name, scale]);
      return { ...x, name: builder.node('Add', `${stem}/shift`, [scaled, shift]) };
    },
  });
}

/**
 * What a model computes of dropout once it is trained: x. It is here so that the layers of a model in code can
 * stand as they do where it was trained.
 *
 * @param rate the fraction that training drops, from 0 up to 1; it changes nothing
 * @throws RnnError `INVALID_ARGUMENT` for another rate
 * @example
 * ```ts
 * sequential([lstm({ W, R, B }), dropout(0.5), dense({ W: V, b })]);
 * ```
 */
export function dropout(rate = 0.5, { name }: LayerOptions = {}): Layer {
  if (!(rate >= 0 && rate < 1)) throw invalid('dropout.rate', rate, 'a number from 0 up to 1');
  return makeLayer({
    kind: 'dropout',
    name,
    wants: () => undefined,
    append: ({ x }) => x,
  });
}
