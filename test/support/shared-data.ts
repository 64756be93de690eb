// Other engines' models and outputs, in an optional folder next to the project's: tests that use it are
// skipped without it.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { requires } from './requires.ts';

const ROOT = new URL('../../../shared/data/', import.meta.url);

/** Whether the folder is there. */
export const hasSharedData = existsSync(ROOT);

/** Options of a test or group that reads the folder. */
export const needsSharedData = requires(hasSharedData, '../shared/data is not there');

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
