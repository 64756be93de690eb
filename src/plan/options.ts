// The options of a load that reach into plans, checked.
import { RnnError } from '../errors.ts';
import type { PlanOptions } from './lowering.ts';

const WEIGHTS = ['f32', 'f16', 'int8'] as const;

/** What is asked for, of the options of `loadModel` and `inspect`. */
export interface AskedOptions extends Pick<
  PlanOptions,
  'recurrentKernel' | 'wavefront' | 'tune' | 'weights'
> {
  readonly limits?: Pick<PlanOptions, 'maxUnrolled'>;
}

/** @throws RnnError `INVALID_ARGUMENT` for weights that are stored in no way there is */
export function planOptionsOf(asked: AskedOptions): PlanOptions {
  const { recurrentKernel, wavefront, tune, weights, limits } = asked;
  if (weights !== undefined && !WEIGHTS.includes(weights)) {
    const what = `got '${String(weights)}', expected ${WEIGHTS.map((w) => `'${w}'`).join(', ')}`;
    throw new RnnError('INVALID_ARGUMENT', 'options.weights', what);
  }
  const maxUnrolled = limits?.maxUnrolled;
  return {
    ...(recurrentKernel !== undefined && { recurrentKernel }),
    ...(wavefront !== undefined && { wavefront }),
    ...(tune !== undefined && { tune }),
    ...(weights !== undefined && { weights }),
    ...(maxUnrolled !== undefined && { maxUnrolled }),
  };
}
