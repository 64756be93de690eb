// Beam search: the device continues all hypotheses of all sources in one step, the host chooses which go on.
import type { Tensors } from '../backends/backend.ts';
import { tensor, type Tensor } from '../tensor.ts';
import type { BeamProgram } from './beam-program.ts';
import type { DecodedSequence } from './decoding.ts';
import { Hypotheses, type BeamSettings } from './hypotheses.ts';
import { tokenTensor } from './locate.ts';

/** Row `row` of numbers [N, k]. */
const rowOf = ({ data, dims }: Tensor, row: number): number[] => {
  const k = dims[1]!;
  return Array.from({ length: k }, (_, i) => Number(data[row * k + i]));
};

/**
 * Searches for the best sequences of some sources.
 *
 * @param feeds of the decoder, at `sources · beams` rows; those of `states` are for the first step
 */
export async function beamSearch(
  program: BeamProgram,
  settings: BeamSettings & { readonly start: number; readonly signal: AbortSignal | undefined },
  feeds: Tensors,
  states: ReadonlySet<string>,
  sources: number,
): Promise<DecodedSequence[]> {
  const { beams, start, signal } = settings;
  const { input, parents: parentsName, logProbs, places } = program;
  const searches = Array.from({ length: sources }, () => new Hypotheses(settings));
  const later = Object.entries(feeds).filter(([name]) => !states.has(name));
  const stream = program.stream.fork();
  try {
    for (let given = feeds; ; given = Object.fromEntries(later)) {
      // A row without a hypothesis repeats the first of its source, and nobody reads what comes of it.
      const rows = searches.flatMap(({ live }, source) =>
        Array.from({ length: beams }, (_, beam) => {
          const { tokens = [], parent = 0 } = live[beam] ?? {};
          return { token: tokens.at(-1) ?? start, parent: source * beams + parent };
        }),
      );
      const tokens = tokenTensor(
        input,
        rows.map(({ token }) => [token]),
      );
      const parents = tensor(
        BigInt64Array.from(rows, ({ parent }) => BigInt(parent)),
        [rows.length],
      );
      const results = await stream.step(
        { ...given, [input.info.name]: tokens, [parentsName]: parents },
        [logProbs, places],
        signal,
      );
      searches.forEach((search, source) => {
        if (search.live.length === 0) return;
        search.step(
          search.live.map((_, beam) => ({
            logProbs: rowOf(results[logProbs]!, source * beams + beam),
            tokens: rowOf(results[places]!, source * beams + beam),
          })),
        );
      });
      if (searches.every(({ live }) => live.length === 0)) break;
    }
    return searches.map((search) => search.result());
  } finally {
    stream.dispose();
  }
}
