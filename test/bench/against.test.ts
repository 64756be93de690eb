// Comparing two copies of this package: ratios, minimums, what is measured again, packages and sizes.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { loadModel, tensor } from 'webgpu-rnn/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  compare,
  compareRows,
  timesOf,
  verdictOf,
  type Attempt,
  type Compared,
} from '../../bench/against/comparison.ts';
import { describePair, importPackage, openPackages } from '../../bench/against/packages.ts';
import { measureRuns } from '../../bench/against/run-times.ts';
import { grown, matchSizes } from '../../bench/against/sizes.ts';
import type { PackageApi } from '../../bench/engines/engine.ts';
import { shapeOf, workloadOf } from '../../bench/shapes.ts';
import { getAdapter } from '../setup/gpu.ts';

const times = (median: number) => timesOf([median]);
const row = (name: string, ...ratios: number[]): Compared => ({
  name,
  measured: ratios.map((ratio) => compare(times(ratio), times(1))),
});

describe('ratios', () => {
  test('a ratio is old over new: above 1 where the new package is faster', () => {
    const { ratio, old, new: after } = compare(timesOf([3, 1, 2]), timesOf([4]));
    expect([ratio, old.median, after.median]).toEqual([0.5, 2, 4]);
    expect(old.rounds).toBe(3);
  });

  test('the last measurement of a row counts', () => {
    expect(verdictOf([row('a', 0.5, 1)])).toMatchObject({ mean: 1, met: true });
  });

  test('both minimums have to hold', () => {
    expect(verdictOf([row('a', 1.2), row('b', 0.92)])).toMatchObject({
      met: false,
      worst: { name: 'b', ratio: 0.92 },
    });
    expect(verdictOf([row('a', 0.98), row('b', 0.98)]).met).toBe(false);
    const { mean, met } = verdictOf([row('a', 0.95), row('b', 1.05)]);
    expect(mean).toBeCloseTo(Math.sqrt(0.95 * 1.05), 12);
    expect(met).toBe(true);
  });

  test('a row without a measurement, and no rows at all, meet nothing', () => {
    const failed = { ...row('b', 1), failure: 'lost' };
    expect(verdictOf([row('a', 2), failed])).toMatchObject({ mean: 2, failed: ['b'], met: false });
    expect(verdictOf([]).met).toBe(false);
  });
});

describe('what is measured again', () => {
  /** Plays ratios by name, and notes what is measured. */
  function player(ratios: Readonly<Record<string, readonly (number | Error)[]>>) {
    const measured: string[] = [];
    const measureOnce = async (name: string, again: boolean): Promise<Attempt<string>> => {
      measured.push(`${name}${again ? ' again' : ''}`);
      const ratio = ratios[name]![again ? 1 : 0]!;
      if (ratio instanceof Error) throw ratio;
      return { measured: compare(times(ratio), times(1)), details: `${ratio}` };
    };
    return { measured, run: () => compareRows(Object.keys(ratios), measureOnce, () => undefined) };
  }

  test('a row below the minimum at once, and both ratios are kept', async () => {
    const { measured, run } = player({ a: [1.1], b: [0.9, 1.02] });
    const rows = await run();
    expect(measured).toEqual(['a', 'b', 'b again']);
    expect(rows[1]!.measured.map(({ ratio }) => ratio)).toEqual([0.9, 1.02]);
    expect(rows[1]!.details).toBe('1.02');
  });

  test('every other row, the fast ones too, where the mean is below the minimum', async () => {
    const { measured, run } = player({ a: [1.01, 1], b: [0.9, 0.9], c: [0.97, 1] });
    await run();
    expect(measured).toEqual(['a', 'b', 'b again', 'c', 'a again', 'c again']);
  });

  test('nothing where all is well', async () => {
    const { measured, run } = player({ a: [1], b: [0.99] });
    await run();
    expect(measured).toEqual(['a', 'b']);
  });

  test('what fails is not measured again, and the others go on', async () => {
    const { measured, run } = player({
      a: [new Error('no shape\nat a line')],
      b: [0.5, new Error('lost')],
      c: [1],
    });
    const rows = await run();
    expect(measured).toEqual(['a', 'b', 'b again', 'c']);
    expect(rows.map(({ failure }) => failure)).toEqual(['no shape', 'lost', undefined]);
    expect(rows[1]!.measured).toHaveLength(1);
    expect(verdictOf(rows)).toMatchObject({ failed: ['a', 'b'], mean: 1 });
  });
});

