// What a model is, without running it: for people who ask whether a file will do, and for tools.
import type { ModelSource } from './import/source.ts';
import type { InspectOptions, Inspection } from './inspect/types.ts';

export type * from './inspect/types.ts';

/**
 * Reads a model and says what is in it and what it would cost, without a GPU.
 *
 * @param source whatever `loadModel` takes
 * @throws RnnError as `loadModel` for a file that cannot be read; `INVALID_ARGUMENT` or
 *   `SHAPE_MISMATCH` for `options.dims` that the model does not take. Operators that are missing
 *   are reported, not thrown.
 * @example
 * ```ts
 * const { layers, parameters, plan } = await inspect('model.onnx', { dims: { X: [16, 1, 40] } });
 * console.log(parameters, plan?.dispatches);
 * ```
 */
export async function inspect(
  source: ModelSource,
  options: InspectOptions = {},
): Promise<Inspection> {
  // The planner is a large part of the package, and few pages inspect.
  const { inspectModel } = await import('./inspect/inspect-model.ts');
  return inspectModel(source, options);
}
