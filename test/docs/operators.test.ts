// The tables of operators are those of the engine.
import { expect, it } from 'vitest';
import { operatorsDocument } from '../../scripts/operator-tables.ts';
import { operatorNames } from '../../src/ops/registry.ts';
import { KNOWN } from '../../src/import/onnx/known-attributes.ts';
import { UNKNOWN_TO_ONNX } from '../differential/single-cases.ts';
import { textOf } from './markdown.ts';

it('docs/operators.md is what npm run docs:operators writes', () => {
  expect(textOf('docs/operators.md')).toBe(operatorsDocument());
});

it('every operator of ONNX that the engine has can be read from a file', () => {
  const own = ['Recurrent', ...UNKNOWN_TO_ONNX];
  const unread = operatorNames().filter((name) => !own.includes(name) && !(name in KNOWN));
  expect(unread).toEqual([]);
});
