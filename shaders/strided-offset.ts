// Flat index to offsets: how every kernel that reads strided operands finds its elements.
// The number of axes in use is a uniform, so that axes which merge at one shape and not at another
// do not change the kernel; only the maximum number of axes is written into the WGSL.

/** Axes a kernel for `rank` axes is made for; small ranks use one kernel. */
export const kernelRank = (rank: number): number => Math.max(rank, 4);

/** Uniforms that {@link stridedOffsets} reads. Strides are u32 that wrap, so they may be negative. */
export function offsetUniforms(
  rank: number,
  operands: readonly string[],
  name = '',
): Record<string, 'u32'> {
  const uniforms: Record<string, 'u32'> = { [`${name}rank`]: 'u32' };
  for (let k = 1; k < rank; k++) uniforms[`${name}d${k}`] = 'u32';
  for (const operand of operands) {
    for (let k = 0; k < rank; k++) uniforms[`${operand}${k}`] = 'u32';
  }
  return uniforms;
}

/**
 * WGSL that declares one offset `operand` for each of `operands`: the sum over the axes of
 * coordinate × stride, for the flat index `index`, last axis fastest.
 *
 * @param name prefix of its variables and uniforms, where a kernel has the offsets of two shapes
 */
export function stridedOffsets(
  index: string,
  rank: number,
  operands: readonly string[],
  name = '',
): string {
  // Nested, so that the common case of one axis costs one comparison.
  const remaining = `remaining${name.toUpperCase()}`;
  let nested = '';
  for (let k = rank - 1; k > 0; k--) {
    const adds = operands.map((o) => `${o} += at * params.${o}${k};`).join(' ');
    const size = `params.${name}d${k}`;
    nested = `if (params.${name}rank > ${k}u) { ${nested}
let at = ${remaining} % ${size}; ${remaining} /= ${size}; ${adds} }`;
  }
  return `var ${remaining} = ${index};
${operands.map((o) => `var ${o} = 0u;`).join(' ')}
${nested}
${operands.map((o) => `${o} += ${remaining} * params.${o}0;`).join(' ')}`;
}

/** Values of {@link offsetUniforms} for these dims and strides, which have at most `rank` axes. */
export function offsetValues(
  rank: number,
  dims: readonly number[],
  strides: Readonly<Record<string, readonly number[]>>,
  name = '',
): Record<string, number> {
  const values: Record<string, number> = { [`${name}rank`]: dims.length };
  for (let k = 1; k < rank; k++) values[`${name}d${k}`] = dims[k] ?? 1;
  for (const [operand, steps] of Object.entries(strides)) {
    for (let k = 0; k < rank; k++) values[`${operand}${k}`] = (steps[k] ?? 0) >>> 0;
  }
  return values;
}
