// Other engines' models and outputs, in a folder beside the project that need not be there: tests
// that use it run when it is.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = new URL('../../../shared/data/', import.meta.url);

/** Whether the folder is there. */
export const hasSharedData = existsSync(ROOT);

/** Path of a file or folder in it. */
export function sharedPath(relative: string): string {
  return fileURLToPath(new URL(relative, ROOT));
}

/** A file's bytes. */
export function sharedBytes(relative: string): Uint8Array {
  return readFileSync(sharedPath(relative));
}

/** A file of raw little-endian float32. */
export function sharedFloats(relative: string): Float32Array {
  const bytes = sharedBytes(relative);
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

/** A JSON file. */
export function sharedJson<T>(relative: string): T {
  return JSON.parse(new TextDecoder().decode(sharedBytes(relative))) as T;
}
