// How safetensors files are recognised and read: weights of PyTorch, and models that `saveModel` wrote.
import type { Detected, Format } from '../format.ts';

/** An unsigned 64-bit length, then that much JSON. */
function detect(bytes: Uint8Array): Detected {
  if (bytes.length < 10 || bytes[8] !== 0x7b) return 'no';
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  const fits = view.getUint32(4, true) === 0 && view.getUint32(0, true) <= bytes.length - 8;
  return fits ? 'certain' : 'no';
}

/** Weights of PyTorch: one safetensors file, or several that belong together. Or a model that was saved here. */
export const SAFETENSORS: Format<'safetensors'> = {
  name: 'safetensors',
  describe: 'safetensors of PyTorch',
  extension: /\.safetensors$/i,
  takesArchitecture: true,
  detect,
  companions: () => Promise.resolve([]),
  read: async (files, main, { architecture, cells, limits }) => {
    const { readSavedModel } = await import('../saved-model.ts');
    const saved = readSavedModel(files.get(main)!, { architecture, cells, limits });
    if (saved) return saved;
    const { importPytorch } = await import('./index.ts');
    return importPytorch(files, { architecture, limits });
  },
};
