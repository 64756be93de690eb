// Which recurrent kernel serves a layer, and in which shape. A function of the layer, the call and
// the limits of the device, so that it can be read, tested and overridden.
import type { PersistentTile } from '../../shaders/recurrent/persistent.ts';
import { persistentMemory } from '../../shaders/recurrent/persistent.ts';
import type { ProjectTile } from '../../shaders/recurrent/project.ts';
import type { RecurrentSpec } from '../../shaders/recurrent/spec.ts';
import { stepSpan } from '../../shaders/recurrent/step.ts';
import type { StepTile } from '../../shaders/recurrent/step.ts';

/** What of a device decides between kernels; the names are those of `GPUSupportedLimits`. */
export interface DeviceProfile {
  readonly maxComputeInvocationsPerWorkgroup: number;
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxBufferSize: number;
  readonly maxStorageBuffersPerShaderStage: number;
  /**
   * What computes: a GPU, or a CPU in its place, where lanes are serial and barriers dear. The two
   * that there are differ in what their compilers make of a kernel.
   */
  readonly adapter: 'gpu' | 'swiftshader' | 'llvmpipe';
  /** Lanes of every subgroup, where that is one number and kernels may use subgroups; else 0. */
  readonly subgroupSize: number;
}

/** The limits that every WebGPU device has, for planning without one. */
export const DEFAULT_PROFILE: DeviceProfile = {
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupStorageSize: 16384,
  maxStorageBufferBindingSize: 134217728,
  maxBufferSize: 268435456,
  maxStorageBuffersPerShaderStage: 8,
  adapter: 'gpu',
  subgroupSize: 0,
};

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

/** What suits one kind of adapter. */
interface Habits {
  readonly persistent: {
    /** Most units of a layer that this kernel serves. */
    readonly units: number;
    /** Fewest lanes of a workgroup. */
    readonly lanes: number;
    /** Most batch rows of a workgroup. */
    readonly rows: number;
    /** Most vec4 of weights that an invocation keeps; beyond, it reads them from their buffer. */
    readonly keeps: number;
    /** Most dot products of a written-out step, which compile time grows with. */
    readonly products: number;
    /** Fewest time steps that pay for bringing the weights. */
    readonly steps: number;
    /** Most workgroups beside each other: what they hold competes for the caches of the chip. */
    readonly workgroups: number;
  };
  /** Persistent kernels of many rows, over weights that are read in each step; where they pay. */
  readonly blocked?: {
    /** Units of a lane. */
    readonly units: number;
    /** Most batch rows of a workgroup. */
    readonly rows: number;
    /** Fewest workgroups beside each other: with less, cores are idle. */
    readonly workgroups: number;
  };
  /**
   * Most workgroups of one layer that leave room for those of the others of a stack, which then compute
   * side by side.
   */
  readonly besideOthers: number;
  readonly step: StepTile;
  readonly project: ProjectTile;
  /** What else compiles fast enough for a first result, where that is not everything. */
  readonly quick?: {
    /** Most dot products of a written-out step. */
    readonly products: number;
    readonly step: StepTile;
    readonly project: ProjectTile;
  };
}

