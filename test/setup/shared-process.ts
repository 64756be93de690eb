// Many test files run in one process, one after the other, and each must find what it would find in a process of its
// own. Vitest restores what `vi.spyOn` changed; this restores timers, and fails for a file that leaves an environment.
import { afterAll, expect, vi } from 'vitest';
import { environment } from '../../src/environment.ts';

// A model that one file has not disposed of must not warn in the next, which may expect no warning.
process.env['NODE_ENV'] = 'production';

const { gpu, readFile } = environment;

afterAll(() => {
  vi.useRealTimers();
  const after = { gpu: environment.gpu, readFile: environment.readFile };
  Object.assign(environment, { gpu, readFile });
  expect(after, 'the environment that this file leaves behind').toEqual({ gpu, readFile });
});
