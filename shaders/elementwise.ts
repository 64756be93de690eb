// Four output elements an invocation from the elements of up to seven inputs that broadcast.
import { functionsFor } from './functions.ts';
import { type BindingType, type Kernel, defineKernel } from './kernel.ts';
import { perItem, walk, walkUniforms } from './walk.ts';
import { wgsl } from './wgsl.ts';

/** Names of the inputs in order, in the expression and as bindings `A` … `G`. */
export const OPERANDS = ['a', 'b', 'c', 'd', 'e', 'f', 'g'] as const;

/** What an elementwise kernel bakes in. */
export interface ElementwiseOptions {
  readonly name: string;
  /** Element types of the inputs in order. */
  readonly inputs: readonly ('f32' | 'i32')[];
  readonly output: 'f32' | 'i32';
  /** Most axes, see {@link walk}; 0 where no input ever broadcasts. */
  readonly rank: number;
  /** WGSL of `a`, `b` … and the flat index `i`; a bool becomes 0 or 1. */
  readonly expression: string;
  /** WGSL statements before the expression, and functions that they call. */
  readonly steps?: string;
  readonly functions?: string;
  /** Further uniforms of the expression. */
  readonly extra?: Readonly<Record<string, 'u32' | 'i32' | 'f32'>>;
}

const vec4 = (type: 'f32' | 'i32'): 'vec4f' | 'vec4i' => (type === 'f32' ? 'vec4f' : 'vec4i');

/**
 * out = expression(a, b, …), out dense. Buffers hold whole groups of four elements.
 *
 * With `vectorized` the walk is over groups of four, and offsets are those of groups, except that an
 * input whose bit is set in `broadcastMask` has one element for all four. Without, it is over single
 * elements.
 * `aFrom`, `bFrom` … are the offsets at which inputs begin.
 */
export function elementwiseKernel(options: ElementwiseOptions): Kernel {
  const { name, inputs, output, rank, expression, steps = '', functions = '' } = options;
  const names = OPERANDS.slice(0, inputs.length);
  const bindings: Record<string, BindingType> = {};
  names.forEach((n, i) => (bindings[n.toUpperCase()] = `read ${vec4(inputs[i]!)}`));
  const offsets = names.map((n) => `${n}At`);
  const four = (f: (j: number) => string): string => [0, 1, 2, 3].map(f).join(', ');
  const apply = (j: number): string =>
    `apply(${names.map((n) => `${n}[${j}], `).join('')}i * 4u + ${j}u)`;
  const element = (n: string): string => `${n.toUpperCase()}[${n}At / 4u][${n}At % 4u]`;
  const load = (n: string, k: number): string =>
    rank === 0
      ? `let ${n} = ${n.toUpperCase()}[i];`
      : `var ${n} = ${vec4(inputs[k]!)}(${element(n)});
if ((params.broadcastMask & ${1 << k}u) == 0u) { ${n} = ${n.toUpperCase()}[${n}At]; }`;
  const find = (index: string): string =>
    `${walk(index, Math.max(rank, 1), offsets)}
${names.map((n) => `${n}At += params.${n}From;`).join(' ')}`;
  return defineKernel<string, string>({
    name,
    bindings: { ...bindings, out: `write ${vec4(output)}` },
    uniforms: {
      count: 'u32', // groups of four
      ...(rank > 0 && {
        vectorized: 'u32' as const,
        broadcastMask: 'u32' as const,
        ...walkUniforms(rank, offsets),
        ...Object.fromEntries(names.map((n) => [`${n}From`, 'u32' as const])),
      }),
      ...options.extra,
    },
    body: perItem(
      wgsl`
#if ${rank > 0}
if (params.vectorized == 0u) {
  var result: ${vec4(output)};
  for (var j = 0u; j < 4u; j++) {
    ${find('(i * 4u + j)')}
    result[j] = apply(${names.map((n) => `${element(n)}, `).join('')}i * 4u + j);
  }
  out[i] = result;
  return;
}
${find('i')}
#endif
${names.map(load).join('\n')}
out[i] = ${vec4(output)}(${four(apply)});`,
      `${functionsFor(functions + expression)}
${functions}
fn apply(${names.map((n, k) => `${n}: ${inputs[k]!}, `).join('')}i: u32) -> ${output} {
  ${steps}
  return ${output}(${expression});
}`,
    ),
  });
}
