// Predicted time of a time step on five GPUs, from what a kernel loads and how it is spread.
//
// An estimate to compare kernels by, right to a factor of two at best: peaks are from data sheets, the other constants
// from public micro-benchmarks of these or similar chips, and none has been measured with this package.
import type { ChosenKernel, LayerShape } from './chosen.ts';

/** A GPU. */
export interface GpuModel {
  readonly name: string;
  /** The subgroups that the planner is told of; 0 where their size varies. */
  readonly subgroupSize: 0 | 32;
  /** 10¹² operations per second in float32. */
  readonly peakTflops: number;
  /** 10⁹ bytes per second from the last cache to all cores. */
  readonly cacheGBs: number;
  /** The same to one core. */
  readonly coreGBs: number;
  /** The same from memory to all cores. */
  readonly memoryGBs: number;
  /** 10⁶ bytes. */
  readonly cacheMB: number;
  /** µs from a load to its value, from the last cache. */
  readonly latency: number;
  /** Loads of an invocation that are on their way at a time. */
  readonly loadsInFlight: number;
  /** µs of a dispatch that waits for the one before. */
  readonly dispatch: number;
  /** µs of the barriers, the cell and the exchange of h within a workgroup. */
  readonly epilogue: number;
}

/** Large, integrated and mobile ones. */
export const GPUS: readonly GpuModel[] = [
  {
    name: 'RTX 4070 Laptop',
    subgroupSize: 32,
    peakTflops: 15.6,
    cacheGBs: 1600,
    coreGBs: 100,
    memoryGBs: 256,
    cacheMB: 32,
    latency: 0.14,
    loadsInFlight: 6,
    dispatch: 3.4,
    epilogue: 0.5,
  },
  {
    name: 'Apple M2',
    subgroupSize: 32,
    peakTflops: 3.58,
    cacheGBs: 400,
    coreGBs: 41,
    memoryGBs: 100,
    cacheMB: 12,
    latency: 0.22,
    loadsInFlight: 8,
    dispatch: 3.7,
    epilogue: 0.8,
  },
  {
    name: 'Iris Xe 96 EU',
    subgroupSize: 0,
    peakTflops: 2.0,
    cacheGBs: 250,
    coreGBs: 60,
    memoryGBs: 50,
    cacheMB: 3.8,
    latency: 0.2,
    loadsInFlight: 8,
    dispatch: 9.0,
    epilogue: 1.0,
  },
  {
    name: 'H200',
    subgroupSize: 32,
    peakTflops: 67,
    cacheGBs: 5500,
    coreGBs: 120,
    memoryGBs: 4800,
    cacheMB: 50,
    latency: 0.15,
    loadsInFlight: 6,
    dispatch: 3.5,
    epilogue: 0.5,
  },
  {
    name: 'Adreno 740',
    subgroupSize: 0,
    peakTflops: 2.0,
    cacheGBs: 150,
    coreGBs: 40,
    memoryGBs: 60,
    cacheMB: 6,
    latency: 0.3,
    loadsInFlight: 8,
    dispatch: 20,
    epilogue: 2.0,
  },
];

/** What a kernel does in a time step of a layer. */
export interface StepWork {
  /** Whether one dispatch computes all time steps. */
  readonly isPersistent: boolean;
  /** Bytes of the recurrent weights. */
  readonly weightBytes: number;
  /** Blocks of batch rows, each of which loads the weights. */
  readonly rowBlocks: number;
  /** Whether the grid runs over them first: those that run at a time share weights from the cache. */
  readonly isRowsFirst: boolean;
  /** Of a workgroup. */
  readonly invocations: number;
  /** Loads of an invocation from buffers, of at most 16 bytes. */
  readonly loads: number;
  /** Floating point operations of all rows. */
  readonly flops: number;
}

/** Predicted µs of a time step, without the input projection. */
export function stepMicroseconds(work: StepWork, gpuModel: GpuModel): number {
  const { isPersistent, weightBytes, rowBlocks, isRowsFirst, invocations, loads, flops } = work;
  const { peakTflops, cacheGBs, coreGBs, memoryGBs, cacheMB, dispatch, epilogue } = gpuModel;
  const waiting = (loads / gpuModel.loadsInFlight) * gpuModel.latency;
  if (isPersistent) {
    // Weights that are in registers are not loaded.
    const bytes = Math.min(weightBytes, loads * 16 * invocations);
    const perCore = bytes / (coreGBs * 1e3);
    return epilogue + Math.max(waiting, perCore, (rowBlocks * bytes) / (cacheGBs * 1e3));
  }
  const misses = weightBytes <= cacheMB * 1e6 ? 0 : isRowsFirst ? 1 : rowBlocks;
  const moving = Math.max(
    (rowBlocks * weightBytes) / (cacheGBs * 1e3),
    (misses * weightBytes) / (memoryGBs * 1e3),
  );
  // Products reach about half of the peak.
  const computing = flops / (0.55 * peakTflops * 1e6);
  return dispatch + 0.6 * epilogue + Math.max(moving, waiting, computing);
}

/** Bytes of a weight by how it is stored. */
const BYTES = { f32: 4, f16: 2, int8: 1 } as const;

/**
 * What a compiled kernel does in a time step.
 *
 * @returns undefined for the input projection, which is none of it
 */
export function stepWork(
  { cell, H, B }: LayerShape,
  { name, wgsl, workgroups }: ChosenKernel,
  { invocations, loads }: Pick<StepWork, 'invocations' | 'loads'>,
  weights: keyof typeof BYTES = 'f32',
): StepWork | undefined {
  const rows = /const ROWS = (\d+)u/.exec(wgsl);
  if (name === 'recurrent-project' || !rows) return undefined;
  const rowBlocks = Math.ceil(B / Number(rows[1]));
  const gates = cell === 'lstm' ? 4 : 3;
  return {
    isPersistent: name === 'recurrent-persistent',
    weightBytes: gates * H * H * BYTES[weights],
    rowBlocks,
    isRowsFirst: workgroups[0] === rowBlocks,
    invocations,
    loads,
    flops: 2 * gates * H * H * B,
  };
}

/** Predicted µs of a time step by the name of the GPU, of those with such subgroups. */
export const predictionsOf = (work: StepWork, subgroupSize: number): Record<string, number> =>
  Object.fromEntries(
    GPUS.filter((each) => each.subgroupSize === subgroupSize).map((each) => [
      each.name,
      stepMicroseconds(work, each),
    ]),
  );
