// The kernels in WebAssembly: the best build that this engine accepts, compiled once for all models.
import { kernels } from 'virtual:wasm-kernels';
import type { Kernels } from './kernels.ts';
import { bestBuild, type Build } from './unfuse.ts';

/** A module and the instruction set that it uses. */
export interface Compiled {
  readonly build: Build;
  readonly module: WebAssembly.Module;
}

const bytesOf = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

const compiled = new Map<Build | undefined, Promise<Compiled>>();

async function compile(only: Build | undefined): Promise<Compiled> {
  const { build, bytes } = bestBuild(bytesOf(kernels), only);
  return { build, module: await WebAssembly.compile(bytes) };
}

/**
 * The compiled kernels.
 *
 * @param only the build to insist on, for tests
 * @throws Error where there is no WebAssembly, or a content security policy forbids it
 */
export function compileKernels(only?: Build): Promise<Compiled> {
  let found = compiled.get(only);
  if (!found) compiled.set(only, (found = compile(only)));
  return found;
}

/** A new instance, with a memory of its own. */
export function instantiate({ module }: Compiled): Kernels {
  const { sin, cos, pow } = Math;
  const instance = new WebAssembly.Instance(module, { math: { sin, cos, pow } });
  return instance.exports as unknown as Kernels;
}
