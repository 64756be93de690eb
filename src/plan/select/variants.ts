// The names of the candidates for a recurrent layer, in the order in which equal costs are resolved.

/** Names of the candidates, see `recurrent-candidates.ts` for each. */
export const RECURRENT_VARIANTS = [
  'persistent-registers',
  'persistent-row-blocks',
  'persistent-streamed',
  'single-step',
  'step-subgroup',
  'step-split-k',
  'step-plain',
] as const;

/**
 * A kernel for a recurrent layer with one way of tiling it: `persistent-registers`, `persistent-row-blocks`
 * and `persistent-streamed` compute many time steps in a dispatch, `step-subgroup`, `step-split-k` and
 * `step-plain` one, and `single-step` computes the only time step of a call with its input projection.
 */
export type RecurrentVariant = (typeof RECURRENT_VARIANTS)[number];

/** The WGSL that variants share: one dispatch a time step, or one for many time steps. */
export type RecurrentKernel = 'step' | 'persistent';

/**
 * What a choice is for, as in tiered compilation: `'baseline'` kernels compile fast, for the first result;
 * `'optimized'` ones run fast. They differ on CPU adapters only, which compile unrolled kernels slowly.
 */
export type Tier = 'baseline' | 'optimized';