describe('packages', () => {
  let folder: string;

  /** A package whose exports say which one it is. */
  function makePackage(name: string, more: Readonly<Record<string, string>> = {}): string {
    const files = {
      'package.json': JSON.stringify({ type: 'module', version: '1.2.3', gitHead: name }),
      'dist/index.js': '',
      'dist/node.js': `export * from './chunks/name.js';`,
      'dist/chunks/name.js': `export const loadModel = '${name}';`,
      ...more,
    };
    for (const [file, text] of Object.entries(files)) {
      const at = join(folder, name, 'package', file);
      mkdirSync(dirname(at), { recursive: true });
      writeFileSync(at, text);
    }
    return join(folder, name, 'package');
  }

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'webgpu-rnn-test-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('a tarball and a folder are unpacked, imported and removed', async () => {
    const [before, after] = [makePackage('before'), makePackage('after')];
    const tarball = join(folder, 'before.tgz');
    execFileSync('tar', ['-czf', tarball, '-C', join(before, '..'), 'package']);
    const pair = openPackages(tarball, after);
    expect(describePair(pair)).toMatchObject({
      old: { source: 'before.tgz', version: '1.2.3', commit: 'before' },
      new: { source: 'package', version: '1.2.3', commit: 'after' },
    });
    expect(pair.old.sha256).not.toBe(pair.new.sha256);
    expect(JSON.stringify(describePair(pair))).not.toContain(folder);
    const apis = await Promise.all([importPackage(pair.old), importPackage(pair.new)]);
    expect(apis.map((api) => api.loadModel as unknown)).toEqual(['before', 'after']);
    pair.close();
    expect(existsSync(pair.old.dist)).toBe(false);
  });

  test('the same JavaScript has the same hash, whatever other files there are', () => {
    const one = makePackage('same');
    const pair = openPackages(one, makePackage('same', { 'dist/index.d.ts': 'export {};' }));
    expect(pair.old.sha256).toBe(pair.new.sha256);
    pair.close();
  });

  test('what is no built package is refused by name', () => {
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    expect(() => openPackages(join(folder, 'gone.tgz'))).toThrow(/old package: no file or folder/);
    expect(() => openPackages(makePackage('good'), empty)).toThrow(
      'new package empty: got no package.json, expected a built package',
    );
  });
});

describe('sizes', () => {
  const sizes = (before: [string, number][], after: [string, number][]) => ({
    chunks: matchSizes(new Map(before), new Map(after)),
    downloads: [],
  });

  test('chunks are matched by name, and those of one side have no size on the other', () => {
    const { chunks } = sizes(
      [
        ['a', 1],
        ['gone', 2],
      ],
      [
        ['made', 3],
        ['a', 1],
      ],
    );
    expect(chunks).toEqual([
      { name: 'made', new: 3 },
      { name: 'a', old: 1, new: 1 },
      { name: 'gone', old: 2 },
    ]);
  });

  test('what has grown is a chunk of both', () => {
    const before: [string, number][] = [
      ['a', 10],
      ['b', 10],
      ['c', 10],
    ];
    const after: [string, number][] = [
      ['a', 11],
      ['b', 10],
      ['d', 99],
    ];
    expect(grown(sizes(before, after)).map(({ name }) => name)).toEqual(['a']);
  });
});

describe('runs', () => {
  let devices: readonly [GPUDevice, GPUDevice];
  const current: PackageApi = { loadModel, tensor };
  const workload = workloadOf(shapeOf('lstm-h8-b2-t5'));

  beforeAll(async () => {
    const open = async () => (await getAdapter()).requestDevice();
    devices = [await open(), await open()];
  });
  afterAll(() => devices?.forEach((device) => device.destroy()));

  test('a package against itself gives the same answer', async () => {
    const sides = {
      old: { api: current, device: devices[0] },
      new: { api: current, device: devices[1] },
    };
    const { measured, details } = await measureRuns(sides, workload, { seconds: 0, again: false });
    expect(details.difference).toBe(0);
    expect(details.errors.new).toBeLessThan(1e-6); // T·H sums of f32 below 1
    expect(measured.old.rounds).toBe(21);
    expect(measured.ratio).toBe(measured.old.median / measured.new.median);
  });

  test('a wrong answer is refused', async () => {
    const shifted = (data: Float32Array, dims: readonly number[]) =>
      tensor(
        data.map((value) => value + 1),
        dims,
      );
    const wrong = { loadModel, tensor: shifted as PackageApi['tensor'] };
    const sides = {
      old: { api: current, device: devices[0] },
      new: { api: wrong, device: devices[1] },
    };
    await expect(measureRuns(sides, workload, { seconds: 0, again: false })).rejects.toThrow(
      /^the new answer is wrong by 0\.\d/,
    );
  });
});
