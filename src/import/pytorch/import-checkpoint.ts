// Turns files of torch.save into a graph, as those of safetensors are. A chunk of its own: who reads
// safetensors does not download what reads pickles.
import type { Graph } from '../../graph.ts';
import { checkArchitecture } from './check.ts';
import { readCheckpoint } from './checkpoint.ts';
import { importStateDict, partsOf, type PyTorchOptions, type StateDictFile } from './index.ts';

/**
 * Turns a state_dict that `torch.save` wrote into a graph.
 *
 * @param files one file, or all parts of a model that was saved in several
 * @throws RnnError as {@link readCheckpoint} does, and as `importPytorch` for safetensors
 */
export async function importCheckpoint(
  files: ReadonlyMap<string, Uint8Array>,
  { architecture = {}, limits }: PyTorchOptions = {},
): Promise<Graph> {
  checkArchitecture(architecture);
  const { stateDict } = architecture;
  const parts: StateDictFile[] = [];
  for (const [file, bytes] of partsOf(files)) {
    parts.push([file, await readCheckpoint(bytes, file, { stateDict, limits })]);
  }
  return importStateDict(parts, architecture);
}
