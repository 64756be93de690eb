import { describe, expect, test } from 'vitest';
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { minifyWgsl } from '../../scripts/minify-wgsl.ts';

/** The tokens of WGSL text: what may not change. */
const tokens = (text: string) =>
  text.replaceAll(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g, ' ').match(/\w+|[^\s\w]/g) ?? [];

/** A tag that gives the template as written and as the build writes it. */
function both(strings: TemplateStringsArray, ...values: unknown[]): [string, string] {
  const short = minifyWgsl(strings.raw);
  expect(short).toHaveLength(strings.raw.length);
  const cooked = Object.assign([...short], { raw: short }) as unknown as TemplateStringsArray;
  return [wgsl(strings, ...values), wgsl(cooked, ...values)];
}

describe('minifyWgsl', () => {
  test('keeps every token and drops comments, indentation and blank lines', () => {
    const [before, after] = both`
      // A comment, with { and ; in it.
      fn f(a : vec4<f32>, b: f32) -> f32 {  /* block */

        var x : array<f32, ${4}> = array<f32, 4>( a.x , a.y, b - -b, 1.0 );
        /* two
           lines */ return x[0] >= ${'b'} ;
      }
    `;
    expect(tokens(after)).toEqual(tokens(before));
    expect(after).not.toMatch(/comment|block|lines|\n\n|^ +\S/m);
    expect(after).toContain('fn f(a:vec4<f32>,b:f32)-> f32{');
  });

  test.each([true, false])('keeps directives on lines of their own (%s)', (bias) => {
    const [before, after] = both`
      let a = 1; // before
      #if ${bias}
        let b = ${2}u; // inside
      #elif ${!bias}
        let c = 3;
      #else
        let d = 4;
      #endif
      let e = 5;`;
    expect(tokens(after)).toEqual(tokens(before));
    expect(tokens(after)).toContain(bias ? 'b' : 'c');
  });

  test('keeps the line end after a value that ends in a comment', () => {
    const [, after] = both`
      ${'let a = 1; // from another template'}
      let b = 2;
    `;
    expect(after).toMatch(/template\nlet b/);
  });

  test('keeps a comment that holds a value, for the number of values must stay', () => {
    const [before, after] = both`
      // about ${'x'} and /* more
      let a = 1;
      /* and ${'y'} */ let b = 2;
    `;
    expect(tokens(after)).toEqual(tokens(before));
  });

  test('keeps a space where a template may continue a line', () => {
    expect(minifyWgsl(['  return  a  '])).toEqual([' return a ']);
  });

  test('leaves nested block comments whole', () => {
    const [before, after] = both`/* a /* b */ c */ let x = 1;`;
    expect(after).toBe(before);
  });
});
