// How files of PyTorch are recognised and read: safetensors, which are models of `saveModel` too, and
// what torch.save writes.
import { holdsZipEntry, type Detected, type Format } from '../format.ts';
import { isLegacy } from './signature.ts';

/** An unsigned 64-bit length, then that much JSON. */
function detectSafetensors(bytes: Uint8Array): Detected {
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
  detect: detectSafetensors,
  companions: () => Promise.resolve([]),
  read: async (files, main, { architecture, cells, limits }) => {
    const { readSavedModel } = await import('../saved-model.ts');
    const saved = readSavedModel(files.get(main)!, { architecture, cells, limits });
    if (saved) return saved;
    const { importPytorch } = await import('./index.ts');
    return importPytorch(files, { architecture, limits });
  },
};

/** Weights of PyTorch: one file that torch.save wrote, or several that belong together. */
export const PYTORCH: Format<'pytorch'> = {
  name: 'pytorch',
  describe: 'a state_dict of torch.save',
  extension: /\.(pt|pth)$/i,
  takesArchitecture: true,
  detect: (bytes) => (holdsZipEntry(bytes, 'data.pkl') || isLegacy(bytes) ? 'certain' : 'no'),
  companions: () => Promise.resolve([]),
  read: async (files, _, { architecture, limits }) => {
    const { importCheckpoint } = await import('./import-checkpoint.ts');
    return importCheckpoint(files, { architecture, limits });
  },
};
