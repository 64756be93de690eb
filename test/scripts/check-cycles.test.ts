import { describe, expect, test } from 'vitest';
import { findCycles, importsOf, readImports } from '../../scripts/check-cycles.mjs';

const graph = (edges: Record<string, string[]>) => new Map(Object.entries(edges));

describe('imports', () => {
  test('of values, of types, dynamic, and of what is exported again', () => {
    const text = `
      import { a } from './a.ts';
      import type { B } from '../b.ts';
      import { type C, c } from './c.ts';
      export * from './d.ts';
      export type { E } from './e.ts';
      const f = await import('./f.ts');
      let g: import('./g.ts').G;
      import 'package';
      // import './comment.ts';
      const text = "import './text.ts'";`;
    const names = ['/r/s/a', '/r/b', '/r/s/c', '/r/s/d', '/r/s/e', '/r/s/f', '/r/s/g'];
    expect(importsOf('/r/s/x.ts', text).toSorted()).toEqual(
      names.map((name) => `${name}.ts`).toSorted(),
    );
  });
});

describe('cycles', () => {
  test('none in a tree, nor where two paths meet', () => {
    expect(findCycles(graph({ a: ['b', 'c'], b: ['d'], c: ['d'], d: [] }))).toEqual([]);
  });

  test('a file that imports itself', () => {
    expect(findCycles(graph({ a: ['a'] }))).toEqual([['a', 'a']]);
  });

  test('the shortest of a group, once', () => {
    const edges = { a: ['b'], b: ['c', 'a'], c: ['a'], x: ['a'] };
    expect(findCycles(graph(edges))).toEqual([
      ['a', 'b', 'a'],
      ['c', 'a', 'b', 'c'],
    ]);
  });

  test('files that are not looked at end a path', () => {
    expect(findCycles(graph({ a: ['elsewhere'] }))).toEqual([]);
  });
});

test('the package has none', () => {
  const imports = readImports(['src', 'shaders']);
  expect(imports.size).toBeGreaterThan(100);
  expect(findCycles(imports)).toEqual([]);
});
