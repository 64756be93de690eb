// Runs a model from the file that it is written to.
import { importKeras } from '../../src/import/keras/index.ts';
import { runReference } from '../../src/reference.ts';
import { tensor } from '../../src/tensor.ts';
import type { Rows } from './keras-formulas.ts';
import { writeModel, type BothWeights, type Format, type ModelJson } from './keras-models.ts';

/** What a file computes from sequences. */
export async function runModel(
  model: ModelJson,
  weights: BothWeights,
  format: Format,
  feeds: Readonly<Record<string, readonly Rows[]>>,
): Promise<ArrayLike<number>[]> {
  const graph = await importKeras(await writeModel(model, weights, format));
  const tensors = Object.entries(feeds).map(([name, x]) => [
    name,
    tensor(Float32Array.from(x.flat(2)), [x.length, x[0]!.length, x[0]![0]!.length]),
  ]);
  return [...runReference(graph, Object.fromEntries(tensors)).values()].map(({ data }) => data);
}
