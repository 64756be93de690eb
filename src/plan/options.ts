// The options of a load that reach into plans, checked.
import { RnnError } from '../errors.ts';
import type { PlanOptions } from './lowering.ts';
import { RECURRENT_VARIANTS } from './select/variants.ts';

const WEIGHTS = ['f32', 'f16', 'int8'] as const;
const KERNELS = ['step', 'persistent', ...RECURRENT_VARIANTS] as const;

/** The plan options among the options of `loadModel` and `inspect`. */
export interface RequestedOptions extends Pick<
  PlanOptions,
  'recurrentKernel' | 'wavefront' | 'subgroups' | 'tune' | 'selfCheck' | 'weights' | 'arithmetic'
> {}

/** @throws RnnError `INVALID_ARGUMENT` for weights, arithmetic or a kernel of no kind that there is */
export function planOptionsOf(requested: RequestedOptions): PlanOptions {
  const { recurrentKernel, wavefront, subgroups, tune, selfCheck, arithmetic } = requested;
  const weights = requested.weights ?? (arithmetic === 'f16' ? 'f16' : undefined);
  if (weights !== undefined && !WEIGHTS.includes(weights)) {
    const what = `got '${String(weights)}', expected ${WEIGHTS.map((w) => `'${w}'`).join(', ')}`;
    throw new RnnError('INVALID_ARGUMENT', 'options.weights', what);
  }
  if (arithmetic !== undefined && arithmetic !== 'f32' && arithmetic !== 'f16') {
    const what = `got '${String(arithmetic)}', expected 'f32', 'f16'`;
    throw new RnnError('INVALID_ARGUMENT', 'options.arithmetic', what);
  }
  if (arithmetic === 'f16' && weights !== 'f16') {
    const what = `multiplies weights as they are stored: got weights '${weights}', expected 'f16'`;
    throw new RnnError('INVALID_ARGUMENT', 'options.arithmetic', what);
  }
  if (recurrentKernel !== undefined && !KERNELS.includes(recurrentKernel)) {
    const what = `got '${String(recurrentKernel)}', expected ${KERNELS.map((k) => `'${k}'`).join(', ')}`;
    throw new RnnError('INVALID_ARGUMENT', 'options.recurrentKernel', what);
  }
  return {
    ...(recurrentKernel !== undefined && { recurrentKernel }),
    ...(wavefront !== undefined && { wavefront }),
    ...(subgroups !== undefined && { subgroups }),
    ...(tune !== undefined && { tune }),
    ...(selfCheck !== undefined && { selfCheck }),
    ...(weights !== undefined && { weights }),
    ...(arithmetic !== undefined && { arithmetic }),
  };
}
