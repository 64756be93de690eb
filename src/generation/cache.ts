// Keeps what generations of a model have in common, so that a second one compiles and uploads nothing.
import { RnnError } from '../errors.ts';
import type { Session, Tensors } from '../backends/backend.ts';
import type { Model } from '../model.ts';
import { makePrograms, type ProgramRequest, type Programs } from './programs.ts';

/** Kinds of generations that a model keeps. Each holds the memory of its plans; the least recent goes first. */
const MAX_PROGRAMS = 4;

const made = new WeakMap<Model, Map<string, Programs>>();

/** Loads the operators that are added to graphs; the model may have none of them. */
export async function loadOperators({ runOnGpu }: Session): Promise<void> {
  const [{ registerOperators }] = await Promise.all([
    import('../operators.ts'),
    runOnGpu && import('../kernels.ts').then((each) => each.registerKernels()),
  ]);
  registerOperators();
}

/**
 * The streams for a kind of generation.
 *
 * @throws RnnError as `makePrograms`, `DISPOSED`
 */
export async function programsOf(
  model: Model,
  { feeds, ...request }: ProgramRequest & { readonly feeds: Tensors },
): Promise<Programs> {
  if (typeof (model as Partial<Model>)?.parts !== 'function') {
    const what = 'got no model, expected what loadModel gives';
    throw new RnnError('INVALID_ARGUMENT', 'model', what);
  }
  const { graph, session } = model.parts();
  await loadOperators(session);
  const known = made.get(model) ?? new Map<string, Programs>();
  made.set(model, known);
  const key = JSON.stringify([request, Object.keys(feeds)]);
  const programs = known.get(key) ?? makePrograms(graph, session, request, feeds);
  known.delete(key);
  known.set(key, programs); // most recent last
  for (const [old, { prefill, loop }] of known) {
    if (known.size <= MAX_PROGRAMS) break;
    known.delete(old);
    prefill.dispose();
    loop.dispose();
  }
  return programs;
}
