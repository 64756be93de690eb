// One case of the fuzzer: a damaged model is read, simplified, and, where all of that worked and it is
// small enough, run on the reference. Nothing but an RnnError may come out.
import { RnnError } from '../../src/errors.ts';
import { validateGraph, type Graph } from '../../src/graph.ts';
import { importModel } from '../../src/import/index.ts';
import { simplify } from '../../src/operators.ts';
import { refuseMissingOperators } from '../../src/ops/missing.ts';
import { specializeGraph } from '../../src/plan/specialize/infer.ts';
import { hostInputsOf } from '../../src/plan/specialize/shape-inputs.ts';
import { toHost } from '../../src/ops/value.ts';
import { runReference } from '../../src/reference.ts';
import { allocate, type Tensor } from '../../src/tensor.ts';
import { randomOf } from '../support/random.ts';
import { mutate } from './mutate.ts';
import type { Seed } from './seeds.ts';

/** What a case came to: what was done, or the code of the RnnError. */
export interface Outcome {
  readonly format: string;
  /** `ran`, `too large to run`, an error code, or `run: ` and an error code. */
  readonly what: string;
}

/** Elements that a run may write, products counted with what they read. */
const MAX_COST = 2 ** 18;
const MAX_UNROLLED = 2000;

/** Operators that read many elements for each one that they write. */
const PRODUCTS = /^(Recurrent|MatMul|Gemm|Conv|ConvTranspose|MaxPool|AveragePool|Resize)$/;

const sizeOf = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** The damaged model of a case. */
export function filesOf(seeds: readonly Seed[], seed: number, index: number) {
  const random = randomOf(seed * 1_000_003 + index);
  const source = seeds[index % seeds.length]!;
  return { format: source.format, files: mutate(source, random), random };
}

/**
 * Runs one case, always the same for the same seed and index.
 *
 * @throws whatever is not an RnnError
 */
export async function runCase(
  seeds: readonly Seed[],
  seed: number,
  index: number,
): Promise<Outcome> {
  const { format, files, random } = filesOf(seeds, seed, index);
  let graph: Graph;
  try {
    const read = await importModel(files);
    validateGraph(read);
    refuseMissingOperators(read);
    graph = simplify(read);
    validateGraph(graph);
  } catch (error) {
    return { format, what: codeOf(error) };
  }
  try {
    return { format, what: run(graph, random) ? 'ran' : 'too large to run' };
  } catch (error) {
    return { format, what: `run: ${codeOf(error)}` };
  }
}

function codeOf(error: unknown): string {
  if (error instanceof RnnError && error.message !== '') return error.code;
  throw error;
}

/** Runs the graph with free sizes of 2; false where it would take long. */
function run(graph: Graph, random: ReturnType<typeof randomOf>): boolean {
  const dims = new Map(
    graph.inputs.map(({ name, dims: sizes }) => [
      name,
      sizes.map((size) => (typeof size === 'string' ? 2 : size)),
    ]),
  );
  if ([...dims.values()].some((sizes) => sizeOf(sizes) > MAX_COST)) return false;
  const feeds = Object.fromEntries(
    graph.inputs.map(({ name, type }): [string, Tensor] => {
      const data = allocate(type, sizeOf(dims.get(name)!));
      const isBig = data instanceof BigInt64Array || data instanceof BigUint64Array;
      for (let i = 0; i < data.length; i++) data[i] = (isBig ? 1n : random.int(0, 1)) as never;
      return [name, { type, dims: dims.get(name)!, data } as Tensor];
    }),
  );
  const host = new Map(
    [...hostInputsOf(graph)].map((name) => [name, toHost(feeds[name]!, `feeds.${name}`)]),
  );
  const { list } = specializeGraph(graph, { dims, host }, { maxUnrolled: MAX_UNROLLED });
  let cost = 0;
  for (const { node, inputs, outputs } of list) {
    const written = outputs.reduce((sum, value) => sum + (value ? sizeOf(value.dims) : 0), 0);
    const read = inputs.map((value) => (value ? sizeOf(value.dims) : 0));
    cost += written * (PRODUCTS.test(node.op) ? 1 + Math.max(0, ...read) : 1);
    cost += read.reduce((a, b) => a + b, 0);
  }
  if (cost > MAX_COST) return false;
  runReference(graph, feeds, undefined, MAX_UNROLLED);
  return true;
}
