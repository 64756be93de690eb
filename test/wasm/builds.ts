// The builds of the kernels that this engine runs. Import this before anything compiles one.
import { setFlagsFromString } from 'node:v8';
import { relaxed } from 'virtual:wasm-kernels';
import type { Build } from '../../src/wasm/module.ts';

const isValid = (): boolean =>
  WebAssembly.validate(Uint8Array.from(atob(relaxed), (letter) => letter.charCodeAt(0)));

// V8 has it without a flag from version 11.4 on, Node from 22 on: https://chromestatus.com/feature/4807208320565248
if (!isValid()) setFlagsFromString('--experimental-wasm-relaxed-simd');

/** Both, wherever V8 has relaxed SIMD. */
export const BUILDS: readonly Build[] = isValid() ? ['simd128', 'relaxed-simd'] : ['simd128'];
