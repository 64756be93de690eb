// Adapters on their way to whom has requested them.

/** Lets every adapter that is requested from now on pass through a function. */
export function watchAdapters(gpu: GPU, seen: (adapter: GPUAdapter) => GPUAdapter): void {
  const request = gpu.requestAdapter.bind(gpu);
  gpu.requestAdapter = async (options) => {
    const adapter = await request(options);
    return adapter && seen(adapter);
  };
}
