// This package, as an application uses it.
import { loadModel } from 'webgpu-rnn';
import type { Workload } from '../shapes.ts';
import type { Contender } from './engine.ts';

/** On the GPU, or the float64 reference that judges the others. */
export async function prepareOurs({ file, X }: Workload, device?: 'reference'): Promise<Contender> {
  const model = await loadModel(file, { device: device ?? 'webgpu' });
  return {
    name: 'webgpu-rnn',
    run: async () => (await model.run({ X }))['Y']!.data as Float32Array,
    settle: () => model.warmUp({ X }),
    dispose: () => model.dispose(),
  };
}
