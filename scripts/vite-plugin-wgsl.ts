// Build step: shortens the `.wgsl` files. See minify-wgsl.ts for what may change.
import { readFileSync } from 'node:fs';
import type { Plugin } from 'vite';
import { minifyWgsl } from './minify-wgsl.ts';

/**
 * Shortens `.wgsl` files that are imported as text, `import text from './step.wgsl?raw'`. Only in builds, so that
 * errors in development show WGSL as it was written.
 */
export function minifyWgslFiles(): Plugin {
  return {
    name: 'minify-wgsl-files',
    enforce: 'pre',
    apply: 'build',
    load: {
      filter: { id: /\.wgsl\?raw$/ },
      handler(id) {
        const text = minifyWgsl(readFileSync(id.slice(0, -'?raw'.length), 'utf8'));
        return `export default ${JSON.stringify(text)}`;
      },
    },
  };
}
