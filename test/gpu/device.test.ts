// Adapters and devices of browsers that tell less than the newest ones.
import { afterEach, describe, expect, test } from 'vitest';
import { loadModel } from '../../src/index.ts';
import { Gpu, requestDevice } from '../../src/gpu/device.ts';
import { getAdapter } from '../setup/gpu.ts';
import { fakeGpu, withGpu } from '../support/fake-gpu.ts';
import { expectRight, failureOf, feedsOf, graph } from '../support/small-lstm.ts';

const opened: GPUDevice[] = [];
afterEach(() => opened.splice(0).forEach((device) => device.destroy()));

async function openDevice(): Promise<GPUDevice> {
  const device = await (await getAdapter()).requestDevice();
  opened.push(device);
  return device;
}

/** What an adapter is requested to give. */
async function requested(change: (adapter: GPUAdapter) => void): Promise<GPUDeviceDescriptor> {
  const adapter = await getAdapter();
  change(adapter);
  let descriptor: GPUDeviceDescriptor | undefined;
  const request = adapter.requestDevice.bind(adapter);
  adapter.requestDevice = async (wanted) => {
    descriptor = wanted;
    return request(wanted);
  };
  const gpu = fakeGpu({ requestAdapter: async () => adapter });
  opened.push(await withGpu(gpu, () => requestDevice()));
  return descriptor!;
}

describe('a request', () => {
  test('has no limits that the browser does not know', async () => {
    const { requiredLimits } = await requested((adapter) => {
      const limits = { maxBufferSize: adapter.limits.maxBufferSize };
      Object.defineProperty(adapter, 'limits', { value: limits });
    });
    expect(Object.keys(requiredLimits!)).toEqual(['maxBufferSize']);
  });

  test('has the features of kernels, and no timestamps', async () => {
    const { requiredFeatures } = await requested((adapter) => {
      const has = (name: string): boolean => name !== 'shader-f16';
      const features = { has } as unknown as GPUSupportedFeatures;
      Object.defineProperty(adapter, 'features', { value: features });
      const request = adapter.requestDevice.bind(adapter);
      adapter.requestDevice = ({ label } = {}) => request({ label: label ?? '' });
    });
    expect(requiredFeatures).toEqual(['subgroups']);
  });

  test('falls back to an adapter with compatibility limits', async () => {
    const calls: (GPURequestAdapterOptions | undefined)[] = [];
    const gpu = fakeGpu({
      requestAdapter: async (options?: GPURequestAdapterOptions) => {
        calls.push(options);
        return options?.featureLevel === 'compatibility' ? getAdapter() : null;
      },
    });
    opened.push(await withGpu(gpu, () => requestDevice()));
    expect(calls.map((options) => options?.featureLevel)).toEqual([undefined, 'compatibility']);
    const none = fakeGpu({ requestAdapter: async () => null });
    const error = await withGpu(none, () => failureOf(() => requestDevice()));
    expect(error.code).toBe('NO_ADAPTER');
  });
});

describe('a device', () => {
  test.each(['adapterInfo', 'limits'])('without %s computes', async (property) => {
    const device = await openDevice();
    Object.defineProperty(device, property, { value: undefined });
    const model = await loadModel(graph, { device });
    const feeds = feedsOf();
    expectRight(await model.run(feeds), feeds);
    const stream = model.stream();
    expectRight(await stream.step(feeds), feeds);
    expect(model.adapter).not.toBe('');
    model.dispose();
  });

  test('is described by what is known of it', async () => {
    const described = (info: unknown, limits: unknown): string => {
      const device = { lost: new Promise(() => undefined), adapterInfo: info, limits };
      return new Gpu(device as unknown as GPUDevice, false).description;
    };
    expect(described({ vendor: 'acme', architecture: 'x1' }, {})).toBe('acme x1');
    expect(described({ vendor: 'acme', isFallbackAdapter: true }, {})).toBe(
      'acme (software adapter)',
    );
    const limits = { maxBufferSize: 2 ** 31, maxComputeInvocationsPerWorkgroup: 1024 };
    const hidden = { vendor: '', architecture: '', device: '', description: '' };
    expect(described(hidden, limits)).toBe(
      'GPU without a name, buffers of 2048 MiB, workgroups of 1024',
    );
    expect(described(undefined, undefined)).toMatch(/^GPU without a name, buffers of 256 MiB/);
  });
});
