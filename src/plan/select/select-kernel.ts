// Which recurrent kernel serves a layer, and in which shape. A function of the layer, the call and
// the limits of the device, so that it can be read, tested and overridden.
import type { PersistentTile } from '../../../shaders/recurrent/persistent.ts';
import { persistentMemory } from '../../../shaders/recurrent/persistent.ts';
import type { ProjectTile } from '../../../shaders/recurrent/project.ts';
import type { RecurrentSpec } from '../../../shaders/recurrent/spec.ts';
import { instancesOf, roundUp } from '../../../shaders/recurrent/spec.ts';
import { tileUnits } from '../../../shaders/recurrent/step.ts';
import type { StepTile } from '../../../shaders/recurrent/step.ts';
import type { DeviceProfile } from './device-profile.ts';
import { HABITS } from './tuning-tables.ts';
import type { Habits } from './tuning-tables.ts';

/**
 * What a choice is for: the first result, where the time to compile counts as well, or all later
 * ones. They differ on CPU adapters only, where what is fast is written out and compiles slowly.
 */
export type Effort = 'quick' | 'best';

/** The kernels that may serve a layer. */
const KERNELS = ['step', 'persistent'] as const;
export type RecurrentKernel = (typeof KERNELS)[number];

/**
 * Which of several ways was measured to be the fastest, where that was done. A question says all that the
 * kernels are made from, so that equal ones in any model have one answer.
 */
export type Measured = <Way extends string>(
  question: string,
  ways: readonly Way[],
) => Way | undefined;

/** A recurrent kernel in one shape. */
export type RecurrentChoice =
  | { readonly kernel: 'step'; readonly tile: StepTile }
  | { readonly kernel: 'persistent'; readonly tile: PersistentTile };

const powerOfTwo = (n: number): number => 2 ** Math.ceil(Math.log2(Math.max(n, 1)));

/** What a caller wants of {@link chooseRecurrent}. */
export interface RecurrentWishes {
  /** The kernel to use wherever the device allows it. */
  readonly recurrentKernel?: RecurrentKernel;
  /** Whether the layers of a stack compute side by side: wherever that is legal, or never. */
  readonly wavefront?: boolean;
  readonly effort?: Effort;
  readonly measured?: Measured;
}

/** Whether anything compiles so slowly on a device that the first result should not wait for it. */
export const hasQuick = ({ adapter }: DeviceProfile): boolean =>
  HABITS[adapter].quick !== undefined;

/** How the slices of a product may be added up. */
const SUMS = ['subgroup', 'workgroup'] as const;

/**
 * A step whose workgroups are one subgroup each: four units, whose weights are neighbours, and as many
 * slices as there are lanes for. Nothing waits at a barrier.
 */
function subgroupTile(step: StepTile, rows: number, { subgroupSize }: DeviceProfile): StepTile {
  const lanes = Math.min(4, subgroupSize / 2);
  return {
    lanes,
    units: 1,
    slices: subgroupSize / lanes,
    rows: Math.min(step.rows, powerOfTwo(rows)),
    isSubgroup: true,
  };
}

/** Rows of a block: as many as there may be, unless half as many leave fewer of them without work. */
function blockOf(rows: number, most: number): number {
  const block = Math.min(most, powerOfTwo(rows));
  const half = block / 2;
  return half > 4 && Math.ceil(rows / half) % 2 === 1 ? half : block;
}

/** How many lanes share the loads of a block of rows. */
const sharingOf = (habits: Habits, { subgroupSize }: DeviceProfile, lanes: number): number =>
  habits.sharedRows && subgroupSize > 1 && lanes % subgroupSize === 0 ? subgroupSize : 1;

/** What a choice for one layer is made from. */
interface Layer {
  readonly spec: RecurrentSpec;
  readonly rows: number;
  readonly steps: number;
  readonly device: DeviceProfile;
  readonly effort: Effort;
}

