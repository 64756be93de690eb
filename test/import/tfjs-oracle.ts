// Models built, run and saved by TF.js itself, so that a test can compare with what it computes.
import * as tf from '@tensorflow/tfjs';
import { vi } from 'vitest';
import type { Graph } from '../../src/graph.ts';
import { importTfjs } from '../../src/import/tfjs/index.ts';
import { runReference } from '../../src/reference.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { expectClose } from '../support/close.ts';
import type { Random } from '../support/random.ts';

export { tf };

/** Numbers of an input, with the batch. */
export interface Fed {
  readonly data: ArrayLike<number>;
  readonly dims: readonly number[];
}

/** A model.json as TF.js writes it. */
export interface SavedModel {
  format: string;
  modelTopology: { class_name: string; config: Record<string, unknown>; [key: string]: unknown };
  weightsManifest: { paths: string[]; weights: Record<string, unknown>[] }[];
}

/** Chooses the CPU backend, which needs nothing of the machine. */
export async function useTfjs(): Promise<void> {
  tf.env().set('IS_TEST', true); // no advice to install a native backend
  // It warns that initial states are lost on saving, yet saves them as inputs.
  vi.spyOn(console, 'warn').mockReturnValue(undefined);
  await tf.setBackend('cpu');
}

/** Gives every weight random numbers; variances stay positive. */
export function randomize(model: tf.LayersModel, random: Random): void {
  model.setWeights(
    model.weights.map(({ name, shape }) => {
      const size = (shape as number[]).reduce((a, b) => a * b, 1);
      const numbers = random.floats(size, 0.8);
      const values = name.includes('variance') ? numbers.map((x) => Math.abs(x) + 0.1) : numbers;
      return tf.tensor(values, shape as number[]);
    }),
  );
}

/** Saves a model as files; `shards` splits the weights at any byte. */
export async function save(model: tf.LayersModel, shards = 1): Promise<Map<string, Uint8Array>> {
  let files = new Map<string, Uint8Array>();
  await model.save(
    tf.io.withSaveHandler(async (artifacts) => {
      const bytes = new Uint8Array(artifacts.weightData as ArrayBuffer);
      const paths = Array.from({ length: shards }, (_, i) => `group1-shard${i + 1}of${shards}.bin`);
      const json = {
        format: 'layers-model',
        modelTopology: artifacts.modelTopology,
        weightsManifest: [{ paths, weights: artifacts.weightSpecs }],
      };
      const at = (i: number): number => Math.floor((bytes.length * i) / shards);
      files = new Map([
        ['model.json', new TextEncoder().encode(JSON.stringify(json))],
        ...paths.map((path, i) => [path, bytes.slice(at(i), at(i + 1))] as const),
      ]);
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' as const } };
    }),
  );
  return files;
}

/** The same files with a changed model.json. */
export function edited(
  files: ReadonlyMap<string, Uint8Array>,
  edit: (json: SavedModel) => void,
): Map<string, Uint8Array> {
  const json = JSON.parse(new TextDecoder().decode(files.get('model.json'))) as SavedModel;
  edit(json);
  return new Map(files).set('model.json', new TextEncoder().encode(JSON.stringify(json)));
}

/** What a graph computes in float64, fed by order of its inputs. */
export function reference(graph: Graph, inputs: readonly Fed[]) {
  const feeds: Record<string, Tensor> = {};
  graph.inputs.forEach(({ name, type }, i) => {
    const { data, dims } = inputs[i]!;
    if (type === 'bool') feeds[name] = tensor(Uint8Array.from(data), dims, 'bool');
    else if (type === 'int32') feeds[name] = tensor(Int32Array.from(data), dims);
    else feeds[name] = tensor(Float32Array.from(data), dims);
  });
  return [...runReference(graph, feeds).values()];
}

/**
 * Compares what a graph computes with the prediction of the model it came from.
 *
 * @param atol float32 products of some units with weights below 1: 1e-5
 */
export async function expectSame(
  model: tf.LayersModel,
  inputs: readonly Fed[],
  { shards = 1, atol = 1e-5 }: { readonly shards?: number; readonly atol?: number } = {},
): Promise<Graph> {
  const graph = importTfjs(await save(model, shards));
  const fed = inputs.map(({ data, dims }) => tf.tensor(Float32Array.from(data), [...dims]));
  const predicted = model.predict(fed.length === 1 ? fed[0]! : fed);
  const wanted = Array.isArray(predicted) ? predicted : [predicted];
  const got = reference(graph, inputs);
  if (got.length !== wanted.length) throw new Error(`${got.length} outputs, want ${wanted.length}`);
  wanted.forEach((want, i) => {
    const { data, dims } = got[i]!;
    const label = `${graph.outputs[i]!.name} [${dims.join(', ')}] of [${want.shape.join(', ')}]`;
    expectClose(dims, want.shape, { atol: 0, label: `shape of ${label}` });
    expectClose(data, want.dataSync(), { atol, label, dims });
  });
  for (const [i, { dims }] of graph.outputs.entries()) {
    const known = dims.map((dim, axis) =>
      typeof dim === 'number' ? dim : wanted[i]!.shape[axis]!,
    );
    expectClose(known, wanted[i]!.shape, { atol: 0, label: `declared shape of output ${i}` });
  }
  tf.dispose([...fed, ...wanted]);
  return graph;
}
