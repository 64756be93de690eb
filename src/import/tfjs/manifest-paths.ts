// The files that the manifest of a TF.js model lists.
import { RnnError } from '../../errors.ts';
import { staysInFolder } from '../companion-name.ts';
import { parseJson } from '../keras/layers/index.ts';
import { Budget, importLimits, type ImportLimits } from '../limits.ts';

/** Refuses a path of a manifest that leads out of the folder of the model. */
export function checkPath(path: string, where: string): void {
  if (staysInFolder(path)) return;
  const what = `got ${JSON.stringify(path)}, expected a relative path that stays in the folder of the model`;
  throw new RnnError('INVALID_MODEL', where, what);
}

/**
 * Every path of `weightsManifest`; none where the manifest is damaged, which the importer reports.
 *
 * @throws RnnError `INVALID_MODEL` for a path that leads out of the folder of the model,
 *   `LIMIT_EXCEEDED` for JSON beyond `limits`
 */
export function weightFiles(bytes: Uint8Array, limits?: Partial<ImportLimits>): readonly string[] {
  const budget = new Budget(importLimits(limits), bytes.length);
  let json: unknown;
  try {
    json = parseJson(new TextDecoder().decode(bytes), budget, 'model.json');
  } catch (error) {
    if (error instanceof RnnError && error.code === 'INVALID_MODEL') return [];
    throw error;
  }
  const manifest = (json as { weightsManifest?: unknown } | null)?.weightsManifest;
  if (!Array.isArray(manifest)) return [];
  return manifest.flatMap((group: { paths?: unknown } | null, g) => {
    const paths = Array.isArray(group?.paths) ? group.paths : [];
    return paths.filter((path, i): path is string => {
      if (typeof path === 'string') checkPath(path, `weightsManifest[${g}].paths[${i}]`);
      return typeof path === 'string';
    });
  });
}
