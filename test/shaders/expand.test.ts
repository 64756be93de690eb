// The passes over .wgsl texts: variants, unrolling, names.
import { describe, expect, it } from 'vitest';
import { formatWgsl } from '../../shaders/format-wgsl.ts';
import { expand, literal } from '../../shaders/wgsl.ts';

/** Without the line ends that directives leave. */
const lines = (text: string): string[] => formatWgsl(text).trim().split('\n');

describe('#if', () => {
  const text = 'start\n#if A\na\n#elif !B\nnot b\n#else\nb\n#endif\nend';

  it.each([
    [{ A: true, B: true }, 'a'],
    [{ A: false, B: false }, 'not b'],
    [{ A: false, B: true }, 'b'],
  ])('chooses by flags: %o', (flags, chosen) => {
    expect(lines(expand(text, { flags }))).toEqual(['start', chosen, 'end']);
  });

  it('refuses a flag that is not given, also in a branch that is not taken', () => {
    const nested = '#if A\n#if B\nb\n#endif\n#endif\n';
    expect(() => expand(nested, { flags: { A: false } })).toThrow('the flag B is not given');
  });
});

describe('@unroll', () => {
  const loop = (bound: string, flag = ''): string =>
    `@unroll${flag} for (var i = 0u; i < ${bound}; i++) { a[i] += b.i[i]; }`;

  it('repeats the body with the index a literal, and leaves members of its name alone', () => {
    expect(lines(expand(loop('N'), { constants: { N: 2 } }))).toEqual([
      'a[0u] += b.i[0u];',
      'a[1u] += b.i[1u];',
    ]);
    expect(lines(expand(loop('3u'), {}))).toHaveLength(3);
    expect(expand(loop('N'), { constants: { N: 0 } }).trim()).toBe('');
  });

  it('gives each copy a scope where the body declares something', () => {
    const text = '@unroll for (var i = 0u; i < 2u; i++) { let x = i; y[i] = x; }';
    expect(lines(expand(text, {}))).toEqual([
      '{ let x = 0u; y[0u] = x; }',
      '{ let x = 1u; y[1u] = x; }',
    ]);
  });

  it('unrolls inner loops in each copy of the outer one', () => {
    const text =
      '@unroll for (var i = 0u; i < 2u; i++) { @unroll for (var j = 0u; j < N; j++) { f(i, j); } }';
    expect(lines(expand(text, { constants: { N: 2 } }))).toEqual([
      'f(0u, 0u);',
      'f(0u, 1u);',
      'f(1u, 0u);',
      'f(1u, 1u);',
    ]);
  });

  it('leaves a plain loop where its flag is not set', () => {
    const text = loop('N', '(FEW)');
    expect(expand(text, { flags: { FEW: false }, constants: { N: 2 } })).toBe(
      'for (var i = 0u; i < N; i++) { a[i] += b.i[i]; }',
    );
    expect(lines(expand(text, { flags: { FEW: true }, constants: { N: 2 } }))).toHaveLength(2);
  });

  it('refuses a loop it cannot count, an unknown bound and a block that is not closed', () => {
    expect(() => expand('@unroll for (var i = 1u; i < 4u; i++) { }', {})).toThrow('no such loop');
    expect(() => expand(loop('N'), {})).toThrow('the constant N is not given');
    expect(() => expand('@unroll for (var i = 0u; i < 2u; i++) { {', {})).toThrow('is not closed');
  });
});

it('names stand for others before anything else, so that they may hold loops', () => {
  const text = 'LOAD;\nLOADED = 1;';
  const names = { LOAD: '@unroll for (var i = 0u; i < 2u; i++) { x[i] = 0; }' };
  expect(lines(expand(text, { names }))).toEqual(['x[0u] = 0;', 'x[1u] = 0;;', 'LOADED = 1;']);
});

it('minified loops unroll as well', () => {
  expect(expand('@unroll for(var i = 0u;i < N;i++){x[i]= 1;}', { constants: { N: 1 } })).toBe(
    'x[0u]= 1;',
  );
});

it('literals are finite f32 numbers of WGSL', () => {
  expect([1, 0.1, -1e-7, Infinity, -Infinity].map(literal)).toEqual([
    '1.0',
    '0.10000000149011612',
    '-1.0000000116860974e-7',
    '3.4028234663852886e+38',
    '-3.4028234663852886e+38',
  ]);
});
