// What a model file may cost before anything of it is believed. Every cap is far above any recurrent
// model that is known and far below what would hurt a browser tab.
import { RnnError } from '../errors.ts';
import { MAX_LIVE_ELEMENTS, MAX_UNROLLED_NODES } from '../graph.ts';

/** Caps of the importers; a file beyond one of them ends with `LIMIT_EXCEEDED`. */
export interface ImportLimits {
  /** All files of a model together, in bytes. */
  readonly maxBytes: number;
  /** Elements of one tensor or of one declared shape. */
  readonly maxElements: number;
  /** All weights together once decoded, in bytes: float16 doubles, packed integers grow eightfold. */
  readonly maxConstantBytes: number;
  /** Weights and other constants. */
  readonly maxTensors: number;
  /** Nodes, counted through every sub-graph. */
  readonly maxNodes: number;
  /** Nodes that all loops come to when they are unrolled at the shapes of a call, turns included. */
  readonly maxUnrolled: number;
  /** Elements of all values that one run of the float64 reference computes and holds at once. */
  readonly maxLiveElements: number;
  /** Names, attributes and list entries outside of tensors. */
  readonly maxEntries: number;
  /** Graphs within graphs, or objects within objects. */
  readonly maxDepth: number;
  /** Axes of one tensor. */
  readonly maxRank: number;
  /** Letters of one name. */
  readonly maxNameLength: number;
}

/** The caps that hold where nothing else is asked for. */
export const DEFAULT_IMPORT_LIMITS: ImportLimits = {
  maxBytes: 2 ** 31, // the most that a protobuf message may hold; speech models: 10^8
  maxElements: 2 ** 29, // 2 GiB of float32, the largest WebGPU binding
  maxConstantBytes: 2 ** 32, // twice maxBytes, which is what float16 weights become
  maxTensors: 100_000, // real models: 10^3
  maxNodes: 100_000, // real models: 10^3, unrolled loops: 10^4
  maxUnrolled: MAX_UNROLLED_NODES,
  maxLiveElements: MAX_LIVE_ELEMENTS,
  maxEntries: 2_000_000, // real models: 10^4
  maxDepth: 32, // a voice detector has an If within an If within an If
  maxRank: 16, // real models: 5
  maxNameLength: 4096, // scopes of deep modules reach some hundred
};

/** The defaults with some caps replaced. */
export function importLimits(limits: Partial<ImportLimits> | undefined): ImportLimits {
  const result: Record<keyof ImportLimits, number> = { ...DEFAULT_IMPORT_LIMITS };
  for (const key of Object.keys(result) as (keyof ImportLimits)[]) {
    const value = limits?.[key];
    if (value === undefined) continue;
    if (typeof value !== 'number' || !(value >= 0)) {
      throw new RnnError(
        'INVALID_ARGUMENT',
        `limits.${key}`,
        `got ${String(value)}, expected a number that is not negative`,
      );
    }
    result[key] = value;
  }
  return result;
}

/** The error for a file that is `got` where `limit` allows less. */
export function limitExceeded(
  path: string,
  what: string,
  got: number | string,
  limits: ImportLimits,
  limit: keyof ImportLimits,
): RnnError {
  return new RnnError(
    'LIMIT_EXCEEDED',
    path,
    `${what}, got ${got}, at most ${limits[limit]} (limits.${limit})`,
  );
}

/** Adds up what a file holds and ends the import where it is too much. */
export class Budget {
  readonly limits: ImportLimits;
  readonly #spent = new Map<keyof ImportLimits, number>();

  constructor(limits: ImportLimits) {
    this.limits = limits;
  }

  /** Counts `amount` against a cap. */
  spend(limit: keyof ImportLimits, amount: number, path: string, what: string): void {
    const total = (this.#spent.get(limit) ?? 0) + amount;
    if (total > this.limits[limit]) throw limitExceeded(path, what, total, this.limits, limit);
    this.#spent.set(limit, total);
  }

  /** Checks one size against a cap that does not add up. */
  check(limit: keyof ImportLimits, size: number, path: string, what: string): void {
    if (size > this.limits[limit]) throw limitExceeded(path, what, size, this.limits, limit);
  }
}

/**
 * Number of elements of a shape that a file declares.
 *
 * @throws RnnError `INVALID_MODEL` for a size that is negative or no whole number, `LIMIT_EXCEEDED`
 *   for more than `maxElements` elements or `maxRank` axes
 */
export function elementCount(dims: readonly number[], limits: ImportLimits, path: string): number {
  if (dims.length > limits.maxRank) {
    throw limitExceeded(`${path}.dims`, 'too many axes', dims.length, limits, 'maxRank');
  }
  dims.forEach((dim, axis) => {
    if (!Number.isSafeInteger(dim) || dim < 0) {
      throw new RnnError(
        'INVALID_MODEL',
        `${path}.dims[${axis}]`,
        `got ${JSON.stringify(dim)}, expected a whole number from 0 to 2^53 - 1`,
      );
    }
  });
  // A zero anywhere makes the product zero, but [2^40, 0] is still no honest shape.
  const size = dims.reduce((product, dim) => product * Math.max(dim, 1), 1);
  if (size > limits.maxElements) {
    throw limitExceeded(`${path}.dims`, 'too many elements', size, limits, 'maxElements');
  }
  return dims.includes(0) ? 0 : size;
}
