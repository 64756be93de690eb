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
  /** True for an adapter that computes on the CPU, where lanes are serial and barriers dear. */
  readonly software: boolean;
}

/** The limits that every WebGPU device has, for planning without one. */
export const DEFAULT_PROFILE: DeviceProfile = {
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupStorageSize: 16384,
  maxStorageBufferBindingSize: 134217728,
  maxBufferSize: 268435456,
  maxStorageBuffersPerShaderStage: 8,
  software: false,
};

/** A recurrent kernel in one shape. */
export type RecurrentChoice =
  | { readonly kernel: 'step'; readonly tile: StepTile }
  | { readonly kernel: 'persistent'; readonly tile: PersistentTile };

/** Largest hidden size for which one workgroup keeps up with many. */
const PERSISTENT_HIDDEN = 256;

const powerOfTwo = (n: number): number => 2 ** Math.ceil(Math.log2(Math.max(n, 1)));

/** The kernel for a layer of `rows` batch rows over `steps` time steps. */
export function chooseRecurrent(
  spec: RecurrentSpec,
  rows: number,
  steps: number,
  device: DeviceProfile,
  forced?: 'step' | 'persistent',
): RecurrentChoice {
  const units = Math.max(spec.hidden, spec.output);
  const maxLanes = Math.min(256, device.maxComputeInvocationsPerWorkgroup);
  const persistentTile: PersistentTile = {
    lanes: Math.min(maxLanes, Math.max(powerOfTwo(units), 32)),
    rows: rows === 1 ? 1 : Math.min(4, powerOfTwo(rows)),
  };
  const fits =
    persistentMemory(spec, persistentTile) <= device.maxComputeWorkgroupStorageSize &&
    Math.ceil(units / persistentTile.lanes) <= 4;
  const wanted = forced ?? (units <= PERSISTENT_HIDDEN && steps > 0 ? 'persistent' : 'step');
  if (wanted === 'persistent' && fits) return { kernel: 'persistent', tile: persistentTile };
  const rowBlock = rows === 1 ? 1 : Math.min(4, powerOfTwo(rows));
  // Few rows leave a real GPU idle unless lanes share the product; a software one prefers long lanes.
  const slices = device.software ? 1 : rows <= 4 ? 16 : 4;
  return {
    kernel: 'step',
    tile: { units: device.software ? 32 : 16, slices, rows: rowBlock },
  };
}

/** The tile of the input projection: blocks of rows only where there are rows to block. */
export function chooseProject(rowsOfChunk: number): ProjectTile {
  return rowsOfChunk < 4 ? { rows: 1, columns: 1 } : { rows: 4, columns: 2 };
}
