// Compares what a file declares of its values with what follows from its nodes.
import { RnnError } from '../../errors.ts';
import type { DeclaredValue } from '../../graph.ts';
import type { ValueType } from '../../ops/operator.ts';

const shapeOf = (dims: readonly (number | undefined)[]): string =>
  `[${dims.map((dim) => dim ?? '?').join(', ')}]`;

/**
 * Free sizes fit any size. A size of 0 fits any declaration: a loop without iterations has nothing to infer the
 * size of its results from. A value that the graph no longer has is not compared.
 *
 * @param inferred the type and shape of a value by name
 * @throws RnnError `INVALID_MODEL` with the path of the first declaration that contradicts the nodes
 */
export function checkDeclared(
  declared: readonly DeclaredValue[],
  inferred: (name: string) => ValueType | undefined,
): void {
  for (const { path, name, type, dims } of declared) {
    const found = inferred(name);
    if (!found) continue;
    if (type !== undefined && type !== found.type) {
      const what = `type of '${name}', got ${type}, expected ${found.type}, which its node gives`;
      throw new RnnError('INVALID_MODEL', `${path}.type`, what);
    }
    if (dims === undefined) continue;
    const fits =
      dims.length === found.dims.length &&
      found.dims.every((size, axis) => size === 0 || (dims[axis] ?? size) === size);
    if (fits) continue;
    const expected = `expected ${shapeOf(found.dims)}, which its node gives`;
    const what = `shape of '${name}', got ${shapeOf(dims)}, ${expected}`;
    throw new RnnError('INVALID_MODEL', `${path}.dims`, what);
  }
}
