// What differs between a browser and Node: where WebGPU comes from, and how files are read.

/** Where WebGPU comes from: the `gpu` of a navigator, or Dawn in Node. */
export type GpuSource = () => Promise<GPU | undefined>;

/** How a file of the file system is read. */
export interface ReadFileOptions {
  readonly signal: AbortSignal | undefined;
  /** A larger file is refused before it is read. */
  readonly maxBytes: number;
  /** Path or `file:` URL of the model that names the file, which must be in the folder of the model. */
  readonly main: string | undefined;
}

/** Reads a file by path or `file:` URL, with `main` by its name in the folder of that file. */
export type ReadFile = (path: string, options: ReadFileOptions) => Promise<Uint8Array>;

/** What differs, as `node.ts` changes it. */
interface Environment {
  gpu: GpuSource;
  readFile: ReadFile | undefined;
  /** Called with each wait for a device, where the thread should sleep meanwhile. */
  restWhile: ((work: Promise<unknown>) => void) | undefined;
}

/** The environment of this process. */
export const environment: Environment = {
  gpu: () => Promise.resolve((globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu),
  readFile: undefined,
  restWhile: undefined,
};

/**
 * Whether this environment offers a WebGPU adapter. It never rejects.
 *
 * @param timeout milliseconds to wait for the answer, false beyond; two minutes when left out
 */
export async function isWebGPUAvailable(timeout = 120_000): Promise<boolean> {
  const request = async (): Promise<boolean> =>
    (await (await environment.gpu())?.requestAdapter()) != null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, Math.min(timeout, 0x7fffffff), false);
  });
  try {
    return await Promise.race([request(), late]);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}
