// How files of Keras are recognised and read.
import { holdsZipEntry, startsWith, type Detected, type Format } from '../format.ts';

function detect(bytes: Uint8Array): Detected {
  if (startsWith(bytes, 0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a)) return 'certain'; // HDF5
  return holdsZipEntry(bytes, 'config.json') ? 'certain' : 'no';
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
    // A file of weights alone comes with what model.to_json() wrote.
    const json = [...files].find(([name]) => /\.json$/i.test(name));
    return importKeras(files.get(main)!, { limits, name: main, json: json?.[1] });
  },
};
