// This package, as an application uses it.
import { loadModel, tensor } from 'webgpu-rnn';
import type { PackageApi, Prepare } from './engine.ts';

/** A copy of this package, on the GPU or as the float64 reference. */
export const prepareWith =
  (name: string, api: PackageApi): Prepare =>
  async ({ file, X: { data, dims } }, device) => {
    const model = await api.loadModel(file, { device: device ?? 'webgpu' });
    const X = api.tensor(data, dims);
    return {
      name,
      run: async () => (await model.run({ X }))['Y']!.data as Float32Array,
      settle: () => model.warmUp({ X }),
      dispose: () => model.dispose(),
    };
  };

/** This package. */
export const prepareOurs = prepareWith('webgpu-rnn', { loadModel, tensor });
