// What differs between a browser and Node: where WebGPU comes from, and how files are read.

/** Where WebGPU comes from: the `gpu` of a navigator, or Dawn in Node. */
export type GpuSource = () => Promise<GPU | undefined>;

/** Reads a file by path or `file:` URL. */
export type ReadFile = (path: string, signal?: AbortSignal) => Promise<Uint8Array>;

/** The environment of this process; `node.ts` changes it. */
export const environment: { gpu: GpuSource; readFile: ReadFile | undefined } = {
  gpu: () => Promise.resolve((globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu),
  readFile: undefined,
};

/** Whether this environment offers a WebGPU adapter. It never rejects. */
export async function isWebGPUAvailable(): Promise<boolean> {
  try {
    return (await (await environment.gpu())?.requestAdapter()) != null;
  } catch {
    return false;
  }
}