/** A persistent kernel in the shape that suits a layer best, and whether it suits at all. */
function persistentOf({ spec, rows, steps, device, effort }: Layer): {
  readonly tile: PersistentTile;
  readonly fits: boolean;
  readonly suits: boolean;
} {
  const habits = HABITS[device.adapter];
  const quick = effort === 'quick' ? habits.quick : undefined;
  const { persistent } = habits;
  const units = Math.max(spec.hidden, spec.output);
  const maxLanes = Math.min(256, device.maxComputeInvocationsPerWorkgroup);
  const lanes = Math.min(maxLanes, Math.max(powerOfTwo(units), persistent.lanes));
  const vectors = Math.ceil(units / lanes) * Math.ceil(units / 4) * spec.gates.length;
  const directions = spec.direction === 'bidirectional' ? 2 : 1;
  // The cell is written out for each row. Two workgroups at least, where there are rows for them.
  const shared = Math.min(persistent.rows, powerOfTwo(Math.ceil(rows / 2)));
  const written = Math.max(1, Math.floor(persistent.products / vectors));
  const apart = Math.ceil(rows / Math.min(shared, written)) * directions;
  const pays = steps >= persistent.steps && apart <= persistent.workgroups;
  const keeps = pays && vectors <= persistent.keeps;
  const { blocked } = quick ? {} : habits;
  let inBlocks = blockOf(rows, blocked?.rows ?? 1);
  const apartBy = (block: number): number => Math.ceil(rows / block) * directions;
  while (inBlocks > 1 && apartBy(inBlocks) < habits.cores) inBlocks /= 2;
  const blocks =
    !keeps &&
    blocked !== undefined &&
    steps >= persistent.steps &&
    apartBy(inBlocks) >= habits.cores;
  let tile: PersistentTile;
  if (blocks) {
    const { subgroupSize } = device;
    const own = roundUp(Math.ceil(units / blocked.units), Math.max(subgroupSize, 1));
    const sharers = sharingOf(habits, device, own);
    tile = { lanes: own, rows: inBlocks, sharers, weightsInRegisters: false };
  } else {
    tile = { lanes, rows: keeps ? Math.min(shared, written) : shared, weightsInRegisters: keeps };
  }
  const fits =
    persistentMemory(spec, tile) <= device.maxComputeWorkgroupStorageSize &&
    tile.lanes <= maxLanes &&
    Math.ceil(units / tile.lanes) <= 4;
  const most = (keeps && quick?.products) || Infinity;
  const suits = units <= persistent.units && (blocks || (pays && tile.rows * vectors <= most));
  return { tile, fits, suits };
}

/** The tile of a step where the slices of a product are added up in workgroup memory, or there are none. */
function stepOf({ spec, rows, device, effort }: Layer): StepTile {
  const habits = HABITS[device.adapter];
  const quick = effort === 'quick' ? habits.quick : undefined;
  const { lanes, units, slices, rows: most } = quick?.step ?? habits.step;
  const width = Math.max(spec.hidden, spec.output);
  const perLane = width < lanes * units ? 1 : units;
  const across = Math.ceil(width / (lanes * perLane)) * instancesOf(spec);
  const sharers = quick ? 1 : sharingOf(habits, device, lanes);
  let block = blockOf(rows, sharers > 1 ? habits.sharedRows! : most);
  while (block > 4 && across * Math.ceil(rows / block) < habits.cores) block /= 2;
  const parts = rows <= 4 ? slices : Math.min(4, slices);
  return { lanes, units: perLane, slices: parts, rows: block, sharers: block > 1 ? sharers : 1 };
}

/** The kernel for a layer of `rows` batch rows over `steps` time steps. */
export function chooseRecurrent(
  spec: RecurrentSpec,
  rows: number,
  steps: number,
  device: DeviceProfile,
  { recurrentKernel, effort = 'best', measured }: RecurrentWishes = {},
): RecurrentChoice {
  const layer: Layer = { spec, rows, steps, device, effort };
  const { tile, fits, suits } = persistentOf(layer);
  const forced = recurrentKernel ?? measured?.(JSON.stringify([spec, rows, steps]), KERNELS);
  const wanted = forced ?? (suits ? 'persistent' : 'step');
  if (wanted === 'persistent' && fits) return { kernel: 'persistent', tile };
  const { step } = HABITS[device.adapter];
  const sliced = step.slices > 1 && device.subgroupSize > 1;
  const sums = sliced && measured?.(JSON.stringify([spec, rows, steps, 'sums']), SUMS);
  const inSubgroup = sliced && sums !== 'workgroup';
  return { kernel: 'step', tile: inSubgroup ? subgroupTile(step, rows, device) : stepOf(layer) };
}

