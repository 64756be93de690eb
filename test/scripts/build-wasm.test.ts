// The builds of the CPU kernels, as the plugins of Vite ask for them.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildWasm } from '../../scripts/build-wasm.mjs';
import { unfused } from '../../src/wasm/unfuse.ts';
import { ONLY_IN_FULL } from '../support/settings.ts';

describe('the kernels of the CPU', ONLY_IN_FULL, () => {
  test('several that ask at the same time without a cache get one build', async () => {
    const cache = await mkdtemp(join(tmpdir(), 'webgpu-rnn-wasm-'));
    try {
      const [one, other] = await Promise.all([buildWasm(cache), buildWasm(cache)]);
      expect(WebAssembly.validate(unfused(Buffer.from(one, 'base64')))).toBe(true);
      expect(other).toEqual(one);
      expect(await readdir(cache)).toHaveLength(1); // no drafts are left
    } finally {
      await rm(cache, { recursive: true });
    }
  });
});
