import { expect, test } from 'vitest';
import { MUTANTS } from './list.ts';
import { mutate } from './mutant.ts';

const mutant = { name: 'm', file: 'a.ts', search: 'a < b', replace: 'a <= b', tests: [] };

test('a mutant changes the one place that it names', () => {
  expect(mutate(mutant, 'if (a < b) c();')).toBe('if (a <= b) c();');
});

test.each([
  ['is not there', 'if (a > b) c();', /occurs 0 times/],
  ['is there twice', 'a < b, a < b', /occurs 2 times/],
])('a text that %s is an error', (_, text, message) => {
  expect(() => mutate(mutant, text)).toThrow(message);
});

test('a mutant that changes nothing is an error', () => {
  expect(() => mutate({ ...mutant, replace: 'a < b' }, 'a < b')).toThrow(/by itself/);
});

test('names are unique, and every mutant has tests', () => {
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  expect(MUTANTS.filter(({ tests }) => tests.length === 0)).toEqual([]);
});