/** How the layers of a stack compute side by side. */
export interface StackChoice {
  readonly recurrent: RecurrentChoice;
  /** Time steps by which each layer is behind the one below; even, so that states end where they began. */
  readonly chunk: number;
}

/** What beginning a chunk costs, in time steps: a few dispatches. Reasoned from what these cost on GPUs. */
const CHUNK_STEPS: Readonly<Record<RecurrentKernel, number>> = { step: 4, persistent: 12 };

/**
 * The kernel for the layers of a stack together, where that pays: with short chunks the layers are soon all
 * at work, with long ones little is begun.
 *
 * @param mostChunk time steps of a chunk at most
 */
export function chooseStack(
  spec: RecurrentSpec,
  rows: number,
  steps: number,
  mostChunk: number,
  device: DeviceProfile,
  wishes: RecurrentWishes = {},
): StackChoice | undefined {
  const { layers } = spec;
  const { measured, ...known } = wishes;
  const { wavefront } = known;
  const { kernel } = chooseRecurrent(spec, rows, steps, device, known);
  const beginning = CHUNK_STEPS[kernel];
  const ideal = Math.sqrt((steps * beginning) / (layers - 1));
  const chunk = Math.min(2 * Math.ceil(ideal / 2), mostChunk - (mostChunk % 2));
  if (wavefront === false || chunk < 2 || steps <= chunk) return undefined;
  const recurrent = chooseRecurrent(spec, rows, chunk, device, known);
  const { tile } = recurrent;
  const units = Math.max(spec.hidden, spec.output);
  const across = recurrent.kernel === 'step' ? Math.ceil(units / tileUnits(recurrent.tile)) : 1;
  const apart = across * Math.ceil(rows / tile.rows);
  const waves = Math.ceil(steps / chunk) + layers - 1;
  const pays =
    apart <= HABITS[device.adapter].besideOthers &&
    waves * (chunk + beginning) < layers * (steps + beginning / 2);
  const asked = JSON.stringify([spec, rows, steps, 'stack']);
  const found = wavefront ? undefined : measured?.(asked, ['together', 'apart']);
  const together = wavefront ?? (found ? found === 'together' : pays);
  if (!together) return undefined;
  return { recurrent: chooseRecurrent(spec, rows, chunk, device, wishes), chunk };
}

/**
 * The tile of a step that is a sequence by itself and computes W·x on the way, where that pays: with more
 * rows than a few, the projection shares the weights of the input better. It has twice the sums, in the
 * same memory.
 */
export function chooseSingle(
  rows: number,
  steps: number,
  device: DeviceProfile,
  forced?: 'step' | 'persistent',
): StepTile | undefined {
  if (steps !== 1 || rows > 4 || forced === 'persistent') return undefined;
  const { step } = HABITS[device.adapter];
  if (step.slices > 1 && device.subgroupSize > 1) return subgroupTile(step, rows, device);
  const tile = { ...step, rows: powerOfTwo(rows) };
  return step.slices > 1 ? { ...tile, units: 1, slices: step.slices / 2 } : tile;
}

/** The tile of the input projection: blocks of rows only where there are rows to block. */
export function chooseProject(
  rows: number,
  columns: number,
  device: DeviceProfile,
  effort: Effort = 'best',
): ProjectTile {
  const habits = HABITS[device.adapter];
  const { project, quick } = habits;
  const tile = (effort === 'quick' && quick?.project) || project;
  const lanes = Math.min(tile.lanes, powerOfTwo(columns));
  const sharers = effort === 'quick' ? 1 : sharingOf(habits, device, lanes);
  const block = sharers > 1 && rows >= habits.sharedRows! ? habits.sharedRows! : tile.rows;
  const fits = rows >= block;
  return {
    lanes,
    rows: fits ? block : 1,
    columns: Math.min(tile.columns, Math.ceil(columns / lanes)),
    sharers: fits ? sharers : 1,
  };
}
