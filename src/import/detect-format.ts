// Finds out what a file is from its first bytes, and from its name only where they do not tell.
import { RnnError } from '../errors.ts';

/** Formats that models come in. */
export type ModelFormat = 'onnx' | 'tfjs' | 'keras' | 'safetensors';

/** What a file seems to be: a model of some format, a part of one, or nothing that can be read. */
export type Sniffed =
  | { readonly kind: ModelFormat }
  | { readonly kind: 'unknown' }
  /** Something else; `what` completes "got …". */
  | { readonly kind: 'other'; readonly what: string };

const startsWith = (bytes: Uint8Array, ...prefix: readonly number[]): boolean =>
  prefix.every((byte, i) => bytes[i] === byte);

const latin = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');

const other = (what: string): Sniffed => ({ kind: 'other', what });

/** Says what a file is. */
export function sniff(name: string, bytes: Uint8Array): Sniffed {
  if (bytes.length === 0) return other('an empty file');
  // First, for its own first byte is any: that of a header of 640 bytes is that of a pickle.
  if (isSafetensors(bytes)) return { kind: 'safetensors' };
  const head = latin(bytes.subarray(0, 512));
  if (startsWith(bytes, 0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a)) return { kind: 'keras' };
  if (startsWith(bytes, 0x50, 0x4b, 0x03, 0x04)) return sniffZip(bytes);
  if (startsWith(bytes, 0x1f, 0x8b)) return other('a gzip file: unpack it first');
  if (bytes[0] === 0x80 && bytes[1]! >= 2 && bytes[1]! <= 5) {
    return other('a Python pickle, which could run code: save safetensors or ONNX instead');
  }
  if (head.slice(4, 8) === 'TFL3') return other('a TensorFlow Lite model');
  if (head.startsWith('version https://git-lfs')) {
    return other('a Git LFS pointer in place of the file: fetch the file itself');
  }
  const text = head.replace(/^\u00ef\u00bb\u00bf/, '').trimStart();
  if (/^<(!doctype|html|\?xml|head|body|!--)/i.test(text)) {
    return other('an HTML page: is the address right?');
  }
  if (text.startsWith('{') || text.startsWith('[')) return sniffJson(bytes);
  if (/\.safetensors$/i.test(name)) return { kind: 'safetensors' };
  if (isOnnx(bytes) || /\.onnx$/i.test(name)) return { kind: 'onnx' };
  return { kind: 'unknown' };
}

// A ModelProto begins with ir_version, field 1, and has only these fields beside it.
const MODEL_FIELDS: ReadonlySet<number> = new Set([2, 3, 4, 5, 6, 7, 8, 14, 20, 25]);

function isOnnx(bytes: Uint8Array): boolean {
  const [tag, version = 0, low = 0, high = 0] = bytes;
  if (tag !== 0x08 || version === 0 || version > 0x7f) return false;
  // The number of the next field, in one byte of seven bits or in two.
  return MODEL_FIELDS.has((low < 0x80 ? low : (low & 0x7f) | (high << 7)) >> 3);
}

/** An unsigned 64-bit length, then that much JSON. */
function isSafetensors(bytes: Uint8Array): boolean {
  if (bytes.length < 10 || bytes[8] !== 0x7b) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  return view.getUint32(4, true) === 0 && view.getUint32(0, true) <= bytes.length - 8;
}

function sniffZip(bytes: Uint8Array): Sniffed {
  // The names of the entries are in the directory at the end.
  const directory = latin(bytes.subarray(-65_536));
  if (directory.includes('data.pkl')) {
    return other('a PyTorch checkpoint, whose pickle could run code: save safetensors or ONNX');
  }
  return directory.includes('config.json')
    ? { kind: 'keras' }
    : other('a zip file without a model');
}

function sniffJson(bytes: Uint8Array): Sniffed {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    return other(`damaged JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    return other('JSON that is no model');
  }
  if (Object.hasOwn(json, 'modelTopology') || Object.hasOwn(json, 'weightsManifest')) {
    return { kind: 'tfjs' };
  }
  const keys = Object.keys(json).slice(0, 5).join(', ');
  return other(`JSON that is no model (keys ${keys || 'none'}, no modelTopology)`);
}

/** The error for a file that is no model. */
export function notAModel(name: string, what: string): RnnError {
  return new RnnError('INVALID_MODEL', name, `got ${what}, expected a model (${FORMATS})`);
}

/** The formats that are read, for messages. */
export const FORMATS =
  'an ONNX file, a .keras or .h5 file of Keras, model.json of TensorFlow.js with its weights, ' +
  'or safetensors of PyTorch';
