// Build step: shortens every template tagged `wgsl`. See minify-wgsl.ts for what may change.
import { readFileSync } from 'node:fs';
import MagicString from 'magic-string';
import { type Plugin, Visitor, parseAst } from 'vite';
import { minifyWgsl } from './minify-wgsl.ts';

/** The Vite plugin; only for builds, so that errors in development show WGSL as it was written. */
export function minifyWgslTemplates(): Plugin {
  return {
    name: 'minify-wgsl-templates',
    enforce: 'pre', // before TypeScript goes, so that source maps stay exact
    apply: 'build',
    transform: {
      filter: { id: /\.ts$/, code: 'wgsl`' },
      handler(code) {
        const edited = new MagicString(code);
        new Visitor({
          TaggedTemplateExpression({ tag, quasi }) {
            if (tag.type !== 'Identifier' || tag.name !== 'wgsl') return;
            const short = minifyWgsl(quasi.quasis.map(({ value }) => value.raw));
            for (const [i, { start, end, tail, value }] of quasi.quasis.entries()) {
              const text = short[i] ?? value.raw;
              const stop = end - (tail ? 1 : 2); // the range includes ` or }, and ` or ${
              if (text !== value.raw) edited.update(start + 1, stop, text);
            }
          },
        }).visit(parseAst(code, { lang: 'ts' }));
        return { code: edited.toString(), map: edited.generateMap({ hires: true }) };
      },
    },
  };
}

/** Shortens `.wgsl` files that are imported as text, `import text from './step.wgsl?raw'`. */
export function minifyWgslFiles(): Plugin {
  return {
    name: 'minify-wgsl-files',
    enforce: 'pre',
    apply: 'build',
    load: {
      filter: { id: /\.wgsl\?raw$/ },
      handler(id) {
        const [text] = minifyWgsl([readFileSync(id.slice(0, -'?raw'.length), 'utf8')]);
        return `export default ${JSON.stringify(text)}`;
      },
    },
  };
}
