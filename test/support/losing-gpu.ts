// A GPU whose devices a test takes away, one after the other.
import { environment } from '../../src/environment.ts';
import { getAdapter } from '../setup/gpu.ts';

/** In the place of the `GPU` of this environment until it is closed. */
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
  readonly #before = environment.gpu;

  constructor() {
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

  close(): void {
    environment.gpu = this.#before;
    for (const device of this.devices) device.destroy();
  }
}

/** A gate, and what opens it. */
export function gate(): { readonly closed: Promise<void>; readonly open: () => void } {
  let open!: () => void;
  const closed = new Promise<void>((resolve) => (open = resolve));
  return { closed, open };
}
