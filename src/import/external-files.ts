// The files beside a model that hold its weights.
import type { ImportLimits } from './limits.ts';
import { sniff } from './detect-format.ts';

/** What a TF.js `model.json` lists in its manifest. */
function manifestOf(bytes: Uint8Array): readonly string[] {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return []; // the importer says what is wrong with it
  }
  const manifest = (json as { weightsManifest?: unknown } | null)?.weightsManifest;
  if (!Array.isArray(manifest)) return [];
  return manifest.flatMap((group: { paths?: unknown } | null) =>
    Array.isArray(group?.paths) ? group.paths.filter((path) => typeof path === 'string') : [],
  );
}

/**
 * Files that a model refers to and that have to be brought along, by the names it calls them: the
 * shards of a TF.js model, the external data of an ONNX one.
 */
export async function externalFilesOf(
  name: string,
  bytes: Uint8Array,
  { format, limits }: { format?: string; limits?: Partial<ImportLimits> | undefined } = {},
): Promise<readonly string[]> {
  const kind = format ?? sniff(name, bytes).kind;
  if (kind === 'tfjs') return manifestOf(bytes);
  if (kind !== 'onnx') return [];
  const { externalFiles } = await import('./onnx/index.ts');
  return externalFiles(bytes, { limits });
}
