// How models of TensorFlow.js are recognised and read.
import { latin1, type Detected, type Format } from '../format.ts';

/** Bytes of the largest model.json: topologies and manifests of real models have some 10^6. */
const MAX_JSON = 2 ** 28;

/** Letters of other JSON that are worth a look for what it is. */
const MAX_PARSED = 2 ** 20;

function detect(bytes: Uint8Array): Detected {
  const text = latin1(bytes.subarray(0, 64))
    .replace(/^\u00ef\u00bb\u00bf/, '')
    .trimStart();
  if (!text.startsWith('{') && !text.startsWith('[')) return 'no';
  if (bytes.length > MAX_JSON) return { not: `JSON of more than ${MAX_JSON} bytes` };
  const whole = new TextDecoder().decode(bytes);
  // Not parsed here, for it may be large: the importer has limits.
  if (/"(modelTopology|weightsManifest)"\s*:/.test(whole)) return 'certain';
  if (whole.length > MAX_PARSED) return { not: 'JSON that is no model' };
  let json: unknown;
  try {
    json = JSON.parse(whole);
  } catch (error) {
    return { not: `damaged JSON (${error instanceof Error ? error.message : String(error)})` };
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    return { not: 'JSON that is no model' };
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
  companions: async (bytes, { limits }) => {
    const { weightFiles } = await import('./manifest-paths.ts');
    return weightFiles(bytes, limits);
  },
  read: async (files, _main, { limits }) => {
    const { importTfjs } = await import('./index.ts');
    return importTfjs(files, { limits });
  },
};
