// Pairs two recurrent layers, so that both directions are computed at once.
import { tensor, type Tensor } from '../tensor.ts';
import { expectDims, invalid } from './layer.ts';
import type { MergeMode, RecurrentLayer } from './recurrent-options.ts';
import { readRecurrent } from './recurrent-weights.ts';
import { recurrentLayer } from './recurrent.ts';
import type { SymbolicTensor } from './symbolic.ts';

/** What both directions must agree on, with its defaults. */
const SHARED = {
  clip: 0,
  coupled: false,
  resetAfter: true,
  returnSequences: true,
  layout: undefined,
} as const;

/** The outputs of two directions, [B, T, H] each. */
export type BothDirections = readonly [forward: SymbolicTensor, backward: SymbolicTensor];

/**
 * Two layers of the same kind, one forward and one backward, joined step by step.
 *
 * @param forward layer of one direction; what both do not share it decides: its name
 * @param backward layer of the same kind and sizes
 * @param merge how both outputs are joined; `'none'`: the call gives both, forward first
 * @throws RnnError `INVALID_ARGUMENT` or `SHAPE_MISMATCH` for layers that differ in more than their numbers
 * @example
 * ```ts
 * bidirectional(lstm({ W, R, B }), lstm({ W: Wb, R: Rb, B: Bb }), 'sum');
 * ```
 */
export function bidirectional(
  forward: RecurrentLayer,
  backward: RecurrentLayer,
  merge?: MergeMode,
): RecurrentLayer;
/** The same with an output for each direction. */
export function bidirectional(
  forward: RecurrentLayer,
  backward: RecurrentLayer,
  merge: 'none',
): RecurrentLayer<BothDirections>;
export function bidirectional(
  forward: RecurrentLayer,
  backward: RecurrentLayer,
  merge: MergeMode | 'none' = 'concat',
): RecurrentLayer<SymbolicTensor | BothDirections> {
  const path = 'bidirectional';
  const { cell } = forward;
  const [a, b] = [forward.options, backward.options];
  if (backward.cell !== cell) throw invalid(`${path}.backward`, backward.cell.name, cell.name);
  for (const [key, fallback] of Object.entries(SHARED)) {
    const [one, other] = [a, b].map((side) => side[key as keyof typeof SHARED] ?? fallback);
    if (one !== other) throw invalid(`${path}.backward.${key}`, other, String(one));
  }
  // Each side may have the order of a framework of its own.
  const left = readRecurrent(a, cell, 1, `${path}.forward`);
  const right = readRecurrent(b, cell, 1, `${path}.backward`);
  const pair = (key: 'W' | 'R' | 'B' | 'P' | 'projection'): Tensor | undefined => {
    const [one, other] = [left[key], right[key]];
    if (one === undefined && other === undefined) return undefined;
    const at = `${path}.backward.${key}`;
    if (one === undefined || other === undefined) throw invalid(at, 'one of two', 'both or none');
    expectDims(other, one.dims, 'as forward', at);
    const data = new Float32Array(2 * one.data.length);
    data.set(one.data);
    data.set(other.data, one.data.length);
    return tensor(data, [2, ...one.dims.slice(1)]);
  };
  const count = cell.activations.length;
  const both = <T>(key: 'activations' | 'alphas' | 'betas', fallback: readonly T[]): T[] =>
    [a[key], b[key]].flatMap((list) => (list ?? fallback) as readonly T[]);
  const none = Array.from({ length: count }, () => Number.NaN);
  const options = {
    ...a,
    direction: 'bidirectional',
    merge,
    order: 'onnx',
    updateGate: 'keepsOld',
    R: pair('R'), // first: it tells the number of units
    W: pair('W')!,
    B: pair('B'),
    P: pair('P'),
    projection: pair('projection'),
    activations: both('activations', cell.activations),
    alphas: both('alphas', none),
    betas: both('betas', none),
  } as const;
  return recurrentLayer(cell, options, ([y, z]) => (merge === 'none' ? ([y!, z!] as const) : y!));
}
