// The package for Node: the same exports, with WebGPU from Dawn (the optional peer `webgpu`) and
// models from the file system.
import type * as Dawn from 'webgpu';
import { environment } from './environment.ts';
import { readLocalFile } from './node/read-file.ts';
import { mainThread, Sleeper } from './node/sleep-while-waiting.ts';

export * from './index.ts';

environment.readFile = readLocalFile;

const sleeper = new Sleeper(mainThread);
environment.restWhile = (work) => sleeper.sleepWhilePending(work);

/**
 * Whether the main thread may sleep while a device works for longer than 1 ms; true by default.
 *
 * Dawn for Node polls without a pause, which takes a core from an adapter that computes on the CPU. So the
 * thread sleeps for 0.05 ms (0.1 ms on Linux) in each iteration of the event loop meanwhile. A server that
 * must answer other requests during that time, and has a core to give, switches it off.
 *
 * @example
 * ```ts
 * import { loadModel, setSleepWhileWaiting } from 'webgpu-rnn/node';
 * setSleepWhileWaiting(false);
 * ```
 */
export function setSleepWhileWaiting(enabled: boolean): void {
  sleeper.enabled = enabled;
}

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
    // Bundlers of servers put an empty module in the place of an optional peer that is not installed.
    if (typeof (dawn as Partial<typeof Dawn>).create !== 'function') return undefined;
    Object.assign(globalThis, dawn.globals);
    shared.webgpuRnnDawn = dawn.create([]);
  }
  return shared.webgpuRnnDawn;
};
