// Makes `virtual:wasm-kernels` the compiled kernels of src/wasm/assembly, as text that a module can hold.
import { buildWasm } from './build-wasm.mjs';

const NAME = 'virtual:wasm-kernels';

/**
 * The Vite plugin, for builds, development and tests. It compiles once for each state of the sources.
 *
 * @returns {import('vite').Plugin}
 */
export function wasmKernels() {
  return {
    name: 'wasm-kernels',
    resolveId: (id) => (id === NAME ? `\0${NAME}` : undefined),
    async load(id) {
      if (id !== `\0${NAME}`) return undefined;
      return `export const kernels = '${await buildWasm()}';`;
    },
  };
}
