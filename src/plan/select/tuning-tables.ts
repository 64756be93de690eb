// Tuning parameters of every kernel family, one table per kind of adapter.
//
// Figures of `swiftshader` and `llvmpipe` follow from measurements: bench/README.md, "How the two CPU adapters
// spend their time". Those of `gpu` are reasoned: no GPU has been measured.
import type { DeviceProfile } from './device-profile.ts';
import type { RecurrentVariant, Tier } from './variants.ts';

/** How a matrix product with one workgroup per tile of units or columns is split among invocations. */
export interface ProductTuning {
  /** Invocations along the units or columns; neighbours read neighbouring 16 bytes of the weights. */
  readonly lanes: number;
  /** Units or columns of an invocation: one load of a row's vector serves all of them. */
  readonly unitsPerInvocation: number;
  /** Maximum batch rows of an invocation (register blocking): one load of a weight serves all of them. */
  readonly rowsPerInvocation: number;
}

/** {@link ProductTuning} with invocations that each sum a part of K for the same unit. */
interface SplitKTuning extends ProductTuning {
  /** Parts of K. */
  readonly splitK: number;
}

/** Tuning of one kind of adapter at one tier. */
export interface Tuning {
  /**
   * Time of a time step by candidate, as a multiple of a time step of the adapter's best step kernel, while
   * every capacity below is kept. A candidate that is left out is not offered. The order is measured on
   * CPU adapters and reasoned on GPUs; the distances are not measured.
   */
  readonly stepTime: Readonly<Partial<Record<RecurrentVariant, number>>>;
  readonly persistent: {
    /** Time steps from which on loading the weights once, and one dispatch instead of many, pays. */
    readonly breakEvenSteps: number;
    /** Maximum hidden units: above it one workgroup has too little bandwidth. */
    readonly maxUnits: number;
    /** Minimum invocations of a workgroup. */
    readonly minInvocations: number;
    /** Maximum batch rows of an invocation. */
    readonly rowsPerInvocation: number;
    /** Maximum vec4 of weights that an invocation keeps in registers; more would spill. */
    readonly registerVec4s: number;
    /** Unrolled dot products of vec4 per time step up to which an invocation takes more batch rows. */
    readonly unrolledDots: number;
    /** Maximum unrolled dot products per time step: compile time grows with them. */
    readonly maxUnrolledDots: number;
    /** Maximum workgroups with weights in registers: more evict each other's from the caches of a CPU. */
    readonly maxWorkgroups: number;
  };
  /** `persistent-row-blocks`: many batch rows per workgroup, over weights that every step reads. */
  readonly rowBlocks?: Pick<ProductTuning, 'unitsPerInvocation' | 'rowsPerInvocation'> | undefined;
  /** Minimum workgroups of a dispatch (occupancy): with fewer, cores are idle. */
  readonly minWorkgroups: number;
  /** Maximum workgroups of one layer of a wavefront: with more, its layers do not run concurrently. */
  readonly maxWavefrontWorkgroups: number;
  /** `step-plain`. */
  readonly step: ProductTuning;
  /** `step-split-k`, and the rows of `step-subgroup`. */
  readonly stepSplitK?: SplitKTuning;
  /** `single-step` without subgroups. Its products W·x and R·h have a sum each in workgroup memory. */
  readonly singleStep: Omit<SplitKTuning, 'rowsPerInvocation'> & {
    /** Maximum batch rows: above it the input projection by itself loads W fewer times. */
    readonly maxRows: number;
  };
  /** The input projection W·x + b. */
  readonly project: ProductTuning;
  /**
   * Batch rows of a block whose vectors the invocations of a subgroup load one each and broadcast; left
   * out where one load by all invocations costs no more than one by one.
   */
  readonly broadcastRows?: number | undefined;
  /** Tiles of a matrix product by the rows M of the result: the first whose `maxM` is M or more. */
  readonly matmul: readonly {
    readonly maxM: number;
    /** Rows of the result per invocation (register blocking). */
    readonly rowsPerInvocation: 1 | 4 | 8;
    /** Invocations that each sum a part of K for the same results. */
    readonly splitK: number;
  }[];
  /** Maximum invocations per row of a reduction; a power of two. */
  readonly maxRowInvocations: number;
  /**
   * Minimum invocations of a convolution (occupancy). An invocation computes four places of an output
   * row, so that a weight is loaded once for four sums, unless that leaves fewer invocations.
   */
  readonly minConvInvocations: number;
}

/** The tuning of an adapter: what is optimized, and what differs in kernels for the first result. */
interface AdapterTuning extends Tuning {
  /** Left out where optimized kernels compile fast enough for the first result. */
  readonly baseline?: Partial<Tuning>;
}

// A CPU has one core per workgroup: split-K adds barriers and no parallelism.
const CPU_MATMUL = [
  { maxM: 1, rowsPerInvocation: 1, splitK: 1 },
  { maxM: 4, rowsPerInvocation: 4, splitK: 1 },
  { maxM: Infinity, rowsPerInvocation: 8, splitK: 1 },
] as const;

const SWIFTSHADER = {
  breakEvenSteps: 8,
  maxUnits: 128,
  minInvocations: 4,
  rowsPerInvocation: 2,
  registerVec4s: 1024,
  unrolledDots: 128,
  maxUnrolledDots: Infinity,
  maxWorkgroups: 2, // cores of the machine that was measured
} as const;

const LLVMPIPE = {
  ...SWIFTSHADER,
  minInvocations: 8,
  rowsPerInvocation: 4,
  registerVec4s: 128,
} as const;

