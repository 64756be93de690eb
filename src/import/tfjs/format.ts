// How models of TensorFlow.js are recognised and read.
import { latin1, type Detected, type Format } from '../format.ts';

function detect(bytes: Uint8Array): Detected {
  const text = latin1(bytes.subarray(0, 64))
    .replace(/^\u00ef\u00bb\u00bf/, '')
    .trimStart();
  if (!text.startsWith('{') && !text.startsWith('[')) return 'no';
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    return { not: `damaged JSON (${error instanceof Error ? error.message : String(error)})` };
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    return { not: 'JSON that is no model' };
  }
  if (Object.hasOwn(json, 'modelTopology') || Object.hasOwn(json, 'weightsManifest')) {
    return 'certain';
  }
  const keys = Object.keys(json).slice(0, 5).join(', ');
  return { not: `JSON that is no model (keys ${keys || 'none'}, no modelTopology)` };
}

/** TensorFlow.js: `model.json`, and the weight files of its manifest. */
export const TFJS: Format<'tfjs'> = {
  name: 'tfjs',
  describe: 'model.json of TensorFlow.js with its weights',
  extension: /(^|\/)model\.json$/i,
  detect,
  companions: async (bytes) => {
    const { weightFiles } = await import('./manifest-paths.ts');
    return weightFiles(bytes);
  },
  read: async (files, _main, { limits }) => {
    const { importTfjs } = await import('./index.ts');
    return importTfjs(files, { limits });
  },
};
