// The registry of orders in which the layers of a stack compute: one after another, or as a wavefront.
//
// Costs are in time steps of one layer.
import type { RecurrentSpec } from '../../../shaders/recurrent/spec.ts';
import { tileUnits } from '../../../shaders/recurrent/step.ts';
import type { DeviceProfile } from './device-profile.ts';
import { recurrentCandidates } from './recurrent-candidates.ts';
import type { RecurrentCandidate } from './recurrent-candidates.ts';
import { cheapest } from './select-kernel.ts';
import type { Candidate, Overrides } from './select-kernel.ts';
import { tuningOf } from './tuning-tables.ts';
import type { RecurrentKernel } from './variants.ts';

/** Layers of a stack that may compute as a wavefront. */
export interface StackShape {
  /** With `layers` above 1. */
  readonly spec: RecurrentSpec;
  /** Batch rows, B. */
  readonly rows: number;
  /** Time steps, T. */
  readonly steps: number;
  /** Maximum time steps of a chunk. */
  readonly maxChunk: number;
}

/** An order; a wavefront has a kernel for all its layers. */
export type StackCandidate = Candidate & {
  readonly wavefront?: {
    readonly recurrent: RecurrentCandidate;
    /** Time steps by which each layer is behind the one below; even, so that states end where they began. */
    readonly chunk: number;
  };
};

/** What beginning a chunk costs, in time steps: a few dispatches. Reasoned from what these cost on GPUs. */
const CHUNK_STEPS: Readonly<Record<RecurrentKernel, number>> = { step: 4, persistent: 12 };

/** Why a buffer of the weights of all layers in the layout of a kernel does not fit a device. */
function weightsRefusal(spec: RecurrentSpec, device: DeviceProfile): string | undefined {
  const { layers, gates, hidden, output } = spec;
  // Units are padded to the tiles of a kernel: by no more than a factor of two.
  const bytes = 2 * 4 * layers * gates.length * hidden * (Math.max(hidden, output) + 4);
  const max = Math.min(device.maxStorageBufferBindingSize, device.maxBufferSize);
  return bytes > max ? `a buffer of ${bytes} bytes, the device allows ${max}` : undefined;
}

/**
 * Time steps of a chunk, where a wavefront has more than one: with short chunks all layers soon compute,
 * with long ones few chunks are begun. The even number next to the optimum.
 */
function chunkOf({ spec, steps, maxChunk }: StackShape, begin: number): number | undefined {
  const ideal = Math.sqrt((steps * begin) / (spec.layers - 1));
  const chunk = Math.min(2 * Math.ceil(ideal / 2), maxChunk - (maxChunk % 2));
  return chunk < 2 || steps <= chunk ? undefined : chunk;
}

/** Workgroups of one layer in a dispatch. */
function workgroupsOf(candidate: RecurrentCandidate, { spec, rows }: StackShape): number {
  const units = Math.max(spec.hidden, spec.output);
  const across = candidate.kernel === 'step' ? Math.ceil(units / tileUnits(candidate.tile)) : 1;
  return across * Math.ceil(rows / candidate.tile.rows);
}

/**
 * The orders for a stack, the sequential one first. An override leaves the sequential one or the
 * wavefronts, as long as the device can run one of them.
 */
export function stackCandidates(
  shape: StackShape,
  device: DeviceProfile,
  overrides: Overrides = {},
): readonly StackCandidate[] {
  const { spec, rows, steps } = shape;
  const { layers } = spec;
  const whole = recurrentCandidates({ spec, rows, steps }, device, overrides);
  const { kernel } = cheapest(whole) ?? whole[0]!;
  const begin = CHUNK_STEPS[kernel];
  const sequential: StackCandidate = {
    name: 'sequential',
    cost: layers * (steps + begin / 2),
    refusal: () => undefined,
  };
  const chunk = chunkOf(shape, begin);
  if (overrides.wavefront === false || chunk === undefined) return [sequential];

  const recurrents = recurrentCandidates({ spec, rows, steps: chunk }, device, overrides);
  const best = cheapest(recurrents) ?? recurrents[0]!;
  const waves = Math.ceil(steps / chunk) + layers - 1;
  const { maxWavefrontWorkgroups } = tuningOf(device, overrides.tier);
  // Above the maximum the layers of a wave run one after another. Fewer workgroups of another candidate are
  // larger and leave as little room, so those of the best count for all.
  const concurrent = workgroupsOf(best, shape) <= maxWavefrontWorkgroups;
  const layerTime = concurrent ? 1 : layers;
  const wavefronts = recurrents.map((recurrent): StackCandidate => ({
    name: `wavefront ${recurrent.name}`,
    cost: waves * (chunk + begin) * layerTime * (recurrent.cost / best.cost),
    refusal: () => weightsRefusal(spec, device) ?? recurrent.refusal(),
    wavefront: { recurrent, chunk },
  }));
  const legal = wavefronts.some((candidate) => candidate.refusal() === undefined);
  return overrides.wavefront === true && legal ? wavefronts : [sequential, ...wavefronts];
}

/** The key of a stack in a `TuningCache`. */
export const stackKey = ({ spec, rows, steps }: StackShape): string =>
  JSON.stringify(['stack', spec, rows, steps]);
