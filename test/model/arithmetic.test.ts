// The option `arithmetic`: refused where it cannot be, valid WGSL everywhere, and right to what half
// precision allows on adapters that have it.
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { create } from 'webgpu';
import { loadModel, type LoadOptions } from '../../src/index.ts';
import { runReference } from '../../src/reference.ts';
import { getAdapter, hasF16 } from '../setup/gpu.ts';
import { asAdapter } from '../support/as-adapter.ts';
import { expectClose } from '../support/close.ts';
import { exampleOf, expectForAll } from '../support/property.ts';
import { recurrentCases } from '../support/random-recurrent.ts';
import { recurrentStacks } from '../support/random-stack.ts';
import { requires } from '../support/requires.ts';
import { casesOf, MORE_IN_FULL, SEED } from '../support/settings.ts';
import { storedWeights } from '../support/stored-weights.ts';

const CASES = casesOf(6, 20);
const F16 = { arithmetic: 'f16' } as const;

const plain = await (await getAdapter()).requestDevice(); // without the feature
afterAll(() => plain.destroy());

const SIZES = { T: [1, 3, 12], maxHidden: 67 };
/** Layers and stacks of all cells, of few and of many steps. */
const models = fc.oneof(
  { weight: 3, arbitrary: recurrentCases(SIZES) },
  { weight: 1, arbitrary: recurrentStacks(SIZES, 3) },
);

const KERNELS: readonly LoadOptions[] = [
  { recurrentKernel: 'step', wavefront: true },
  { recurrentKernel: 'persistent', wavefront: true },
];

test('what cannot be is refused before anything runs', async () => {
  const { graph } = exampleOf(recurrentCases());
  const load = (options: object): Promise<unknown> => loadModel(graph, options);
  for (const options of [
    { arithmetic: 'f64' },
    { ...F16, weights: 'f32' },
    { ...F16, weights: 'int8' },
  ]) {
    await expect(load({ device: plain, ...options })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      path: 'options.arithmetic',
    });
  }
  await expect(load({ device: plain, ...F16 })).rejects.toMatchObject({
    code: 'UNSUPPORTED_FEATURE',
    path: 'options.arithmetic',
  });
});

// A device that only checks what it is given: its numbers mean nothing.
test.each(KERNELS)(
  'all kernels are valid WGSL in f16 ($recurrentKernel)',
  MORE_IN_FULL,
  async (kernel) => {
    const shared = globalThis as { nullDawn?: GPU };
    shared.nullDawn = create(['backend=null']); // held for good: Dawn crashes when it is collected
    const adapter = await shared.nullDawn.requestAdapter();
    const device = await adapter!.requestDevice({ requiredFeatures: ['shader-f16'] });
    const codes: string[] = [];
    const make = device.createShaderModule.bind(device);
    device.createShaderModule = (descriptor) => {
      codes.push(descriptor.code);
      return make(descriptor);
    };
    await expectForAll(models, CASES, async ({ graph, feeds }) => {
      // It computes nothing, so that every self-check would fail.
      const model = await loadModel(graph, { device, ...F16, ...kernel, selfCheck: false });
      codes.length = 0;
      await model.warmUp(feeds); // throws where a kernel does not compile
      expect(codes.some((code) => code.includes('enable f16;'))).toBe(true);
      model.dispose();
    });
    device.destroy();
  },
);

describe(
  'on this adapter',
  requires(hasF16, 'the adapter has no shader-f16; lavapipe and GPUs have'),
  () => {
    test.each(KERNELS)(
      `${CASES} random layers and stacks are right ($recurrentKernel, SEED=${SEED})`,
      async (kernel) => {
        const adapter = await getAdapter();
        const device = asAdapter(
          await adapter.requestDevice({ requiredFeatures: ['shader-f16'] }),
          'gpu',
        );
        let worst = 0;
        await expectForAll(models, CASES, async ({ graph, feeds, label }) => {
          const model = await loadModel(graph, { device, ...F16, ...kernel });
          const actual = await model.run(feeds);
          for (const [name, { data }] of runReference(storedWeights(graph, 'f16'), feeds)) {
            // h is rounded to 2⁻¹², and sums of four products to 2⁻¹¹: of 17 such sums below 0.5 each some
            // 17·3·2⁻¹² = 1e-2 at the very worst, once for each step that the state remembers.
            const got = actual[name]!.data as Float32Array;
            expectClose(got, data, { atol: 2e-2, label: `${label} ${name}` });
            worst = Math.max(worst, ...got.map((y, i) => Math.abs(y - data[i]!)));
          }
          model.dispose();
        });
        expect(worst).toBeGreaterThan(1e-5); // it was half precision
        device.destroy();
      },
    );
  },
);
