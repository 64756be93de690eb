// A model in a worker: the part that a page loads at once.
import { RnnError } from './errors.ts';
import type { ModelSource } from './import/source.ts';
import type { WorkerModel, WorkerModelOptions } from './worker/worker-model.ts';

/**
 * Loads a model in a worker, so that computing on a CPU never holds up the page: `run`, and streams with `step`, `reset`,
 * `snapshot`, `restore`, `fork` and `dispose`. Arrays of results are moved, those of feeds copied or, with `transfer`, moved.
 *
 * @param source as for `loadModel`; a graph with cells of your own cannot be sent
 * @throws RnnError as `loadModel` does, with code and path; `UNSUPPORTED_FEATURE` where there are no workers and none is given;
 *   `INTERNAL` for a worker that fails; the reason of the signal
 * @example
 * ```ts
 * const model = await createWorkerModel('/models/tagger.onnx');
 * const { Y } = await model.run({ X: tensor(new Float32Array(16 * 40), [16, 1, 40]) });
 * ```
 */
export async function createWorkerModel(
  source: ModelSource,
  options: WorkerModelOptions = {},
): Promise<WorkerModel> {
  if (typeof Worker === 'undefined' && options.worker === undefined) {
    const what =
      'got an environment without Worker, expected a page, or a worker or port that is given';
    throw new RnnError('UNSUPPORTED_FEATURE', 'options.worker', what);
  }
  const { connectModel } = await import('./worker/worker-model.ts');
  return connectModel(source, options);
}