const TUNING: Readonly<Record<DeviceProfile['adapter'], AdapterTuning>> = {
  gpu: {
    stepTime: {
      'persistent-registers': 0.125,
      'persistent-streamed': 0.5,
      'single-step': 0.5,
      'step-subgroup': 1,
      'step-split-k': 1.25, // two barriers and a round trip through workgroup memory
      'step-plain': 4, // one invocation waits for all loads along K, and few are in flight
    },
    persistent: {
      breakEvenSteps: 1,
      maxUnits: 128,
      minInvocations: 32,
      rowsPerInvocation: 4,
      registerVec4s: 32, // 128 registers in addition to sums and addresses; 255 are the maximum of common GPUs
      unrolledDots: 128,
      maxUnrolledDots: Infinity,
      maxWorkgroups: Infinity,
    },
    minWorkgroups: 1,
    maxWavefrontWorkgroups: 64,
    step: { lanes: 64, unitsPerInvocation: 1, rowsPerInvocation: 4 },
    stepSplitK: { lanes: 16, unitsPerInvocation: 1, splitK: 16, rowsPerInvocation: 4 },
    singleStep: { lanes: 16, unitsPerInvocation: 1, splitK: 8, maxRows: 4 },
    project: { lanes: 64, unitsPerInvocation: 2, rowsPerInvocation: 4 },
    // A small M has few workgroups: split-K gives the device more, and few rows waste no registers.
    matmul: [
      { maxM: 1, rowsPerInvocation: 1, splitK: 8 },
      { maxM: 4, rowsPerInvocation: 4, splitK: 8 },
      { maxM: 64, rowsPerInvocation: 8, splitK: 4 },
      { maxM: Infinity, rowsPerInvocation: 8, splitK: 1 },
    ],
    maxRowInvocations: 64,
    minConvInvocations: 1 << 14,
  },
  // A load at an index known to the compiler costs as much as a sum, any other ten times that: unrolled
  // products over weights in private arrays win (bench/README.md, "Loads cost more than sums").
  swiftshader: {
    stepTime: {
      'persistent-registers': 0.125,
      'persistent-streamed': 1.1, // the same loads as a step, on one core
      'single-step': 0.5,
      'step-plain': 1,
    },
    persistent: SWIFTSHADER,
    minWorkgroups: 2,
    // Each chunk loads the weights again, and one layer occupies both cores (bench/README.md, "Layers of a stack").
    maxWavefrontWorkgroups: 0,
    step: { lanes: 16, unitsPerInvocation: 2, rowsPerInvocation: 8 },
    singleStep: { lanes: 16, unitsPerInvocation: 2, splitK: 1, maxRows: 4 },
    project: { lanes: 16, unitsPerInvocation: 8, rowsPerInvocation: 8 },
    broadcastRows: 16,
    matmul: CPU_MATMUL,
    // The reduction is one SIMD vector of the CPU, here 128 bits, which is the subgroup.
    maxRowInvocations: 4,
    minConvInvocations: 0,
    baseline: {
      persistent: { ...SWIFTSHADER, maxUnrolledDots: 16 },
      step: { lanes: 16, unitsPerInvocation: 1, rowsPerInvocation: 2 },
      project: { lanes: 16, unitsPerInvocation: 2, rowsPerInvocation: 2 },
      broadcastRows: undefined,
    },
  },
  // A dispatch wakes the threads, 50 µs (bench/README.md, "A dispatch"): hence row blocks for all time steps.
  llvmpipe: {
    stepTime: {
      'persistent-registers': 0.125,
      'persistent-row-blocks': 0.25,
      'persistent-streamed': 1.1,
      'single-step': 0.5,
      'step-plain': 1,
    },
    persistent: LLVMPIPE,
    rowBlocks: { unitsPerInvocation: 4, rowsPerInvocation: 8 },
    minWorkgroups: 2,
    maxWavefrontWorkgroups: 0,
    step: { lanes: 32, unitsPerInvocation: 2, rowsPerInvocation: 8 },
    singleStep: { lanes: 32, unitsPerInvocation: 2, splitK: 1, maxRows: 4 },
    project: { lanes: 32, unitsPerInvocation: 8, rowsPerInvocation: 8 },
    broadcastRows: 16,
    matmul: CPU_MATMUL,
    // 256 bits: https://docs.mesa3d.org/envvars.html#envvar-LP_NATIVE_VECTOR_WIDTH
    maxRowInvocations: 8,
    minConvInvocations: 0,
    // An unrolled kernel takes two seconds to compile (bench/README.md, "A kernel takes llvmpipe a second").
    baseline: {
      persistent: { ...LLVMPIPE, maxUnrolledDots: 8 },
      rowBlocks: undefined,
      step: { lanes: 32, unitsPerInvocation: 1, rowsPerInvocation: 2 },
      project: { lanes: 32, unitsPerInvocation: 2, rowsPerInvocation: 2 },
      broadcastRows: undefined,
    },
  },
};

/**
 * Maximum operators in one elementwise kernel; a longer chain becomes several. More would need more
 * registers than an invocation has, and compile slowly.
 */
export const MAX_FUSED_OPERATORS = 32;

/** The tuning of a device at a tier. */
export function tuningOf({ adapter }: DeviceProfile, tier: Tier = 'optimized'): Tuning {
  const tuning = TUNING[adapter];
  return tier === 'baseline' ? { ...tuning, ...tuning.baseline } : tuning;
}

/** Whether a device has kernels of a baseline tier, because optimized ones compile slowly. */
export const hasBaseline = ({ adapter }: DeviceProfile): boolean =>
  TUNING[adapter].baseline !== undefined;
