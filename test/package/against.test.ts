// What comparing two packages runs in processes of its own. Reads dist/: build first.
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { measureFirstResults } from '../../bench/against/first-result.ts';
import { openPackages, type PackagePair } from '../../bench/against/packages.ts';
import { grown, measureSizes } from '../../bench/against/sizes.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
let pair: PackagePair;

beforeAll(() => {
  pair = openPackages(root, root);
});
afterAll(() => pair?.close());

test('a first result comes in a fresh process, and is right', async () => {
  const { measured, details } = await measureFirstResults(pair, 'gru-h8-b2-t3', 1);
  expect(measured.new.rounds).toBe(1);
  const { loadMs, firstRunMs } = details.new;
  expect(measured.new.median).toBeCloseTo(loadMs + firstRunMs, 9);
}, 60_000);

test('a package has its own sizes, and a page downloads more for a file than for a layer in code', async () => {
  const sizes = await measureSizes(pair);
  expect(grown(sizes)).toEqual([]);
  expect(sizes.chunks.every((row) => row.old === row.new)).toBe(true);
  const core = sizes.chunks.find(({ name }) => name === 'core')!.new!;
  const downloads = sizes.downloads.map((row) => row.new!);
  const [graph, ...others] = downloads as [number, ...number[]];
  expect(graph).toBeGreaterThan(core);
  expect(Math.min(...others)).toBeGreaterThan(graph);
}, 120_000);
