// The functions of math.wgsl, as far as a kernel calls them.
import math from './math.wgsl?raw';
import { expand } from './wgsl.ts';

/** A library of functions: its text, and their names, which are also the flags that print them. */
export type FunctionLibrary = readonly [text: string, names: readonly string[]];

/** Names of the functions of math.wgsl. */
export const MATH_NAMES = [
  'isNan',
  'orNan',
  'sigmoid',
  'safeTanh',
  'maxNan',
  'minNan',
  'softplus',
] as const;

const MATH: FunctionLibrary = [math, MATH_NAMES];

/** WGSL of those functions of a library that a kernel calls; names that it lacks are ignored. */
export function mathFunctions(
  calls: Iterable<string>,
  [text, names]: FunctionLibrary = MATH,
): string {
  const called = new Set(calls);
  // Every other function of math.wgsl calls orNan, which calls isNan.
  if (MATH_NAMES.some((name) => name !== 'isNan' && called.has(name))) {
    called.add('orNan').add('isNan');
  }
  const flags = Object.fromEntries(names.map((name) => [name, called.has(name)]));
  return names.some((name) => flags[name]) ? expand(text, { flags }).trim() : '';
}
