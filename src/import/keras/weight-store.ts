// What both layouts of Keras weights offer besides the weights themselves.
import type { Weights } from './layers/index.ts';
import type { H5Dataset, H5Group } from './hdf5.ts';

/** The weights of a model, and which of them nobody has asked for. */
export interface WeightStore extends Weights {
  readonly unused: () => readonly string[];
}

/** Every dataset of a group and of the groups within it. */
export function datasetsWithin(group: H5Group | undefined): readonly H5Dataset[] {
  if (group === undefined) return [];
  return [...group.datasets.values(), ...[...group.groups.values()].flatMap(datasetsWithin)];
}
