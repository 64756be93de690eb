// A kernel is made of parts: what it binds, the functions it prints, and the flags and constants that
// choose the variant of its `.wgsl` file. Each part stands where its decision is made.
import { defineKernel, present } from './kernel.ts';
import type { BindingType, Extension, Kernel, UniformType } from './kernel.ts';
import { expand, rename } from './wgsl.ts';

/** Part of a kernel. */
export interface Part {
  /** Functions and structs at module level. */
  readonly wgsl?: string;
  /** Storage buffers by name; false for those of other variants. */
  readonly bindings?: Readonly<Record<string, BindingType | false>>;
  /** Scalars by name; false for those of other variants. */
  readonly uniforms?: Readonly<Record<string, UniformType | false>>;
  readonly enables?: readonly Extension[];
  /** Flags of the `.wgsl` file. */
  readonly flags?: Readonly<Record<string, boolean>>;
  /** u32 constants: printed, and trip counts of `@unroll`. */
  readonly constants?: Readonly<Record<string, number>>;
  /** Identifiers of the `.wgsl` file that stand for others. */
  readonly names?: Readonly<Record<string, string>>;
}

/** The files explain themselves; the printed kernel has the comments of its own file only. */
const COMMENTS = /\/\/[^\n]*/g;

const withoutComments = (text: string): string => text.replaceAll(COMMENTS, '').trim();

/** The text of a `.wgsl` file that is a part of another one, which expands it, with names replaced. */
export const fragment = (text: string, names: Readonly<Record<string, string>>): string =>
  rename(withoutComments(text), names);

/** The members of some records as one record; a later one stands for an earlier one. */
const merge = <T>(records: readonly (Readonly<Record<string, T>> | undefined)[]) =>
  Object.assign({}, ...records) as Readonly<Record<string, T>>;

/** Parts as one. */
export const joinParts = (parts: readonly Part[]) => ({
  wgsl: parts.map(({ wgsl = '' }) => withoutComments(wgsl)).join('\n'),
  bindings: merge(parts.map(({ bindings = {} }) => present<BindingType>(bindings))),
  uniforms: merge(parts.map(({ uniforms = {} }) => present<UniformType>(uniforms))),
  enables: parts.flatMap(({ enables = [] }) => enables),
  flags: merge(parts.map(({ flags }) => flags)),
  constants: merge(parts.map(({ constants }) => constants)),
  names: merge(parts.map(({ names }) => names)),
});

/** A kernel from the text of its `.wgsl` file and its parts. */
export function kernelOf(
  name: string,
  text: string,
  parts: readonly Part[],
  readsIteration = false,
): Kernel {
  const { wgsl, bindings, uniforms, enables, constants, ...expansion } = joinParts(parts);
  const [head] = /^(?:\/\/[^\n]*\n)*/.exec(text) as unknown as [string];
  return defineKernel({
    name,
    head,
    bindings,
    uniforms,
    constants,
    enables,
    readsIteration,
    body: `${wgsl}\n${expand(text.slice(head.length), { ...expansion, constants })}`,
  });
}