/** Measured on the two software adapters, reasoned for GPUs. */
const HABITS: Readonly<Record<DeviceProfile['adapter'], Habits>> = {
  // Registers hold 32 vec4 of weights beside everything else; more would spill. One workgroup keeps
  // up with many while its weights come from a near cache. Lanes share products to fill the chip.
  gpu: {
    persistent: {
      units: 128,
      lanes: 32,
      rows: 4,
      keeps: 32,
      products: 128,
      steps: 1,
      workgroups: Infinity,
    },
    besideOthers: 64,
    step: { lanes: 16, units: 1, slices: 16, rows: 4 },
    project: { lanes: 64, rows: 4, columns: 2 },
  },
  // A workgroup is one core. A load whose place is known when the kernel is compiled costs as much as
  // a sum, any other ten times that: hence products written out, over weights an invocation holds.
  swiftshader: {
    persistent: {
      units: 256,
      lanes: 4,
      rows: 4,
      keeps: 1024,
      products: 256,
      steps: 8,
      workgroups: 2,
    },
    // Two workgroups take 1.6 times as long as one, and weights are brought again for each chunk.
    besideOthers: 0,
    step: { lanes: 16, units: 2, slices: 1, rows: 8 },
    project: { lanes: 16, rows: 8, columns: 8 },
    quick: {
      products: 16,
      step: { lanes: 16, units: 1, slices: 1, rows: 2 },
      project: { lanes: 16, rows: 2, columns: 2 },
    },
  },
  // The same, but for what a kernel costs to compile: most of a second for a hundred products.
  llvmpipe: {
    persistent: {
      units: 128,
      lanes: 8,
      rows: 4,
      keeps: 128,
      products: 128,
      steps: 8,
      workgroups: 2,
    },
    // A dispatch a step would be a fifth of the time.
    blocked: { units: 4, rows: 8, workgroups: 2 },
    besideOthers: 0,
    step: { lanes: 32, units: 2, slices: 1, rows: 8 },
    project: { lanes: 32, rows: 8, columns: 8 },
    quick: {
      products: 8,
      step: { lanes: 32, units: 1, slices: 1, rows: 2 },
      project: { lanes: 32, rows: 2, columns: 2 },
    },
  },
};

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

/** The kernel for a layer of `rows` batch rows over `steps` time steps. */
export function chooseRecurrent(
  spec: RecurrentSpec,
  rows: number,
  steps: number,
  device: DeviceProfile,
  { recurrentKernel, effort = 'best', measured }: RecurrentWishes = {},
): RecurrentChoice {
  const forced = recurrentKernel ?? measured?.(JSON.stringify([spec, rows, steps]), KERNELS);
  const habits = HABITS[device.adapter];
  const quick = effort === 'quick' ? habits.quick : undefined;
  const { persistent } = habits;
  const step = quick?.step ?? habits.step;
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
  const inBlocks = Math.min(blocked?.rows ?? 1, powerOfTwo(rows));
  const blocks =
    !keeps &&
    blocked !== undefined &&
    steps >= persistent.steps &&
    Math.ceil(rows / inBlocks) * directions >= blocked.workgroups;
  const tile: PersistentTile = blocks
    ? { lanes: Math.ceil(units / blocked.units), rows: inBlocks, keepsWeights: false }
    : { lanes, rows: keeps ? Math.min(shared, written) : shared, keepsWeights: keeps };
  const fits =
    persistentMemory(spec, tile) <= device.maxComputeWorkgroupStorageSize &&
    tile.lanes <= maxLanes &&
    Math.ceil(units / tile.lanes) <= 4;
  const most = (keeps && quick?.products) || Infinity;
  const suits = units <= persistent.units && (blocks || (pays && tile.rows * vectors <= most));
  const wanted = forced ?? (suits ? 'persistent' : 'step');
  if (wanted === 'persistent' && fits) return { kernel: 'persistent', tile };
  const sliced = step.slices > 1 && device.subgroupSize > 1;
  const sums = sliced && measured?.(JSON.stringify([spec, rows, steps, 'sums']), SUMS);
  if (sliced && sums !== 'workgroup') {
    return { kernel: 'step', tile: subgroupTile(step, rows, device) };
  }
  const slices = rows <= 4 ? step.slices : Math.min(4, step.slices);
  const rowBlock = Math.min(step.rows, powerOfTwo(rows));
  const perLane = units < stepSpan(step) ? 1 : step.units;
  return { kernel: 'step', tile: { lanes: step.lanes, units: perLane, slices, rows: rowBlock } };
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
  const across = recurrent.kernel === 'step' ? Math.ceil(units / stepSpan(recurrent.tile)) : 1;
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
  const { project, quick } = HABITS[device.adapter];
  const tile = (effort === 'quick' && quick?.project) || project;
  const lanes = Math.min(tile.lanes, powerOfTwo(columns));
  return {
    lanes,
    rows: rows < tile.rows ? 1 : tile.rows,
    columns: Math.min(tile.columns, Math.ceil(columns / lanes)),
  };
}
