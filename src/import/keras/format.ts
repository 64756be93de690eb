// How files of Keras are recognised and read.
import { latin1, startsWith, type Detected, type Format } from '../format.ts';

function detect(bytes: Uint8Array): Detected {
  if (startsWith(bytes, 0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a)) return 'certain'; // HDF5
  if (!startsWith(bytes, 0x50, 0x4b, 0x03, 0x04)) return 'no';
  // A zip archive. The names of its entries are in the directory at its end.
  const directory = latin1(bytes.subarray(-65_536));
  if (directory.includes('data.pkl')) {
    return { not: 'a PyTorch checkpoint, whose pickle could run code: save safetensors or ONNX' };
  }
  return directory.includes('config.json') ? 'certain' : { not: 'a zip file without a model' };
}

/** Keras: one file, a zip archive or HDF5. */
export const KERAS: Format<'keras'> = {
  name: 'keras',
  describe: 'a .keras or .h5 file of Keras',
  extension: /\.(keras|h5|hdf5)$/i,
  detect,
  companions: () => Promise.resolve([]),
  read: async (files, main, { limits }) => {
    const { importKeras } = await import('./index.ts');
    return importKeras(files.get(main)!, { limits, name: main });
  },
};
