// How ONNX files are recognised and read.
import type { Detected, Format } from '../format.ts';
import { isOwned } from '../owned-bytes.ts';

// The other fields of a ModelProto, which may follow its first.
const MODEL_FIELDS: ReadonlySet<number> = new Set([2, 3, 4, 5, 6, 7, 8, 14, 20, 25]);

/** A ModelProto has no signature. It begins with ir_version, field 1. */
function detect(bytes: Uint8Array): Detected {
  const [tag, version = 0, low = 0, high = 0] = bytes;
  if (tag !== 0x08 || version === 0 || version > 0x7f) return 'no';
  // The number of the next field, in one byte of seven bits or in two.
  const field = (low < 0x80 ? low : (low & 0x7f) | (high << 7)) >> 3;
  return MODEL_FIELDS.has(field) ? 'possible' : 'no';
}

/** ONNX: one protobuf file, and files with external data. */
export const ONNX: Format<'onnx'> = {
  name: 'onnx',
  describe: 'an ONNX file',
  extension: /\.onnx$/i,
  detect,
  companions: async (bytes, { limits }) => {
    const { externalFiles } = await import('./index.ts');
    return externalFiles(bytes, { limits });
  },
  read: async (files, main, { limits }) => {
    const { importOnnx } = await import('./index.ts');
    const external = new Map([...files].filter(([name]) => name !== main));
    const bytes = files.get(main)!;
    return importOnnx(bytes, { limits, external, owned: isOwned(bytes) });
  },
};
