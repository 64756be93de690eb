// The bookkeeping of beam search for one source: which hypotheses go on, which have ended.
import { RnnError } from '../errors.ts';
import { lengthPenaltyOf, type DecodedSequence } from './decoding.ts';

/** A sequence that has not ended. */
export interface Hypothesis {
  readonly tokens: readonly number[];
  readonly logProb: number;
  /** Which hypothesis of the step before it continues. */
  readonly parent: number;
}

/** What a search is about. */
export interface BeamSettings {
  readonly beams: number;
  readonly lengthPenalty: number;
  readonly maxSteps: number;
  readonly stops: ReadonlySet<number>;
}

type Ended = Omit<DecodedSequence, 'others'>;

/** The best continuations of one hypothesis, best first. */
export interface Continuations {
  readonly tokens: readonly number[];
  readonly logProbs: readonly number[];
}

/** See the top of the file. */
export class Hypotheses {
  readonly #settings: BeamSettings;
  #live: readonly Hypothesis[] = [{ tokens: [], logProb: 0, parent: 0 }];
  #ended: Ended[] = [];
  #steps = 0;

  constructor(settings: BeamSettings) {
    this.#settings = settings;
  }

  /** Those that go on, best first; none when the search is over. */
  get live(): readonly Hypothesis[] {
    return this.#live;
  }

  #end(tokens: readonly number[], logProb: number, length: number): void {
    const score = logProb / lengthPenaltyOf(length, this.#settings.lengthPenalty);
    this.#ended.push({ tokens, logProb, score });
  }

  /**
   * One step: goes through all continuations of all hypotheses by log P, ends those that stop, and follows the first
   * `beams` others. What comes after them is dropped.
   *
   * @param continuations of each live hypothesis
   * @throws RnnError `INVALID_MODEL` for scores that are NaN
   */
  step(continuations: readonly Continuations[]): void {
    const { beams, stops, maxSteps, lengthPenalty } = this.#settings;
    const length = ++this.#steps;
    const all = continuations.flatMap(({ tokens, logProbs }, parent) =>
      logProbs.map((logProb, rank) => ({
        parent,
        token: tokens[rank]!,
        logProb: this.#live[parent]!.logProb + logProb,
      })),
    );
    if (all.some(({ logProb }) => Number.isNaN(logProb))) {
      const what = `scores at step ${length - 1}, got NaN, expected numbers`;
      throw new RnnError('INVALID_MODEL', 'outputs', what);
    }
    const live: Hypothesis[] = [];
    for (const { parent, token, logProb } of all.toSorted((p, q) => q.logProb - p.logProb)) {
      if (live.length === beams) break;
      if (logProb === -Infinity) break; // the model rules it out
      const { tokens } = this.#live[parent]!;
      if (stops.has(token)) this.#end(tokens, logProb, length);
      else live.push({ tokens: [...tokens, token], logProb, parent });
    }
    if (length === maxSteps) {
      for (const { tokens, logProb } of live) this.#end(tokens, logProb, length);
      live.length = 0;
    }
    this.#ended = this.#ended.toSorted((p, q) => q.score - p.score).slice(0, beams);
    const [best] = live;
    // log P only falls, and the penalty is largest at the end: no score can be better than this.
    const bound = (best?.logProb ?? -Infinity) / lengthPenaltyOf(maxSteps, lengthPenalty);
    const isOver = this.#ended.length === beams && bound <= this.#ended.at(-1)!.score;
    this.#live = isOver ? [] : live;
  }

  /** The best sequence, with the others. @throws RnnError `INVALID_MODEL` where all were ruled out */
  result(): DecodedSequence {
    const [best, ...others] = this.#ended;
    if (best) return { ...best, others };
    throw new RnnError('INVALID_MODEL', 'outputs', 'scores, got nothing but -∞, expected numbers');
  }
}
