// The loop of a generation: reads the prompt, then lets the device choose tokens, several at a time where a GPU
// computes.
import { checkOptions } from '../backends/check-options.ts';
import { checkSignal } from '../backends/abort.ts';
import type { GenerateOptions } from './types.ts';
import type { Model } from '../model.ts';
import { readMaxSteps, readPrompt, readSampling, readStops } from './options.ts';
import { invalidOption, readTokensPerSubmit } from './options.ts';
import { programsOf } from './cache.ts';
import { Rows, type RowToken } from './rows.ts';
import { Steps } from './steps.ts';

const OPTIONS: Record<keyof GenerateOptions, true> = {
  prompt: true,
  temperature: true,
  topK: true,
  topP: true,
  repetitionPenalty: true,
  seed: true,
  stop: true,
  maxSteps: true,
  logProbs: true,
  signal: true,
  tokens: true,
  logits: true,
  scores: true,
  feeds: true,
  stream: true,
  tokensPerSubmit: true,
};

/** See `generate` of ../generate.ts. */
export async function* generateItems(
  model: Model,
  options: GenerateOptions,
): AsyncGenerator<unknown, void, undefined> {
  checkOptions(options, OPTIONS);
  const { rows: prompts, isBatch } = readPrompt(options.prompt);
  const { logProbs = false } = options;
  if (typeof logProbs !== 'boolean') throw invalidOption('logProbs', logProbs, 'true or false');
  const shown = (found: RowToken): unknown => {
    if (found === undefined || found.isStop) return undefined;
    const { token, logProb } = found;
    return logProbs ? { token, logProb } : token;
  };
  for await (const row of generateRows(model, prompts, options)) {
    const tokens = row.map(shown);
    if (tokens.every((token) => token === undefined)) continue; // the last rows have ended
    yield isBatch ? tokens : tokens[0];
  }
}

/**
 * A list for each step: the token of each row, undefined where a row has none.
 *
 * @param places which random numbers each row has; those of its place among the prompts when left out
 */
export async function* generateRows(
  model: Model,
  prompts: readonly (readonly number[])[],
  options: Omit<GenerateOptions, 'prompt'>,
  places = [...prompts.keys()],
): AsyncGenerator<readonly RowToken[], void, undefined> {
  const sampling = readSampling(options);
  const stops = readStops(options.stop);
  const maxSteps = readMaxSteps(options.maxSteps);
  const perSubmit = readTokensPerSubmit(options.tokensPerSubmit);
  const { signal, feeds = {}, scores } = options;
  if (scores !== undefined && scores !== 'logits' && scores !== 'probabilities') {
    throw invalidOption('scores', scores, `'logits' or 'probabilities'`);
  }
  checkSignal(signal);
  const rows = new Rows(prompts, { stops, maxSteps, seed: sampling.seed }, places);
  const programs = await programsOf(model, {
    batch: prompts.length,
    parts: {
      greedy: sampling.greedy,
      topK: sampling.topK,
      topP: sampling.topP < 1,
      penalty: sampling.penalty !== 1,
      logProbs: options.logProbs === true,
    },
    forces: rows.isRagged,
    tokens: options.tokens,
    logits: options.logits,
    scores,
    stream: options.stream ?? {},
    feeds,
  });
  const steps = new Steps(programs, { owner: model, rows, prompts, sampling, feeds, signal });
  try {
    // A CPU has no read-back to save, and gives each token when it is there.
    const limit = steps.canBatch ? perSubmit : 1;
    let pending = steps.first();
    for (let size = 1; ; size = Math.min(size * 2, limit)) {
      const made: (readonly RowToken[])[] = [];
      for (const { tokens, logProbs } of await pending) {
        if (rows.ended) break; // what a GPU has computed beyond the end
        const row = rows.take(tokens, logProbs);
        if (row) made.push(row);
      }
      const next = (): ReturnType<Steps['advance']> | undefined =>
        rows.ended || rows.left <= 0 ? undefined : steps.advance(Math.min(size, rows.left));
      // The device computes the next tokens while the caller looks at these.
      const ahead = steps.canBatch ? next() : undefined;
      ahead?.catch(() => undefined); // the caller may never ask for them
      yield* made;
      const following = steps.canBatch ? ahead : next();
      if (!following) return;
      pending = following;
    }
  } finally {
    steps.dispose();
  }
}
