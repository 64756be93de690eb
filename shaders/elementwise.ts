// The kernel of elementwise.wgsl, for one chain of elementwise operators.
import text from './elementwise.wgsl?raw';
import { functionsFor } from './functions.ts';
import { ITEM_INVOCATIONS, type Kernel } from './kernel.ts';
import { kernelOf, type Part } from './part.ts';
import { offsetUniforms, stridedOffsets } from './strided-offset.ts';

/** Names of the inputs in order, in the expression and as bindings `A` … `G`. */
export const OPERANDS = ['a', 'b', 'c', 'd', 'e', 'f', 'g'] as const;

/** What an elementwise kernel bakes in. */
export interface ElementwiseOptions {
  readonly name: string;
  /** Element types of the inputs in order. */
  readonly inputs: readonly ('f32' | 'i32')[];
  readonly output: 'f32' | 'i32';
  /** Maximum axes, see {@link stridedOffsets}; 0 where no input ever broadcasts. */
  readonly rank: number;
  /** Whether inputs move on with the iteration of a loop: by `aStep`, `bStep` … */
  readonly inLoop?: boolean;
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
 * With `vectorized` an invocation has one group of four, and offsets are those of groups, except that an
 * input whose bit is set in `broadcastMask` has one element for all four. Without, offsets are those of
 * single elements.
 * `aFrom`, `bFrom` … are the offsets at which inputs begin.
 */
export function elementwiseKernel(options: ElementwiseOptions): Kernel {
  const { name, inputs, output, rank, expression, steps = '', functions = '' } = options;
  const { inLoop = false } = options;
  const names = OPERANDS.slice(0, inputs.length);
  const strided = rank > 0;
  const offsets = names.map((n) => `${n}At`);
  const element = (n: string): string => `${n.toUpperCase()}[${n}At / 4u][${n}At % 4u]`;
  const load = (n: string, k: number): string =>
    strided
      ? `var ${n} = ${vec4(inputs[k]!)}(${element(n)});
if ((params.broadcastMask & ${1 << k}u) == 0u) { ${n} = ${n.toUpperCase()}[${n}At]; }`
      : `let ${n} = ${n.toUpperCase()}[i];`;
  const offsetsOf = (index: string): string =>
    `${stridedOffsets(index, Math.max(rank, 1), offsets)}
${names.map((n) => `${n}At += params.${n}From${inLoop ? ` + iteration * params.${n}Step` : ''};`).join(' ')}`;
  const part: Part = {
    wgsl: `${functionsFor(functions + expression)}\n${functions}`,
    bindings: {
      ...Object.fromEntries(
        names.map((n, k) => [n.toUpperCase(), `read ${vec4(inputs[k]!)}` as const]),
      ),
      out: `write ${vec4(output)}`,
    },
    uniforms: {
      count: 'u32',
      ...(strided && {
        vectorized: 'u32',
        broadcastMask: 'u32',
        ...offsetUniforms(rank, offsets),
        ...Object.fromEntries(names.map((n) => [`${n}From`, 'u32' as const])),
        ...(inLoop && Object.fromEntries(names.map((n) => [`${n}Step`, 'u32' as const]))),
      }),
      ...options.extra,
    },
    constants: { INVOCATIONS: ITEM_INVOCATIONS },
    flags: { STRIDED: strided },
    names: {
      Scalar: output,
      Scalar4: vec4(output),
      OPERANDS: names.map((n, k) => `${n}: ${inputs[k]!}, `).join(''),
      STEPS: steps,
      EXPRESSION: expression,
      ELEMENT_OFFSETS: strided ? offsetsOf('(i * 4u + j)') : '',
      ELEMENTS: names.map((n) => `${element(n)}, `).join(''),
      GROUP_OFFSETS: strided ? offsetsOf('i') : '',
      LOADS: names.map(load).join('\n'),
      ...Object.fromEntries(
        [0, 1, 2, 3].map((j) => [`LANE_${j}`, names.map((n) => `${n}[${j}], `).join('')]),
      ),
    },
  };
  return kernelOf(name, text, [part], inLoop);
}
