// The compiled kernels of the CPU in the global scope of audio worklets, which has no `atob`, and where a module may be
// compiled at once.
import { kernels } from 'virtual:wasm-kernels';
import { RnnError } from '../errors.ts';
import type { Compiled } from '../wasm/module.ts';
import { bestBuild } from '../wasm/unfuse.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Bytes of base64 text. */
export function bytesOfBase64(text: string): Uint8Array<ArrayBuffer> {
  const letters = text.replace(/=+$/, '');
  const bytes = new Uint8Array(Math.floor((letters.length * 3) / 4));
  let [bits, count, at] = [0, 0, 0];
  for (const letter of letters) {
    bits = (bits << 6) | ALPHABET.indexOf(letter);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes[at++] = bits >> count;
    bits &= (1 << count) - 1;
  }
  return bytes;
}

/**
 * The best build of the kernels that this engine accepts, compiled in the calling thread.
 *
 * @throws RnnError `UNSUPPORTED_FEATURE` where there is no WebAssembly with SIMD
 */
export function compileKernelsAtOnce(): Compiled {
  try {
    const { build, bytes } = bestBuild(bytesOfBase64(kernels));
    return { build, module: new WebAssembly.Module(bytes) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const what = `WebAssembly with SIMD, got an engine or a content security policy that refuses it: ${why}`;
    throw new RnnError('UNSUPPORTED_FEATURE', 'options.device', what, { cause: error });
  }
}
