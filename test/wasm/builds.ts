// The kernels that this engine runs: the builds of WebAssembly, and the plain ones. Import this before anything
// compiles one.
import { setFlagsFromString } from 'node:v8';
import { kernels } from 'virtual:wasm-kernels';
import type { Kernels } from '../../src/wasm/kernels.ts';
import { compileKernels, instantiate } from '../../src/wasm/module.ts';
import type { Build } from '../../src/wasm/unfuse.ts';
import { plainKernels } from '../../src/wasm/plain/index.ts';

const isValid = (): boolean =>
  WebAssembly.validate(Uint8Array.from(atob(kernels), (letter) => letter.charCodeAt(0)));

// V8 has it without a flag from version 11.4 on, Node from 22 on: https://chromestatus.com/feature/4807208320565248
if (!isValid()) setFlagsFromString('--experimental-wasm-relaxed-simd');

/** Both, wherever V8 has relaxed SIMD. */
export const BUILDS: readonly Build[] = isValid() ? ['simd128', 'relaxed-simd'] : ['simd128'];

/** Makes kernels of each kind, by name. */
export const KERNELS: readonly (readonly [name: string, make: () => Promise<Kernels>])[] = [
  ...BUILDS.map((build) => {
    const make = async (): Promise<Kernels> => instantiate(await compileKernels(build));
    return [`the ${build} build`, make] as const;
  }),
  ['plain TypeScript', async () => plainKernels()],
];
