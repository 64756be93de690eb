import { describe, expect, test } from 'vitest';
import { minifyWgsl } from '../../scripts/minify-wgsl.ts';
import { expand } from '../../shaders/wgsl.ts';

/** The tokens of WGSL text: what may not change. */
const tokens = (text: string) =>
  text.replaceAll(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g, ' ').match(/\w+|[^\s\w]/g) ?? [];

describe('minifyWgsl', () => {
  test('preserves every token and drops comments, indentation and blank lines', () => {
    const text = `
      // A comment, with { and ; in it.
      fn f(a : vec4<f32>, b: f32) -> f32 {  /* block */

        var x : array<f32, 4> = array<f32, 4>( a.x , a.y, b - -b, 1.0 );
        /* two
           lines */ return x[0] >= b ;
      }
    `;
    const short = minifyWgsl(text);
    expect(tokens(short)).toEqual(tokens(text));
    expect(short).not.toMatch(/comment|block|lines|\n\n|^ +\S/m);
    expect(short).toContain('fn f(a:vec4<f32>,b:f32)-> f32{');
  });

  test.each([true, false])('preserves directives on lines of their own (%s)', (BIAS) => {
    const text = `
      let a = 1; // before
      #if BIAS
        let b = 2u; // inside
      #elif !BIAS
        let c = 3;
      #else
        let d = 4;
      #endif
      let e = 5;`;
    const flags = { BIAS };
    const after = tokens(expand(minifyWgsl(text), { flags }));
    expect(after).toEqual(tokens(expand(text, { flags })));
    expect(after).toContain(BIAS ? 'b' : 'c');
  });

  test('preserves nested block comments', () => {
    const text = '/* a /* b */ c */ let x = 1;';
    expect(minifyWgsl(text)).toBe(text);
  });
});
