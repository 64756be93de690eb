// The package for Node: the same exports, with WebGPU from Dawn (the optional peer `webgpu`) and
// models from the file system.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type * as Dawn from 'webgpu';
import { environment } from './environment.ts';
import { restWhile } from './rest.ts';

export * from './index.ts';

environment.readFile = async (path, signal) => {
  const file = path.startsWith('file:') ? fileURLToPath(path) : path;
  return readFile(file, signal ? { signal } : {});
};

environment.restWhile = restWhile;

// Dawn crashes when the object that `create` returns is collected, so it stays for good.
const shared = globalThis as { webgpuRnnDawn?: GPU };

environment.gpu = async () => {
  const own = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  if (own) return own;
  if (!shared.webgpuRnnDawn) {
    let dawn: typeof Dawn;
    try {
      dawn = await import('webgpu');
    } catch {
      return undefined; // not installed, or not for this platform: no WebGPU here
    }
    Object.assign(globalThis, dawn.globals);
    shared.webgpuRnnDawn = dawn.create([]);
  }
  return shared.webgpuRnnDawn;
};
