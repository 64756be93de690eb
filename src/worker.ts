// The package for workers: one that imports this runs models for `createWorkerModel` of `webgpu-rnn` in a page.
import { serveModels } from './worker/serve.ts';

export { serveModels };

const scope = globalThis as { WorkerGlobalScope?: new () => object };
if (scope.WorkerGlobalScope && globalThis instanceof scope.WorkerGlobalScope)
  serveModels(globalThis);
