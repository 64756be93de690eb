// Strides on the host: fewer axes mean fewer divisions in a kernel.

/** Merges the axes that every operand traverses as one, and drops those of size 1. */
export function collapse<K extends string>(
  dims: readonly number[],
  strides: Readonly<Record<K, readonly number[]>>,
): { dims: number[]; strides: Record<K, number[]> } {
  const names = Object.keys(strides) as K[];
  const result = { dims: [] as number[], strides: {} as Record<K, number[]> };
  for (const name of names) result.strides[name] = [];
  for (const [k, dim] of dims.entries()) {
    if (dim === 1) continue;
    const last = result.dims.length - 1;
    const merges =
      last >= 0 && names.every((n) => result.strides[n][last] === strides[n][k]! * dim);
    if (merges) result.dims[last]! *= dim;
    else result.dims.push(dim);
    for (const n of names) result.strides[n][merges ? last : last + 1] = strides[n][k]!;
  }
  return result;
}
