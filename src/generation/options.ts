// The options of a generation, checked.
import { RnnError } from '../errors.ts';
import type { SamplingOptions, TokenOptions } from './types.ts';
import { anySeed } from './random.ts';

/** The error for an option that makes no sense. */
export const invalidOption = (name: string, got: unknown, expected: string): RnnError => {
  const shown = typeof got === 'string' ? `'${got}'` : String(got);
  return new RnnError('INVALID_ARGUMENT', `options.${name}`, `got ${shown}, expected ${expected}`);
};

/** How to choose tokens, with everything said. */
export interface Sampling {
  readonly greedy: boolean;
  readonly temperature: number;
  readonly topK: number | undefined;
  readonly topP: number;
  readonly penalty: number;
  readonly seed: number;
}

const isToken = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0;

/** @throws RnnError `INVALID_ARGUMENT` */
export function readSampling(options: SamplingOptions): Sampling {
  const { temperature = 1, topK, topP = 1, repetitionPenalty = 1, seed = anySeed() } = options;
  if (!(typeof temperature === 'number' && temperature >= 0 && temperature < Infinity)) {
    throw invalidOption('temperature', temperature, 'a number from 0 up; 0 takes the best token');
  }
  // Below it the quotient of a score may be infinite in float32.
  if (temperature > 0 && temperature < 1e-30) {
    throw invalidOption('temperature', temperature, '0, or 1e-30 and more');
  }
  if (topK !== undefined && !(Number.isSafeInteger(topK) && topK >= 1)) {
    throw invalidOption('topK', topK, 'a whole number from 1 up');
  }
  if (!(typeof topP === 'number' && topP > 0 && topP <= 1)) {
    throw invalidOption('topP', topP, 'a number above 0, up to 1');
  }
  if (
    !(
      typeof repetitionPenalty === 'number' &&
      repetitionPenalty > 0 &&
      repetitionPenalty < Infinity
    )
  ) {
    throw invalidOption('repetitionPenalty', repetitionPenalty, 'a number above 0; 1 for none');
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw invalidOption('seed', seed, 'a whole number from 0 up');
  }
  const greedy = temperature === 0;
  return { greedy, temperature, topK, topP, penalty: repetitionPenalty, seed };
}

/** The tokens that end a row. @throws RnnError `INVALID_ARGUMENT` */
export function readStops(stop: TokenOptions['stop']): ReadonlySet<number> {
  const list = stop === undefined ? [] : typeof stop === 'number' ? [stop] : [...stop];
  const wrong = list.find((token) => !isToken(token));
  if (wrong !== undefined) throw invalidOption('stop', wrong, 'token numbers from 0 up');
  return new Set(list);
}

/** @throws RnnError `INVALID_ARGUMENT` */
export function readMaxSteps(maxSteps: unknown = Infinity): number {
  const isCount = maxSteps === Infinity || (Number.isSafeInteger(maxSteps) && Number(maxSteps) > 0);
  if (!isCount) throw invalidOption('maxSteps', maxSteps, 'a whole number from 1 up');
  return maxSteps as number;
}

/** @throws RnnError `INVALID_ARGUMENT` */
export function readTokensPerSubmit(count: unknown = 32): number {
  const isCount = Number.isSafeInteger(count) && Number(count) >= 1 && Number(count) <= 1024;
  if (!isCount) throw invalidOption('tokensPerSubmit', count, 'a whole number, 1 to 1024');
  return count as number;
}

/** Rows of tokens, and whether there was one row without a list around it. @throws RnnError `INVALID_ARGUMENT` */
export function readPrompt(
  prompt: unknown,
  name = 'prompt',
): {
  readonly rows: readonly (readonly number[])[];
  readonly isBatch: boolean;
} {
  const isList = (value: unknown): value is ArrayLike<unknown> =>
    Array.isArray(value) || (ArrayBuffer.isView(value) && 'length' in value);
  const expected = 'a list of token numbers, or a list of such lists';
  if (!isList(prompt)) throw invalidOption(name, prompt, expected);
  const isBatch = isList(prompt[0]);
  const rows = isBatch ? Array.from(prompt) : [prompt];
  if (rows.length === 0) throw invalidOption(name, 'nothing', expected);
  return {
    isBatch,
    rows: rows.map((row, i) => {
      const path = isBatch ? `${name}[${i}]` : name;
      if (!isList(row)) throw invalidOption(path, row, 'a list of token numbers');
      if (row.length === 0) throw invalidOption(path, 'no tokens', 'at least one');
      return Array.from(row, (token, k) => {
        const number = typeof token === 'bigint' ? Number(token) : token;
        if (isToken(number)) return number as number;
        throw invalidOption(`${path}[${k}]`, token, 'a token number from 0 up');
      });
    }),
  };
}
