// One output element per invocation from the elements of up to seven inputs that broadcast.
import { functionsFor } from './functions.ts';
import { type BindingType, type Kernel, defineKernel } from './kernel.ts';
import { perItem, walk, walkUniforms } from './walk.ts';

/** Names of the inputs in order, in the expression and as bindings `A` … `G`. */
export const OPERANDS = ['a', 'b', 'c', 'd', 'e', 'f', 'g'] as const;

/** out = expression(a, b, …), inputs [any shape that broadcasts], out dense [count]. */
export function elementwiseKernel(options: {
  readonly name: string;
  /** Element types of the inputs in order. */
  readonly inputs: readonly ('f32' | 'i32')[];
  readonly output: 'f32' | 'i32';
  /** Most axes; see {@link walk}. */
  readonly rank: number;
  /** WGSL of `a`, `b` … and the flat index `i`; a bool becomes 0 or 1. */
  readonly expression: string;
  /** Further uniforms of the expression. */
  readonly extra?: Readonly<Record<string, 'u32' | 'i32' | 'f32'>>;
}): Kernel {
  const { name, inputs, output, rank, expression } = options;
  const names = OPERANDS.slice(0, inputs.length);
  const bindings: Record<string, BindingType> = {};
  names.forEach((n, i) => (bindings[n.toUpperCase()] = `read ${inputs[i]!}`));
  const offsets = names.map((n) => `${n}At`);
  return defineKernel<string, string>({
    name,
    bindings: { ...bindings, out: `write ${output}` },
    uniforms: { count: 'u32', ...walkUniforms(rank, offsets), ...options.extra },
    body: perItem(
      `${walk('i', rank, offsets)}
${names.map((n) => `let ${n} = ${n.toUpperCase()}[${n}At];`).join('\n')}
out[i] = ${output}(${expression});`,
      functionsFor(expression),
    ),
  });
}
