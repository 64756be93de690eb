// Names are handed out once.
import { expect, it } from 'vitest';
import { UniqueNames } from '../src/unique-names.ts';

it('a name that is taken gets the first number that is free', () => {
  const names = new UniqueNames(['a', 'b_1']);
  names.add('c');
  const wanted = ['a', 'a', 'b', 'b', 'c', 'd', 'a_1', 'd'];
  expect(wanted.map((name) => names.take(name))).toEqual([
    'a_1',
    'a_2',
    'b',
    'b_2',
    'c_1',
    'd',
    'a_1_1',
    'd_1',
  ]);
});
