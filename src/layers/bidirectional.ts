// Pairs two recurrent layers, so that both directions are computed at once.
import { tensor, type Tensor } from '../tensor.ts';
import { expectDims, invalid, readWeights } from './layer.ts';
import {
  RANKS,
  layerOf,
  withDirections,
  type MergeMode,
  type RecurrentLayer,
} from './recurrent.ts';

/** What both directions must agree on, with its defaults. */
const SHARED = {
  clip: 0,
  coupled: false,
  resetAfter: true,
  returnSequences: true,
  layout: undefined,
} as const;

/**
 * Two layers of the same kind, one forward and one backward, joined step by step.
 *
 * @param forward layer of one direction; what both do not share it decides: its name
 * @param backward layer of the same kind and sizes
 * @example
 * ```ts
 * bidirectional(lstm({ W, R, B }), lstm({ W: Wb, R: Rb, B: Bb }), 'sum');
 * ```
 */
export function bidirectional(
  forward: RecurrentLayer,
  backward: RecurrentLayer,
  merge: MergeMode = 'concat',
): RecurrentLayer {
  const path = 'bidirectional';
  const { cell } = forward;
  const [a, b] = [forward.options, backward.options];
  if (backward.cell !== cell) throw invalid(`${path}.backward`, backward.cell.name, cell.name);
  for (const [key, fallback] of Object.entries(SHARED)) {
    const [one, other] = [a, b].map((side) => side[key as keyof typeof SHARED] ?? fallback);
    if (one !== other) throw invalid(`${path}.backward.${key}`, other, String(one));
  }
  const pair = (key: 'W' | 'R' | 'B' | 'P' | 'projection'): Tensor | undefined => {
    const [one, other] = [a[key], b[key]];
    if (one === undefined && other === undefined) return undefined;
    const at = `${path}.backward.${key}`;
    if (one === undefined || other === undefined) throw invalid(at, 'one of two', 'both or none');
    const rank = RANKS[key];
    const left = withDirections(readWeights(one, `${path}.forward.${key}`), rank);
    const right = withDirections(readWeights(other, at), rank);
    expectDims(right, left.dims, 'as forward', at);
    const data = new Float32Array(2 * left.data.length);
    data.set(left.data);
    data.set(right.data, left.data.length);
    return tensor(data, [2, ...left.dims.slice(1)]);
  };
  const count = cell.activations.length;
  const both = <T>(key: 'activations' | 'alphas' | 'betas', fallback: readonly T[]): T[] =>
    [a[key], b[key]].flatMap((list) => (list ?? fallback) as readonly T[]);
  const none = Array.from({ length: count }, () => Number.NaN);
  return layerOf(cell, {
    ...a,
    direction: 'bidirectional',
    merge,
    W: pair('W')!,
    R: pair('R'),
    B: pair('B'),
    P: pair('P'),
    projection: pair('projection'),
    activations: both('activations', cell.activations),
    alphas: both('alphas', none),
    betas: both('betas', none),
  });
}
