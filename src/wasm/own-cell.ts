// Runs the layer of a cell of the caller's on products that kernels make.
import { recurrentAttributes } from '../graph.ts';
import { runRecurrent, type RecurrentProducts } from '../ops/recurrent-steps.ts';
import type { HostValue } from '../ops/operator.ts';
import type { PlannedNode } from '../plan/specialize/infer.ts';
import type { LinearMemory } from './memory.ts';
import type { CellProducts, Place } from './program.ts';

/** The products of a layer in memory. */
export interface LoadedProducts {
  readonly products: CellProducts;
  /** Where the entries are, by direction and gate. */
  readonly tables: readonly (readonly number[])[];
}

/**
 * Computes a layer.
 *
 * @param values the inputs that the step reads as they are
 * @param wordOf index of the word at a place
 * @param run runs the entry at an address
 * @returns the numbers of its outputs
 */
export function runOwnCell(
  { node }: PlannedNode,
  { products, tables }: LoadedProducts,
  values: readonly (HostValue | undefined)[],
  memory: LinearMemory,
  wordOf: (place: Place) => number,
  run: (table: number) => void,
): readonly Float64Array[] {
  const { sizes, inputs, operand, result } = products;
  const { G, H } = sizes;
  const read = (at: number): Float64Array => Float64Array.from(memory.f32.subarray(at, at + H));
  const numbers = values.map((value) => value && Float64Array.from(value.data));
  const made: RecurrentProducts = {
    input: (d, row, gate) => read(wordOf(inputs[d]!) + (row * G + gate) * H),
    recurrent: (d, gate, v) => {
      memory.f32.set(v, wordOf(operand));
      run(tables[d]![gate]!);
      return read(wordOf(result));
    },
  };
  return runRecurrent(recurrentAttributes(node), sizes, numbers, undefined, made);
}
