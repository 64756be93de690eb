// A few thousand cases of the fuzzer; `npm run test:fuzz` runs as many as one likes.
import { describe, expect, it } from 'vitest';
import { importModel } from '../../src/import/index.ts';
import { SEED } from '../support/settings.ts';
import { filesOf, runCase } from './one-case.ts';
import { makeSeeds } from './seeds.ts';

const seeds = await makeSeeds();

describe('damaged models', () => {
  it.each(seeds.map(({ format }, i) => [format, i] as const))(
    'seed %s %i is sound',
    async (_, i) => {
      const graph = await importModel(seeds[i]!.files);
      expect(graph.outputs.length).toBeGreaterThan(0);
    },
  );

  it('end with a result or an RnnError', async () => {
    const counts = new Map<string, number>();
    for (let index = 0; index < 3000; index++) {
      const outcome = await runCase(seeds, SEED, index).catch((cause: unknown) => {
        throw new Error(`npm run test:fuzz -- --seed ${SEED} --first ${index} --count 1`, {
          cause,
        });
      });
      const key = `${outcome.format} ${outcome.what}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    // Neither all read nor all refused: else the changes are too small, or too large.
    for (const format of new Set(seeds.map((seed) => seed.format))) {
      expect(counts.get(`${format} ran`), format).toBeGreaterThan(10);
      expect(counts.get(`${format} INVALID_MODEL`), format).toBeGreaterThan(50);
    }
  });

  it('are the same for the same seed', () => {
    expect(filesOf(seeds, 5, 77).files).toEqual(filesOf(seeds, 5, 77).files);
    expect(filesOf(seeds, 5, 77).files).not.toEqual(filesOf(seeds, 6, 77).files);
  });
});
