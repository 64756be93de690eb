// One run of a recurrent kernel, whose variants declare different buffers and uniforms.
import type { Kernel, Workgroups } from '../../../shaders/kernel.ts';
import type { BufferId, Dispatch } from '../types.ts';

/** Buffers by the names that kernels declare; a kernel takes those it has. */
export type NamedBuffers = Readonly<Record<string, BufferId | undefined>>;

/** A dispatch of `kernel` with what it declares out of all there is. */
export function recurrentDispatch(
  label: string,
  kernel: Kernel,
  workgroups: Workgroups,
  buffers: NamedBuffers,
  uniforms: Readonly<Record<string, number>>,
  flops: number,
): Dispatch {
  const pick = <T>(names: object, from: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.keys(names).map((name) => [name, from[name]!]));
  return {
    kind: 'dispatch',
    label,
    kernel,
    workgroups,
    buffers: pick(kernel.bindings, buffers as Record<string, BufferId>),
    uniforms: pick(kernel.uniforms, uniforms),
    flops,
  };
}
