// Flat index to offsets: how every kernel that reads strided operands finds its elements.
// The number of axes in use is a uniform, so that axes which merge at one shape and not at another
// do not change the kernel; only the most axes it may ever need is written into the WGSL.
import { FLAT_INDEX } from './kernel.ts';
import { wgsl } from './wgsl.ts';

/** Invocations of a workgroup of the kernels that do one item an invocation. */
export const ITEMS = 64;

/** `main` for kernels that do one item an invocation; `body` sees its index `i`. Needs `count`. */
export const perItem = (body: string, functions = ''): string => wgsl`
${functions}
@compute @workgroup_size(${ITEMS})
fn main(${FLAT_INDEX.parameters}) {
  let i = ${FLAT_INDEX.index(ITEMS)};
  if (i >= params.count) { return; }
  ${body}
}`;

/**
 * Bound of a loop that a `break` ends. Tint gives every loop whose bound is no constant a 64-bit
 * counter of its own, so that no shader runs for ever; this bound spares it.
 */
export const FOREVER = '0x40000000u';

/** Axes a kernel for `rank` axes is made for; small ranks share one kernel. */
export const walkRank = (rank: number): number => Math.max(rank, 4);

/** Uniforms that {@link walk} reads. Strides are u32 that wrap, so they may be negative. */
export function walkUniforms(
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
 * @param name keeps two walks in one kernel apart
 */
export function walk(index: string, rank: number, operands: readonly string[], name = ''): string {
  // Nested, so that the common case of one axis costs one comparison.
  let nested = '';
  for (let k = rank - 1; k > 0; k--) {
    const adds = operands.map((o) => `${o} += at * params.${o}${k};`).join(' ');
    const size = `params.${name}d${k}`;
    nested = `if (params.${name}rank > ${k}u) { ${nested}
let at = ${name}rest % ${size}; ${name}rest /= ${size}; ${adds} }`;
  }
  return `var ${name}rest = ${index};
${operands.map((o) => `var ${o} = 0u;`).join(' ')}
${nested}
${operands.map((o) => `${o} += ${name}rest * params.${o}0;`).join(' ')}`;
}

/** Values of {@link walkUniforms} for these dims and strides, which have at most `rank` axes. */
export function walkValues(
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
