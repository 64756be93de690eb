// Selection among the kernels that can do the same work: each is a candidate with a tile, a cost and what
// it needs of the device; the cheapest that fits is taken. A function of the work, the device and the
// caller's overrides, so that it can be read, printed, tested and timed.
import type { Kernel } from '../../../shaders/kernel.ts';
import { RnnError } from '../../errors.ts';
import type { DeviceProfile } from './device-profile.ts';
import type { RecurrentKernel, RecurrentVariant, Tier } from './variants.ts';

/** One kernel with one tile, for some work. All candidates for it compute the same numbers. */
export interface Candidate {
  readonly name: string;
  /** Lower is better; each registry says in which unit. */
  readonly cost: number;
  /** Why the device cannot run it, with the numbers; undefined where it can. */
  refusal(): string | undefined;
}

/**
 * What was found fastest by running, as candidate names by the key of a selection. A key holds everything that
 * the kernels are made from, so that equal layers in any model share it. It belongs to one device.
 */
export type TuningCache = ReadonlyMap<string, string>;

/** What a caller takes out of the cost model's hands. */
export interface Overrides {
  /** A kernel or one variant of it, wherever the device can run it. */
  readonly recurrentKernel?: RecurrentKernel | RecurrentVariant;
  /** Whether the layers of a stack compute concurrently: wherever that is legal, or never. */
  readonly wavefront?: boolean;
  /** `'optimized'` where it is left out. */
  readonly tier?: Tier;
  readonly tuned?: TuningCache;
  /** Names of candidates that gave a wrong result on the device. */
  readonly excluded?: ReadonlySet<string>;
}

/** What a kernel needs of a device. */
interface Needs {
  /** Invocations of a workgroup. */
  readonly invocations: number;
  /** Bytes of workgroup memory. */
  readonly workgroupBytes: number;
  /** Its kernels, made only where everything else fits: they are asked how many buffers they bind. */
  readonly kernels: () => readonly Kernel[];
}

const kilobytes = (bytes: number): string => `${Number((bytes / 1024).toFixed(1))} KB`;

/** Why a device cannot run what has these needs. */
export function refusalOf(
  { invocations, workgroupBytes, kernels }: Needs,
  device: DeviceProfile,
): string | undefined {
  const maxInvocations = device.maxComputeInvocationsPerWorkgroup;
  if (invocations > maxInvocations) {
    return `${invocations} invocations a workgroup, the device allows ${maxInvocations}`;
  }
  const maxBytes = device.maxComputeWorkgroupStorageSize;
  if (workgroupBytes > maxBytes) {
    return `${kilobytes(workgroupBytes)} of workgroup memory, the device has ${kilobytes(maxBytes)}`;
  }
  const max = device.maxStorageBuffersPerShaderStage;
  for (const { name, bindings } of kernels()) {
    const count = Object.keys(bindings).length;
    if (count > max) return `${name} binds ${count} storage buffers, the device allows ${max}`;
  }
  return undefined;
}

/** `make`, called at most once. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** The candidates, of which those that gave a wrong result on the device are refused. */
export const withoutExcluded = <C extends Candidate>(
  candidates: readonly C[],
  excluded: ReadonlySet<string> | undefined,
): readonly C[] =>
  candidates.map((each) =>
    excluded?.has(each.name)
      ? { ...each, refusal: () => 'a driver that computes it right, its self-check failed' }
      : each,
  );

/** The candidates from cheap to expensive; the order of the registry where costs are equal. */
const byCost = <C extends Candidate>(candidates: readonly C[]): readonly C[] =>
  candidates.toSorted((a, b) => a.cost - b.cost);

/** The candidate of a name where the device can run it, else the cheapest that it can; undefined for none. */
export function cheapest<C extends Candidate>(
  candidates: readonly C[],
  name?: string,
): C | undefined {
  const fits = (candidate: C): boolean => candidate.refusal() === undefined;
  const named = candidates.find((candidate) => candidate.name === name);
  if (named && fits(named)) return named;
  return byCost(candidates).find(fits);
}

/**
 * Like {@link cheapest}, where there must be one.
 *
 * @param label for errors: what the kernel is for
 * @throws RnnError `LIMIT_EXCEEDED` with every candidate and what it lacks
 */
export function select<C extends Candidate>(
  label: string,
  candidates: readonly C[],
  name?: string,
): C {
  const found = cheapest(candidates, name);
  if (found) return found;
  const reasons = byCost(candidates).map((each) => `${each.name} needs ${each.refusal()}`);
  throw new RnnError('LIMIT_EXCEEDED', label, `no kernel fits this device: ${reasons.join('; ')}`);
}

/**
 * A term of a cost: 0 while `used` is within a capacity. Above it a time step takes as long again as the step
 * kernel's, and longer in proportion: registers spill, caches are evicted, cores are idle. Finite for a
 * capacity of 0 too, which a call without batch rows has.
 */
export const excess = (used: number, capacity: number): number =>
  used > capacity ? 1 + used / Math.max(capacity, 2 ** -10) : 0;

/** The least power of two that is at least `n`. */
export const powerOfTwo = (n: number): number => 2 ** Math.ceil(Math.log2(Math.max(n, 1)));

/** The largest power of two up to `max` for blocks of `rows`; halved where that pads fewer rows. */
export function blockOf(rows: number, max: number): number {
  const block = Math.min(max, powerOfTwo(rows));
  const half = block / 2;
  return half > 4 && Math.ceil(rows / half) % 2 === 1 ? half : block;
}

/** Invocations that load one row each and broadcast it: a subgroup, or 1 where that is not done. */
export const sharersOf = (
  broadcastRows: number | undefined,
  { subgroupSize }: DeviceProfile,
  lanes: number,
): number =>
  broadcastRows !== undefined && subgroupSize > 1 && lanes % subgroupSize === 0 ? subgroupSize : 1;
