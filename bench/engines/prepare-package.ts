// A copy of this package as an engine. It imports none, so that a page loads only those that it measures.
import type { PackageApi, Prepare } from './engine.ts';

/** A copy of this package, on the GPU or as the float64 reference. */
export const prepareWith =
  (name: string, { loadModel, tensor }: PackageApi): Prepare =>
  async ({ file, X: { data, dims } }, device) => {
    const model = await loadModel(file, { device: device ?? 'webgpu' });
    const X = tensor(data, dims);
    return {
      name,
      run: async () => (await model.run({ X }))['Y']!.data as Float32Array,
      settle: () => model.warmUp({ X }),
      dispose: () => model.dispose(),
    };
  };
