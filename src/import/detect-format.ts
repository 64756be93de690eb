// Finds out what a file is from its bytes, and from its name only where they do not tell.
import { RnnError } from '../errors.ts';
import { isZip, latin1, startsWith, type ModelFiles } from './format.ts';
import { describeFormats, FORMATS, type ModelFormat } from './formats.ts';

/** What a file seems to be: a model of some format, a part of one, or nothing that can be read. */
export type Detection =
  | { readonly kind: 'format'; readonly format: ModelFormat }
  | { readonly kind: 'unknown' }
  /** Something else; `what` completes "got …". */
  | { readonly kind: 'other'; readonly what: string };

/** The main file of a model. */
export interface MainFile {
  readonly name: string;
  readonly format: ModelFormat;
}

/** Says what a file is. */
export function detectFormat(name: string, bytes: Uint8Array): Detection {
  if (bytes.length === 0) return { kind: 'other', what: 'an empty file' };
  const verdicts = FORMATS.map(({ name: format, extension, detect }) => ({
    format,
    extension,
    verdict: detect(bytes),
  }));
  // Before foreign files: the header length of a safetensors file may look like a pickle.
  const certain = verdicts.find(({ verdict }) => verdict === 'certain');
  if (certain) return { kind: 'format', format: certain.format };
  for (const { verdict } of verdicts) {
    if (typeof verdict === 'object') return { kind: 'other', what: verdict.not };
  }
  const what = foreign(bytes);
  if (what !== undefined) return { kind: 'other', what };
  const likely =
    verdicts.find(({ extension }) => extension.test(name)) ??
    verdicts.find(({ verdict }) => verdict === 'possible');
  return likely ? { kind: 'format', format: likely.format } : { kind: 'unknown' };
}

/** What a file of another kind is, where that is known; completes "got …". */
function foreign(bytes: Uint8Array): string | undefined {
  if (isZip(bytes)) return 'a zip file without a model';
  if (startsWith(bytes, 0x1f, 0x8b)) return 'a gzip file: unpack it first';
  if (bytes[0] === 0x80 && bytes[1]! >= 2 && bytes[1]! <= 5) {
    return 'a Python pickle that torch.save did not write, which could run code';
  }
  const head = latin1(bytes.subarray(0, 512));
  if (head.slice(4, 8) === 'TFL3') return 'a TensorFlow Lite model';
  if (head.startsWith('version https://git-lfs')) {
    return 'a Git LFS pointer in place of the file: fetch the file itself';
  }
  const text = head.replace(/^\u00ef\u00bb\u00bf/, '').trimStart();
  if (/^<(!doctype|html|\?xml|head|body|!--)/i.test(text)) {
    return 'an HTML page: is the address right?';
  }
  return undefined;
}

/**
 * Which file is the model, and in which format.
 *
 * @param format the one to insist on
 * @throws RnnError `INVALID_MODEL` where no file is a model, `INVALID_ARGUMENT` where there is none
 */
export function findMainFile(files: ModelFiles, format: ModelFormat | undefined): MainFile {
  if (files.size === 0) throw new RnnError('INVALID_ARGUMENT', 'source', 'got no files');
  const all = [...files].map(([name, bytes]) => ({ name, found: detectFormat(name, bytes) }));
  const wanted = all.flatMap(({ name, found }) =>
    found.kind === 'format' && (format === undefined || found.format === format)
      ? [{ name, format: found.format }]
      : [],
  );
  // Weights next to a model may look like anything; a model is called what it is.
  const main = wanted.find(({ name }) => /\.onnx$|model\.json$/i.test(name)) ?? wanted[0];
  if (main) return main;
  const [only] = all;
  if (all.length === 1 && only) return onlyFile(only.name, only.found, files, format);
  const list = all.map(({ name, found }) =>
    found.kind === 'other' ? `${name} (${found.what})` : name,
  );
  throw new RnnError(
    'INVALID_MODEL',
    'source',
    `no model among ${list.join(', ')}, expected ${describeFormats()}`,
  );
}

/** A single file that is not what was requested, or whose bytes do not tell. */
function onlyFile(
  name: string,
  found: Detection,
  files: ModelFiles,
  format: ModelFormat | undefined,
): MainFile {
  if (found.kind === 'other') throw notAModel(name, found.what);
  if (found.kind === 'format') {
    throw notAModel(name, `a file of format ${found.format} where ${format} was requested`);
  }
  // The bytes do not tell and the caller does: let the importer say what is wrong with them.
  if (format !== undefined) return { name, format };
  throw notAModel(name, `bytes that begin with ${hexOf(files.get(name)!)}`);
}

const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join(' ');

const notAModel = (name: string, what: string): RnnError =>
  new RnnError('INVALID_MODEL', name, `got ${what}, expected a model (${describeFormats()})`);
