// The registry of tiles of the input projection W·x + b.
//
// Costs are in loads of each weight per row: a block of rows loads it once.
import type { ProjectTile } from '../../../shaders/recurrent/project.ts';
import type { DeviceProfile } from './device-profile.ts';
import { powerOfTwo, sharersOf, withoutExcluded } from './select-kernel.ts';
import type { Candidate, Overrides } from './select-kernel.ts';
import { tuningOf } from './tuning-tables.ts';

/** A tile of the projection. */
export interface ProjectCandidate extends Candidate {
  readonly tile: ProjectTile;
}

/**
 * The tiles for a projection, the widest blocks first.
 *
 * @param rows pairs of a time step and a batch row
 * @param columns units of all gates, G·H
 */
export function projectCandidates(
  rows: number,
  columns: number,
  device: DeviceProfile,
  { tier, excluded }: Pick<Overrides, 'tier' | 'excluded'> = {},
): readonly ProjectCandidate[] {
  const { project, broadcastRows } = tuningOf(device, tier);
  const maxInvocations = device.maxComputeInvocationsPerWorkgroup;
  const lanes = Math.min(project.lanes, powerOfTwo(columns), maxInvocations);
  const units = Math.min(project.unitsPerInvocation, Math.ceil(columns / lanes));
  const sharers = sharersOf(broadcastRows, device, lanes);
  const blocks = [
    ...(sharers > 1 ? [{ name: 'project-broadcast-rows', block: broadcastRows!, sharers }] : []),
    { name: 'project-row-blocks', block: project.rowsPerInvocation, sharers },
    { name: 'project-single-rows', block: 1, sharers: 1 },
  ];
  const candidates = blocks.map(({ name, block, ...shared }) => ({
    name,
    cost: 1 / block,
    tile: { lanes, rows: block, columns: units, ...shared },
    // Rows that pad a block cost as much as others.
    refusal: () => (block > 1 && rows < block ? `${block} rows, there are ${rows}` : undefined),
  }));
  return withoutExcluded(candidates, excluded);
}
