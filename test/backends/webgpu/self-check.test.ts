// A driver that miscompiles one kernel: a proxy of a device alters the source of that kernel, and only that.
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { gru, loadModel, sequential, tensor } from '../../../src/index.ts';
import type { LoadOptions, Model, Tensor } from '../../../src/index.ts';
import { runReference } from '../../../src/reference.ts';
import { getAdapter } from '../../setup/gpu.ts';
import { expectClose } from '../../support/close.ts';
import { requires } from '../../support/requires.ts';
import { randomOf } from '../../support/random.ts';

const [T, B, I, H] = [6, 5, 8, 24];
const random = randomOf(5);
const floats = (...dims: number[]): Tensor<'float32'> => {
  const size = dims.reduce((n, dim) => n * dim, 1);
  return tensor(random.floats(size, 0.4), dims);
};
const graph = sequential([
  gru({ W: floats(3 * H, I), R: floats(3 * H, H), B: floats(6 * H), returnSequences: true }),
]);
const feeds = { [graph.inputs[0]!.name]: floats(B, T, I) };
const output = graph.outputs[0]!.name;
const expected = runReference(graph, feeds).get(output)!;

const { features } = await getAdapter();
const hasSubgroups = requires(features.has('subgroups'), 'the adapter has no subgroups');

const opened: { model: Model; device: GPUDevice }[] = [];
const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
afterEach(() => {
  for (const { model, device } of opened.splice(0)) {
    model.dispose();
    device.destroy();
  }
  warn.mockClear();
});
afterAll(() => warn.mockRestore());

/** Loads on an adapter with a name of its own, on which some kernels are altered before they are compiled. */
async function load(
  adapter: string,
  alter: (source: string, label: string) => string,
  options: LoadOptions = {},
): Promise<{ model: Model; labels: string[]; sources: string[] }> {
  const source = await getAdapter();
  const requiredFeatures = (['subgroups'] as const).filter((name) => source.features.has(name));
  const device = await source.requestDevice({ requiredFeatures });
  const { vendor, architecture, subgroupMinSize, subgroupMaxSize } = device.adapterInfo;
  const sizes = { subgroupMinSize, subgroupMaxSize };
  const info = { vendor, architecture, device: adapter, description: '', ...sizes };
  Object.defineProperty(device, 'adapterInfo', { value: info });
  const labels: string[] = [];
  const sources: string[] = [];
  const compile = device.createShaderModule.bind(device);
  device.createShaderModule = (descriptor) => {
    labels.push(descriptor.label!);
    sources.push(descriptor.code);
    return compile({ ...descriptor, code: alter(descriptor.code, descriptor.label!) });
  };
  const model = await loadModel(graph, { device, selfCheck: true, ...options });
  opened.push({ model, device });
  return { model, labels, sources };
}

type Alter = (source: string, label: string) => string;

/** Adds 1 to what a step kernel writes; persistent kernels write the same and stay right. */
const breakStep: Alter = (source, label) =>
  label.startsWith('recurrent-step')
    ? source.replace(/storeOutput\(place, ([^;]*?), live\);/, 'storeOutput(place, $1 + 1.0, live);')
    : source;

/** Doubles the weights of a projection of blocks of rows; that of single rows stays right. */
const breakProjectBlocks: Alter = (source, label) =>
  label === 'recurrent-project' && !source.includes('const ROWS = 1u;')
    ? source.replace('{ return w[at]; }', '{ return 2.0 * w[at]; }')
    : source;

/** Reports subgroups of twice the size. */
const breakSubgroups: Alter = (source, label) =>
  label === 'subgroups' ? source.replace('vec2u(size,', 'vec2u(size * 2u,') : source;

async function runsRight(model: Model): Promise<void> {
  const results = await model.run(feeds);
  expectClose(results[output]!.data as Float32Array, expected.data, { atol: 1e-5 });
}

const warnings = (): unknown[] => warn.mock.calls.map(([text]) => text);

describe('self-check', () => {
  it('says nothing of right kernels, and runs once for each adapter', async () => {
    const first = await load('right', (source) => source);
    await runsRight(first.model);
    const second = await load('right', (source) => source);
    await runsRight(second.model);
    expect(warnings()).toEqual([]);
    expect(second.labels.length).toBeLessThan(first.labels.length);
    expect(second.labels).toHaveLength(second.model.usage.pipelines);
  });

  it('takes the next candidate for one with wrong results, and says so once', async () => {
    for (const _ of ['first model', 'second model']) {
      const { model } = await load('wrong steps', breakStep, { recurrentKernel: 'step-plain' });
      await runsRight(model);
      expect(Object.values(model.usage.kernels)).toEqual([expect.stringMatching(/^persistent-/)]);
    }
    expect(warnings()).toEqual([
      expect.stringMatching(/does not use the kernel step-plain on .*wrong steps: a self-check/),
    ]);
  });

  it('uses the wrong kernel where it is off: the proxy does alter it', async () => {
    const options = { recurrentKernel: 'step-plain', selfCheck: false } as const;
    const { model } = await load('unchecked', breakStep, options);
    await expect(runsRight(model)).rejects.toThrow();
  });

  it('tells a wrong projection from a wrong recurrence', async () => {
    const { model } = await load('wrong projection', breakProjectBlocks, {
      recurrentKernel: 'step-plain',
    });
    await runsRight(model);
    expect(Object.values(model.usage.kernels)).toEqual(['step-plain']);
    expect(warnings().length).toBeGreaterThan(0);
    for (const text of warnings()) expect(text).toMatch(/does not use the kernel project-/);
  });

  it('does without subgroups that are not what the device says', hasSubgroups, async () => {
    const { model, labels, sources } = await load('wrong subgroups', breakSubgroups);
    await runsRight(model);
    expect(labels).toContain('subgroups');
    expect(sources.filter((source) => source.includes('enable subgroups'))).toHaveLength(1);
    expect(warnings()).toEqual([
      expect.stringMatching(/does not use subgroups on .*wrong subgroups/),
    ]);
  });

  it('throws where no candidate is right', async () => {
    const breakAll: Alter = (source, label) =>
      label.startsWith('recurrent-')
        ? source.replace(
            /storeOutput\(place, ([^;]*?), live\);/g,
            'storeOutput(place, $1 + 1.0, live);',
          )
        : source;
    const { model } = await load('all wrong', breakAll, { recurrentKernel: 'step-plain' });
    await expect(model.run(feeds)).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      message: expect.stringContaining('its self-check failed') as string,
    });
  });
});
