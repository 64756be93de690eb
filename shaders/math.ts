// The functions of math.wgsl, as far as a kernel calls them.
import math from './math.wgsl?raw';
import { expand } from './wgsl.ts';

/** A library of functions: its text, and their names, which are also the flags that print them. */
export type FunctionLibrary = readonly [text: string, names: readonly string[]];

const MATH: FunctionLibrary = [math, ['sigmoid', 'safeTanh', 'softplus']];

/** WGSL of those functions of a library that a kernel calls; names that it lacks are ignored. */
export function mathFunctions(
  calls: Iterable<string>,
  [text, names]: FunctionLibrary = MATH,
): string {
  const called = new Set(calls);
  const flags = Object.fromEntries(names.map((name) => [name, called.has(name)]));
  return names.some((name) => flags[name]) ? expand(text, { flags }).trim() : '';
}
