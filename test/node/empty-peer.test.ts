// A bundler of a server that puts an empty module in the place of the optional peer `webgpu`, as that of Next.js does.
import { expect, test, vi } from 'vitest';
import { isWebGPUAvailable, loadModel, lstm, sequential, tensor } from '../../src/node.ts';

vi.mock('webgpu', () => ({ default: {}, create: undefined, globals: undefined }));

test('an empty module is not Dawn: the CPU computes', async () => {
  const shared = globalThis as { webgpuRnnDawn?: GPU };
  const before = shared.webgpuRnnDawn;
  delete shared.webgpuRnnDawn;
  try {
    expect(await isWebGPUAvailable()).toBe(false);
    const W = tensor(new Float32Array(8 * 3), [8, 3]);
    const R = tensor(new Float32Array(8 * 2), [8, 2]);
    const model = await loadModel(sequential([lstm({ W, R })]));
    expect(model.backend).toBe('wasm');
    expect(model.reason).toMatch(/no WebGPU/);
    model.dispose();
    const loading = loadModel(sequential([lstm({ W, R })]), { device: 'webgpu' });
    await expect(loading).rejects.toMatchObject({ code: 'NO_WEBGPU' });
  } finally {
    if (before) shared.webgpuRnnDawn = before;
  }
});
