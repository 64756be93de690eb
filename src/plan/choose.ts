// Which recurrent kernel serves a layer, and in which shape. A function of the layer, the call and
// the limits of the device, so that it can be read, tested and overridden.
import type { PersistentTile } from '../../shaders/recurrent/persistent.ts';
import { persistentMemory } from '../../shaders/recurrent/persistent.ts';
import type { ProjectTile } from '../../shaders/recurrent/project.ts';
import type { RecurrentSpec } from '../../shaders/recurrent/spec.ts';
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
}

/** The limits that every WebGPU device has, for planning without one. */
export const DEFAULT_PROFILE: DeviceProfile = {
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupStorageSize: 16384,
  maxStorageBufferBindingSize: 134217728,
  maxBufferSize: 268435456,
  maxStorageBuffersPerShaderStage: 8,
  adapter: 'gpu',
};

/** A recurrent kernel in one shape. */
export type RecurrentChoice =
  | { readonly kernel: 'step'; readonly tile: StepTile }
  | { readonly kernel: 'persistent'; readonly tile: PersistentTile };

/**
 * What suits each kind of adapter; measured on the two software ones, reasoned for GPUs.
 * `persistent`: most units of that kernel. `private`: most vec4 of weights held by an invocation.
 * `rows`: most batch rows that share a load of weights. `project`: tile of the input projection.
 */
const HABITS = {
  // Registers hold 32 vec4 of weights beside everything else; more would spill. One workgroup keeps
  // up with many while its weights come from a near cache. Lanes share products to fill the chip.
  gpu: {
    persistent: 128,
    private: 32,
    weights: 'unrolled',
    lanes: 32,
    units: 16,
    slices: 16,
    rows: 4,
    project: { lanes: 64, rows: 4, columns: 2 },
  },
  // A workgroup is one core, and a load costs more than ten sums wherever it comes from.
  swiftshader: {
    persistent: 64,
    private: 0,
    weights: 'buffer',
    lanes: 4,
    units: 16,
    slices: 1,
    rows: 16,
    project: { lanes: 16, rows: 8, columns: 4 },
  },
  // Variables of an invocation are four times as near as a buffer, and slow to compile.
  llvmpipe: {
    persistent: 64,
    private: 64,
    weights: 'private',
    lanes: 8,
    units: 32,
    slices: 1,
    rows: 8,
    project: { lanes: 32, rows: 4, columns: 4 },
  },
} as const;

const powerOfTwo = (n: number): number => 2 ** Math.ceil(Math.log2(Math.max(n, 1)));

/** The kernel for a layer of `rows` batch rows over `steps` time steps. */
export function chooseRecurrent(
  spec: RecurrentSpec,
  rows: number,
  steps: number,
  device: DeviceProfile,
  forced?: 'step' | 'persistent',
): RecurrentChoice {
  const habits = HABITS[device.adapter];
  const units = Math.max(spec.hidden, spec.output);
  const maxLanes = Math.min(256, device.maxComputeInvocationsPerWorkgroup);
  const vectors = Math.ceil(units / 4) * spec.gates.length;
  const rowBlock = Math.min(habits.rows, powerOfTwo(rows));
  const persistentTile: PersistentTile = {
    lanes: Math.min(maxLanes, Math.max(powerOfTwo(units), habits.lanes)),
    // The cell is written out for each row. Two workgroups at least, where there are rows for them.
    rows: Math.min(habits.rows, 8, powerOfTwo(Math.ceil(rows / 2))),
    weights: vectors <= habits.private ? habits.weights : 'buffer',
  };
  const fits =
    persistentMemory(spec, persistentTile) <= device.maxComputeWorkgroupStorageSize &&
    Math.ceil(units / persistentTile.lanes) <= 4;
  const wanted = forced ?? (units <= habits.persistent && steps > 0 ? 'persistent' : 'step');
  if (wanted === 'persistent' && fits) return { kernel: 'persistent', tile: persistentTile };
  const slices = rows <= 4 ? habits.slices : Math.min(4, habits.slices);
  return { kernel: 'step', tile: { units: habits.units, slices, rows: rowBlock } };
}

/** The tile of the input projection: blocks of rows only where there are rows to block. */
export function chooseProject(rows: number, columns: number, device: DeviceProfile): ProjectTile {
  const { project } = HABITS[device.adapter];
  const lanes = Math.min(project.lanes, powerOfTwo(columns));
  return {
    lanes,
    rows: rows < project.rows ? 1 : project.rows,
    columns: Math.min(project.columns, Math.ceil(columns / lanes)),
  };
}
