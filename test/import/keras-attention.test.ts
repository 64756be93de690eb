// Attention in Keras files, against its formulas in float64.
import { describe, it } from 'vitest';
import { expectClose } from '../support/close.ts';
import { randomOf } from '../support/random.ts';
import { SEED } from '../support/settings.ts';
import { multiply, type Rows } from './keras-formulas.ts';
import { FORMATS, numbersOf, randomSequences } from './keras-models.ts';
import type { BothWeights, LayerJson, ModelJson } from './keras-models.ts';
import { runModel } from './keras-run.ts';
import type { Numbers } from './keras-writer.ts';

const random = randomOf(SEED);
const numbers = numbersOf(random);

const softmax = (row: readonly number[]): number[] => {
  const powers = row.map((x) => Math.exp(x - Math.max(...row)));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
};

const masking = (from: string): LayerJson => ({
  class_name: 'Masking',
  name: `${from}_masked`,
  config: { mask_value: 0 },
  from: [from],
});

/** How much a query looks at a key. */
type Score = (q: readonly number[], k: readonly number[]) => number;

/** Both kinds of attention over one row. */
function attend(
  { query, value, key = value }: { query: Rows; value: Rows; key?: Rows },
  score: Score,
  allows: (t: number, s: number) => boolean,
  counts: (t: number) => boolean,
): Rows {
  const shares = query.map((q, t) =>
    softmax(key.map((k, s) => score(q, k) - (allows(t, s) ? 0 : 1e9))),
  );
  return multiply(shares, value).map((row, t) => (counts(t) ? row : row.map(() => 0)));
}

const dot: Score = (q, k) => q.reduce((sum, x, i) => sum + x * k[i]!, 0);

describe.each(FORMATS)('attention in %s files', (format) => {
  const scale = { dims: [], data: [0.7] };
  const factor = { dims: [], data: [-1.3] };
  const each = numbers(3);
  const additive =
    (weights: Numbers | undefined): Score =>
    (q, k) =>
      q.reduce((sum, x, i) => sum + (weights?.data[i] ?? 1) * Math.tanh(x + k[i]!), 0);
  const concat =
    (inner: number): Score =>
    (q, k) =>
      -1.3 * q.reduce((sum, x, i) => sum + Math.tanh(inner * (x + k[i]!)), 0);
  const scaled: Score = (q, k) => 0.7 * dot(q, k);
  const variants = [
    ['Attention', {}, {}, dot],
    ['Attention', { use_scale: true }, { scale }, scaled],
    ['Attention', { score_mode: 'concat' }, { concat_score_weight: factor }, concat(1)],
    [
      'Attention',
      { use_scale: true, score_mode: 'concat' },
      { scale, concat_score_weight: factor },
      concat(0.7),
    ],
    ['AdditiveAttention', { use_scale: true }, { scale: each }, additive(each)],
    ['AdditiveAttention', { use_scale: false }, {}, additive(undefined)],
  ] as const;

  it.each(variants)('%s %j', async (className, config, weights: Record<string, Numbers>, score) => {
    const place = className === 'Attention' ? 'attention' : 'additive_attention';
    const both: BothWeights = {
      placed: { [`layers/${place}`]: Object.values(weights) },
      named: {
        a: Object.fromEntries(Object.entries(weights).map(([name, w]) => [`a/${name}:0`, w])),
      },
    };
    for (const causal of [false, true]) {
      for (const masked of [false, true]) {
        for (const keyed of [false, true]) {
          const q = randomSequences(random, [2, 4, 3], masked);
          const v = randomSequences(random, [2, 4, 3], masked);
          const k = randomSequences(random, [2, 4, 3], false);
          // A query that may look nowhere gets what rounding makes of it, so the first step counts.
          for (const row of v.mask ?? []) row[0] = true;
          v.x.forEach((row, b) => {
            if (v.mask?.[b]?.[0] && row[0]!.every((x) => x === 0)) row[0] = [0.5, 0.1, -0.4];
          });
          const names = ['q', 'v', ...(keyed ? ['k'] : [])];
          const from = names.map((name) => (masked && name !== 'k' ? `${name}_masked` : name));
          const attention = { class_name: className, name: 'a', config, from };
          const model: ModelJson = {
            inputs: Object.fromEntries(names.map((name) => [name, [null, 4, 3]])),
            layers: [
              ...(masked ? [masking('q'), masking('v')] : []),
              { ...attention, kwargs: { use_causal_mask: causal } },
            ],
            outputs: ['a'],
          };
          const feeds = { q: q.x, v: v.x, ...(keyed && { k: k.x }) };
          const [got] = await runModel(model, both, format, feeds);
          const expected = q.x.map((query, b) =>
            attend(
              { query, value: v.x[b]!, ...(keyed && { key: k.x[b]! }) },
              score,
              (t, s) => (!causal || s <= t) && (v.mask?.[b]?.[s] ?? true),
              (t) => q.mask?.[b]?.[t] ?? true,
            ),
          );
          const label = JSON.stringify({ causal, masked, keyed });
          expectClose(got!, expected.flat(2), { atol: 1e-6, label });
        }
      }
    }
  });
});
