// What a group of streams needs besides its model: operators that gather and write rows, and their kernels.
import { registerOperators } from '../../operators.ts';
import { Group } from './group.ts';
import type { GroupParts } from './parts.ts';

/** A group, with the operators and kernels that it needs. */
export async function makeGroup(parts: GroupParts): Promise<Group> {
  registerOperators();
  if (parts.session.runOnGpu) (await import('../../kernels.ts')).registerKernels();
  return new Group(parts);
}
