// WGSL functions that only some elementwise expressions need.
import text from './elementwise-math.wgsl?raw';
import { MATH_NAMES, mathFunctions } from './math.ts';
import type { FunctionLibrary } from './math.ts';

const ELEMENTWISE: FunctionLibrary = [
  text,
  ['erf', 'sinReduced', 'sine', 'cosine', 'power', 'intPower', 'toHalf'],
];
const NAMES = [...ELEMENTWISE[1], ...MATH_NAMES];

/** WGSL of the functions that an expression calls. */
export function functionsFor(expression: string): string {
  const calls = NAMES.filter((name) => new RegExp(`\\b${name}\\(`).test(expression));
  if (calls.includes('sine') || calls.includes('cosine')) calls.push('sinReduced');
  if (calls.includes('power')) calls.push('orNan');
  return `${mathFunctions(calls)}\n${mathFunctions(calls, ELEMENTWISE)}`;
}
