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
  /**
   * Bytes that weights may come to once decoded, and zip entries once unpacked, for each byte of the
   * files: what is small on the disk must not become large in memory. Honest models: 1 for float32, 2
   * for float16, 4 for 8-bit weights, 8 for packed 64-bit integers.
   */
  readonly maxExpansion: number;
  /** Bytes that they may come to however small the files are. */
  readonly expansionFloor: number;
  /** Weights and other constants. */
  readonly maxTensors: number;
  /** Nodes, counted through every sub-graph. */
  readonly maxNodes: number;
  /** Nodes that all loops come to when they are unrolled at the shapes of a call, each iteration counted. */
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
  maxBytes: 2 ** 31, // the maximum of a protobuf message; speech models: 10^8
  maxElements: 2 ** 29, // 2 GiB of float32, the largest WebGPU binding
  maxConstantBytes: 2 ** 32, // twice maxBytes, which is what float16 weights become
  maxExpansion: 16,
  expansionFloor: 2 ** 26, // 64 MiB, which a browser tab has
  maxTensors: 100_000, // real models: 10^3
  maxNodes: 100_000, // real models: 10^3, unrolled loops: 10^4
  maxUnrolled: MAX_UNROLLED_NODES,
  maxLiveElements: MAX_LIVE_ELEMENTS,
  maxEntries: 2_000_000, // real models: 10^4
  maxDepth: 32, // a voice detector has an If within an If within an If
  maxRank: 16, // real models: 5
  maxNameLength: 4096, // scopes of deep modules reach some hundred
};

/**
 * The defaults with some caps replaced.
 *
 * @throws RnnError `INVALID_ARGUMENT` for a cap that is not known or is no number from 0 up
 */
export function importLimits(limits: Partial<ImportLimits> | undefined): ImportLimits {
  if (limits !== undefined && (typeof limits !== 'object' || limits === null)) {
    throw new RnnError('INVALID_ARGUMENT', 'limits', `got ${String(limits)}, expected an object`);
  }
  const unknown = Object.keys(limits ?? {}).find(
    (key) => !Object.hasOwn(DEFAULT_IMPORT_LIMITS, key),
  );
  if (unknown !== undefined) {
    const known = Object.keys(DEFAULT_IMPORT_LIMITS).join(', ');
    const what = `no limit has this name, expected one of ${known}`;
    throw new RnnError('INVALID_ARGUMENT', `limits.${unknown}`, what);
  }
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
  readonly #fileBytes: number;
  #expanded = 0;

  /** @param fileBytes of all files together, from which `limits.maxExpansion` counts */
  constructor(limits: ImportLimits, fileBytes = Infinity) {
    this.limits = limits;
    this.#fileBytes = fileBytes;
  }

  /** Counts `amount` against a cap. */
  spend(limit: keyof ImportLimits, amount: number, path: string, what: string): void {
    const total = (this.#spent.get(limit) ?? 0) + amount;
    if (total > this.limits[limit]) throw limitExceeded(path, what, total, this.limits, limit);
    this.#spent.set(limit, total);
  }

  /**
   * Counts bytes that are about to be decoded or unpacked against what the size of the files allows.
   *
   * @throws RnnError `LIMIT_EXCEEDED`, so call it before they are allocated
   */
  expand(bytes: number, path: string): void {
    this.#expanded += bytes;
    const { maxExpansion, expansionFloor } = this.limits;
    const maximum = Math.max(expansionFloor, maxExpansion * this.#fileBytes);
    if (this.#expanded <= maximum) return;
    throw new RnnError(
      'LIMIT_EXCEEDED',
      path,
      `too many bytes once decoded, got ${this.#expanded} from files of ${this.#fileBytes} bytes, ` +
        `at most ${maximum} (limits.maxExpansion, limits.expansionFloor)`,
    );
  }

  /** Counts the bytes of a weight that is about to be decoded, as a constant and as expansion. */
  decode(bytes: number, path: string): void {
    this.spend('maxConstantBytes', bytes, path, 'too many bytes of weights');
    this.expand(bytes, path);
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
