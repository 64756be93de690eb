import { expect, test } from 'vitest';
import { wordFaults } from '../../scripts/check-words.mjs';

const wordsIn = (text: string): string[] =>
  wordFaults(text).map(({ line, word }: { line: number; word: string }) => `${line} ${word}`);

test.each([
  ['// The habits of an adapter.', ['1 habits']],
  ['/* a\n * wish\n */', ['2 wish']],
  ["const message = 'a spare buffer';", ['1 spare']],
  ['const keepsWeights = true;', ['1 keeps']],
  ['const MOST_ROWS = 4;', ['1 most']],
  ['let ways_left = 2;', ['1 ways']],
  ['const text = `for (var lap = 0u;;) {}`;', ['1 lap']],
  ['// They compute side by side, each turn.', ['1 side by side', '1 each turn']],
])('%s', (text, expected) => {
  expect(wordsIn(text)).toEqual(expected);
});

test.each([
  '// At most four rows: it keeps them, in one way or another, and turns back.',
  "const message = 'most of all, the way of least surprise';",
  'throw new Error(`got ${count}, expected at most ${max}`);',
  'const overlap = always + sharedHabitat;',
])('not in %s', (text) => {
  expect(wordsIn(text)).toEqual([]);
});
