// What weights are once they have been stored on a GPU, from the definition of each storage.
import type { LoadOptions } from '../../src/index.ts';
import type { Graph } from '../../src/graph.ts';
import { toHalf } from '../../src/float16.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';

type Storage = NonNullable<LoadOptions['weights']>;

const SLOTS = [1, 2, 9]; // W, R and the projection of a Recurrent node

/** Numbers of a matrix whose rows have `width` weights, rounded as a storage rounds them. */
export function storedNumbers(data: Float32Array, width: number, storage: Storage): Float32Array {
  if (storage === 'f32') return data;
  if (storage === 'f16') return data.map(toHalf);
  let largest = 0; // of the row
  return data.map((weight, i) => {
    if (i % width === 0) largest = Math.max(...data.subarray(i, i + width).map(Math.abs));
    return largest === 0 ? 0 : (Math.round((weight / largest) * 127) / 127) * largest;
  });
}

/** A graph with the weights of its recurrent layers rounded as a storage rounds them. */
export function storedWeights(graph: Graph, storage: Storage = 'f32'): Graph {
  const constants = new Map<string, Tensor>(graph.constants);
  for (const { op, inputs } of graph.nodes) {
    if (op !== 'Recurrent') continue;
    for (const name of SLOTS.map((slot) => inputs[slot] ?? '')) {
      const given = graph.constants.get(name);
      if (!given) continue;
      const { data, dims } = given;
      constants.set(name, tensor(storedNumbers(data as Float32Array, dims.at(-1)!, storage), dims));
    }
  }
  return { ...graph, constants };
}
