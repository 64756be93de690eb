// The options of a load that reach into plans, checked.
import { RnnError } from '../errors.ts';
import type { PlanOptions } from './lowering.ts';

const WEIGHTS = ['f32', 'f16', 'int8'] as const;

/** What is asked for, of the options of `loadModel` and `inspect`. */
export interface AskedOptions extends Pick<PlanOptions, 'recurrentKernel' | 'weights'> {
  readonly limits?: Pick<PlanOptions, 'maxUnrolled'>;
}

/** @throws RnnError `INVALID_ARGUMENT` for weights that are stored in no way there is */
export function planOptionsOf({ recurrentKernel, weights, limits }: AskedOptions): PlanOptions {
  if (weights !== undefined && !WEIGHTS.includes(weights)) {
    const what = `got '${String(weights)}', expected ${WEIGHTS.map((w) => `'${w}'`).join(', ')}`;
    throw new RnnError('INVALID_ARGUMENT', 'options.weights', what);
  }
  const maxUnrolled = limits?.maxUnrolled;
  return {
    ...(recurrentKernel !== undefined && { recurrentKernel }),
    ...(weights !== undefined && { weights }),
    ...(maxUnrolled !== undefined && { maxUnrolled }),
  };
}
