// What a format of model files is to the loader. Each folder of a format has one such record in its
// format.ts; the parser behind it is a chunk of its own, loaded when a file of the format comes.
import type { Cell } from '../cells/index.ts';
import type { Graph } from '../graph.ts';
import type { ImportLimits } from './limits.ts';
import type { PyTorchArchitecture } from './pytorch/architecture.ts';

/** Files of a model by name. */
export type ModelFiles = ReadonlyMap<string, Uint8Array>;

/** How a model is read once its format is known. */
export interface FormatOptions {
  /** What weights mean where the file does not say. */
  readonly architecture?: PyTorchArchitecture | undefined;
  /** Cells of the app that a saved model may have. */
  readonly cells?: readonly Cell[] | undefined;
  /** Caps for files that are not trusted. */
  readonly limits?: Partial<ImportLimits> | undefined;
}

/**
 * What the bytes of a file say of one format: `certain` where a signature or the whole content tells,
 * `possible` where other files may begin so too, `no`, or, where the container is that of the format
 * and the content is not, what it is; `not` completes "got …".
 */
export type Detected = 'certain' | 'possible' | 'no' | { readonly not: string };

/** One format of model files. */
export interface Format<Name extends string = string> {
  /** As `options.format` calls it. */
  readonly name: Name;
  /** Its files in words, for messages. */
  readonly describe: string;
  /** File names that tell the format where the bytes do not. */
  readonly extension: RegExp;
  /** Whether a file without its layers is in this format, so that `options.architecture` applies. */
  readonly takesArchitecture?: true;
  /** Looks at the bytes of a file, which has one at least. Called for every file, so it is cheap. */
  detect(bytes: Uint8Array): Detected;
  /**
   * Names of the other files that a model needs, relative to its own folder, as it calls them.
   *
   * @throws RnnError `INVALID_MODEL` for a name that leads out of the folder
   */
  companions(bytes: Uint8Array, options: FormatOptions): Promise<readonly string[]>;
  /** Reads the model whose main file is `main`. */
  read(files: ModelFiles, main: string, options: FormatOptions): Promise<Graph>;
}

/** Whether the bytes begin with these. */
export const startsWith = (bytes: Uint8Array, ...prefix: readonly number[]): boolean =>
  prefix.every((byte, i) => bytes[i] === byte);

/** Each byte as the character of its number. */
export const latin1 = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');

/** Whether the bytes are a zip archive. */
export const isZip = (bytes: Uint8Array): boolean => startsWith(bytes, 0x50, 0x4b, 3, 4);

/** Whether a zip archive seems to have a file of this name, as its first one or in the directory at its end. */
export const holdsZipEntry = (bytes: Uint8Array, name: string): boolean =>
  isZip(bytes) &&
  [bytes.subarray(0, 512), bytes.subarray(-65_536)].some((part) => latin1(part).includes(name));
