// The development server knows beforehand what the demos and the engines of the benchmark page import from npm.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FOUND_LATE } from '../../scripts/found-late.ts';

const IMPORT = /\b(?:from|import)\s*\(?\s*'([^'.][^']*)'/g;
const OURS = /^(webgpu-rnn|node:|virtual:)|\?/;

/** Packages that files of a folder import as values. */
function packagesIn(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
    .flatMap((file) => {
      const text = readFileSync(join(folder, file), 'utf8').replaceAll(/import type [^;]*;/g, '');
      return [...text.matchAll(IMPORT)].map(([, name]) => name!);
    })
    .filter((name) => !OURS.test(name));
}

test('all of them, and no other', () => {
  const imported = new Set([...packagesIn('bench/engines'), ...packagesIn('demo')]);
  const ours = ['@bufbuild/protobuf/wire', 'wgsl-preprocessor/wgsl-preprocessor.js']; // of src/ and shaders/
  expect([...new Set([...imported, ...ours])].toSorted()).toEqual([...FOUND_LATE]);
});
