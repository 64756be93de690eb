// What suits each kind of adapter: the numbers that src/plan/select/select-kernel.ts decides by.
import type { ProjectTile } from '../../../shaders/recurrent/project.ts';
import type { StepTile } from '../../../shaders/recurrent/step.ts';
import type { DeviceProfile } from './device-profile.ts';

/** What suits one kind of adapter. */
export interface Habits {
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
  };
  /** Workgroups that there should be beside each other: with fewer, cores are idle. */
  readonly cores: number;
  /**
   * Most workgroups of one layer that leave room for those of the others of a stack, which then compute
   * side by side.
   */
  readonly besideOthers: number;
  readonly step: StepTile;
  readonly project: ProjectTile;
  /**
   * Most rows of a block where the lanes of a subgroup share its loads; left out where a load that all lanes
   * make alike costs no more than one.
   */
  readonly sharedRows?: number;
  /** What else compiles fast enough for a first result, where that is not everything. */
  readonly quick?: {
    /** Most dot products of a written-out step. */
    readonly products: number;
    readonly step: StepTile;
    readonly project: ProjectTile;
  };
}

/** Measured on the two software adapters, reasoned for GPUs. */
export const HABITS: Readonly<Record<DeviceProfile['adapter'], Habits>> = {
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
    cores: 1,
    step: { lanes: 16, units: 1, slices: 16, rows: 4 },
    project: { lanes: 64, rows: 4, columns: 2 },
  },
  // A workgroup is one core. A load whose place is known when the kernel is compiled costs as much as
  // a sum, any other ten times that: hence products written out, over weights an invocation holds.
  swiftshader: {
    persistent: {
      units: 128,
      lanes: 4,
      rows: 2,
      keeps: 1024,
      products: 128,
      steps: 8,
      workgroups: 2,
    },
    // Weights are brought again for each chunk, and both cores are busy with less.
    besideOthers: 0,
    cores: 2,
    step: { lanes: 16, units: 2, slices: 1, rows: 8 },
    project: { lanes: 16, rows: 8, columns: 8 },
    sharedRows: 16,
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
    // Waking the threads for a dispatch a step would be a fifth of the time of a small layer.
    blocked: { units: 4, rows: 8 },
    besideOthers: 0,
    cores: 2,
    step: { lanes: 32, units: 2, slices: 1, rows: 8 },
    project: { lanes: 32, rows: 8, columns: 8 },
    sharedRows: 16,
    quick: {
      products: 8,
      step: { lanes: 32, units: 1, slices: 1, rows: 2 },
      project: { lanes: 32, rows: 2, columns: 2 },
    },
  },
};
