// A GPU whose devices a test takes away, one after the other.
import { afterAll, afterEach } from 'vitest';
import { environment } from '../../src/environment.ts';
import { loadModel } from '../../src/index.ts';
import type { DeviceLoss, LoadOptions, Model } from '../../src/index.ts';
import { getAdapter } from '../setup/gpu.ts';
import { graph } from './small-lstm.ts';

/** In the place of the `GPU` of this environment for the tests of a file, each of which finds it new. */
export class LosingGpu {
  /** Devices that were made, in order. */
  readonly devices: GPUDevice[] = [];
  /** How often an adapter was asked for. */
  requests = 0;
  /** How many of the next requests for an adapter fail. */
  failures = 0;
  /** How many of the next devices are lost at once. */
  duds = 0;
  /** Requests wait for it. */
  gate: Promise<void> | undefined;
  readonly #models: Model[] = [];

  constructor() {
    const before = environment.gpu;
    afterEach(() => this.#reset());
    afterAll(() => {
      environment.gpu = before;
    });
    const requestAdapter = async (): Promise<GPUAdapter> => {
      this.requests++;
      await this.gate;
      if (this.failures > 0) {
        this.failures--;
        throw new Error('no adapter today');
      }
      const adapter = await getAdapter();
      const request = adapter.requestDevice.bind(adapter);
      adapter.requestDevice = async (descriptor) => {
        const device = await request(descriptor);
        this.devices.push(device);
        if (this.duds > 0) {
          this.duds--;
          device.destroy();
        }
        return device;
      };
      return adapter;
    };
    environment.gpu = () => Promise.resolve({ requestAdapter } as unknown as GPU);
  }

  /** The latest device. */
  get device(): GPUDevice {
    return this.devices.at(-1)!;
  }

  /** Takes the latest device away, and waits until that is known. */
  async lose(): Promise<void> {
    const { device } = this;
    device.destroy();
    await device.lost;
    await Promise.resolve(); // whoever asked before comes first
  }

  /** The small LSTM on it, with one kernel, for each device compiles anew. */
  async load(options: LoadOptions = {}): Promise<{ model: Model; losses: DeviceLoss[] }> {
    const losses: DeviceLoss[] = [];
    const model = await loadModel(graph, {
      device: 'webgpu',
      recurrentKernel: 'persistent',
      recovery: { delay: 1 },
      onDeviceLost: (loss) => losses.push(loss),
      ...options,
    });
    this.#models.push(model);
    return { model, losses };
  }

  #reset(): void {
    for (const model of this.#models.splice(0)) model.dispose();
    for (const device of this.devices.splice(0)) device.destroy();
    [this.requests, this.failures, this.duds, this.gate] = [0, 0, 0, undefined];
  }
}

/** A gate, and what opens it. */
export function gate(): { readonly closed: Promise<void>; readonly open: () => void } {
  let open!: () => void;
  const closed = new Promise<void>((resolve) => (open = resolve));
  return { closed, open };
}
