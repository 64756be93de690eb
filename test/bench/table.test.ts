// Tables on the terminal.
import { expect, test } from 'vitest';
import { ratioText, tableOf, three } from '../../bench/table.ts';

const table = tableOf([
  ['name', -6],
  ['ms', 5],
  ['note', -4],
]);

test('cells stand below their titles', () => {
  expect(table.head).toBe('name      ms note');
  expect(table.line('a', '1.5', 'n')).toBe('a        1.5 n');
});

test('missing cells are empty, and no line ends with blanks', () => {
  expect(table.line('a', undefined, 'n')).toBe('a            n');
  expect(table.line('a')).toBe('a');
});

test('a cell that is too wide is printed whole', () => {
  expect(table.line('a', '1234567')).toBe('a      1234567');
});

test('numbers have three digits, integers all of theirs', () => {
  expect([0.001234, 12.34, 1234.6, undefined].map(three)).toEqual([
    '0.00123',
    '12.3',
    '1235',
    'n/a',
  ]);
  expect(ratioText(1.005)).toBe('1.00x');
});
