// Shapes to follow time with: those of chunks of two lengths, or of the one length that a model takes.
import { RnnError } from '../../../errors.ts';
import type { Graph, Node } from '../../../graph.ts';
import { specializeGraph, type EvaluatorOptions, type SpecializedGraph } from '../infer.ts';
import type { Chunks } from './follow.ts';

/** Shapes of the inputs that the caller gives; the others follow from the graph. */
export interface Sizes {
  readonly dims?: Readonly<Record<string, readonly number[]>>;
  readonly batch: number;
  readonly maxUnrolled?: number | undefined;
}

// The shortest have divisors for strides and pooling; long ones are for models that frame audio themselves.
const LENGTHS = [12, 64, 160, 512, 4096] as const;

// Sizes of free dimensions that do not hold time: different ones, so that none is taken for another.
const PRIMES = [3, 5, 7, 11, 13, 17, 19, 23] as const;

/** Sizes of free dimensions that weights say. */
function sizesOfWeights(graph: Graph): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  const dimsOf = (name: string | undefined): readonly number[] | undefined =>
    graph.constants.get(name ?? '')?.dims;
  const sizeFrom = ({ op, inputs, attributes }: Node): readonly [number, number | undefined] => {
    const weights = dimsOf(inputs[1]);
    if (op === 'Recurrent') return [2, weights?.[2]];
    if (op === 'MatMul') return [-1, weights?.at(-2)];
    if (op === 'Gemm') return [1, weights?.[attributes['transB'] ? 1 : 0]];
    if (op === 'Conv') return [1, weights && weights[1]! * Number(attributes['group'] ?? 1)];
    return [0, undefined];
  };
  for (const node of graph.nodes) {
    const input = graph.inputs.find(({ name }) => name === node.inputs[0]);
    const [axis, size] = sizeFrom(node);
    const dim = input?.dims.at(axis);
    if (typeof dim === 'string' && size !== undefined) sizes.set(dim, size);
  }
  return sizes;
}

// A loop is one node at any length, so that chunks of two lengths come to the same nodes.
const ONE_NODE: EvaluatorOptions = { minLoopSteps: 1, maxLoopSteps: 2 ** 20 };

/** The graph at one set of shapes; undefined where it does not accept them. */
function tried(
  graph: Graph,
  dims: ReadonlyMap<string, readonly number[]>,
  limits: EvaluatorOptions,
): SpecializedGraph | undefined {
  try {
    return specializeGraph(graph, { dims, host: new Map() }, { ...ONE_NODE, ...limits });
  } catch (error) {
    if (error instanceof RnnError) return undefined;
    throw error;
  }
}

/**
 * The graph at chunks of two lengths; of one where it takes no other; undefined where no shapes are found
 * that it accepts.
 *
 * @param time axis of time by name of the input
 * @param multiple of which the lengths must be
 */
export function chunksOf(
  graph: Graph,
  time: ReadonlyMap<string, number>,
  { dims, batch, maxUnrolled }: Sizes,
  multiple: number,
): Chunks | undefined {
  const known = sizesOfWeights(graph);
  const names = new Set(
    graph.inputs.flatMap((input) => input.dims.filter((dim) => typeof dim === 'string')),
  );
  const free = [...names].filter((name) => !known.has(name));
  const at = (length: number | undefined, others: (name: string) => number) => {
    const shapes = graph.inputs.map((input): [string, readonly number[]] => {
      const given = dims?.[input.name];
      const sizes = input.dims.map((dim, k) => {
        if (length !== undefined && k === time.get(input.name)) return length;
        return given?.[k] ?? (typeof dim === 'number' ? dim : (known.get(dim) ?? others(dim)));
      });
      return [input.name, sizes];
    });
    return tried(graph, new Map(shapes), maxUnrolled === undefined ? {} : { maxUnrolled });
  };
  const choices = [
    (name: string) => PRIMES[free.indexOf(name) % PRIMES.length]!,
    () => batch,
    () => 1,
  ].slice(0, free.length === 0 ? 1 : 3);
  // A file that says its length may still take others; where two are refused, more will be.
  const isFixed = graph.inputs.some(
    (input) => typeof input.dims[time.get(input.name) ?? Infinity] === 'number',
  );
  const lengths = isFixed ? LENGTHS.slice(0, 2) : LENGTHS;
  for (const others of choices) {
    for (const short of lengths) {
      const length = short * multiple;
      const first = at(length, others);
      const second = first && at(2 * length, others);
      if (first && second) return { first, second, lengths: [length, 2 * length] };
    }
  }
  // A length that is written into the file.
  for (const others of choices) {
    const only = at(undefined, others);
    if (only) return { first: only, second: only, lengths: [1, 1] };
  }
  return undefined;
}
