// Layers with random weights, against what Keras 2 computed with them, loaded from .h5 files as
// Keras 2 would have written them.
import { describe, expect, it } from 'vitest';
import { loadModel, tensor, type Tensor } from '../../src/node.ts';
import { expectClose } from '../support/close.ts';
import { hasSharedData, needsSharedData, sharedJson } from '../support/shared-data.ts';
import { getAdapter } from '../setup/gpu.ts';
import { legacyTree, writeH5, type NamedWeights } from './keras-writer.ts';

interface Values {
  readonly data: readonly number[];
  readonly shape: readonly number[];
}

interface Case {
  readonly name: string;
  readonly op: string;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly input: Values;
  readonly weights: readonly Values[];
  readonly expected: Values;
}

const NAMES = ['kernel', 'recurrent_kernel', 'bias'];

/** The file that Keras 2.1 would save this one layer to. */
function fileOf({ op, attrs, input, weights }: Case): Promise<Uint8Array> {
  const name = `${op.toLowerCase()}_1`;
  const inner = attrs['layer'] as { class_name: string; config: object } | undefined;
  const config = {
    name,
    batch_input_shape: [1, ...input.shape],
    ...attrs,
    ...(inner && { layer: { ...inner, config: { name: 'rnn_1', ...inner.config } } }),
  };
  const model = { class_name: 'Sequential', config: [{ class_name: op, config }] };
  const perCell = inner ? weights.length / 2 : weights.length;
  const named = weights.map(({ data, shape }, i): [string, NamedWeights[string]] => {
    const direction = inner ? `${i < perCell ? 'forward' : 'backward'}_rnn_1/` : '';
    return [`${name}/${direction}${NAMES[i % perCell]}:0`, { data, dims: shape }];
  });
  return writeH5(legacyTree(model, { [name]: Object.fromEntries(named) }));
}

/** What a file computes; a stateful layer is called twice, as it was in Keras. */
async function compute(
  bytes: Uint8Array,
  X: Tensor,
  { attrs }: Case,
  device: 'reference' | 'wasm' | GPUDevice,
): Promise<Tensor> {
  using model = await loadModel(bytes, { device });
  const feeds = { [model.inputs[0]!.name]: X };
  if (attrs['stateful'] !== true) return Object.values(await model.run(feeds))[0]!;
  const stream = model.stream();
  await stream.step(feeds);
  return Object.values(await stream.step(feeds))[0]!;
}

const cases = hasSharedData ? sharedJson<readonly Case[]>('keras2/cases.json') : [];

describe('layers of Keras 2', needsSharedData, () => {
  it('come in all 35 cases', () => {
    expect(cases.map(({ name }) => name)).toHaveLength(35);
  });

  it.each(cases)('$name gives the numbers of Keras on every backend', async (one) => {
    const { input, expected } = one;
    const bytes = await fileOf(one);
    const device = await (await getAdapter()).requestDevice();
    const X = tensor(Float32Array.from(input.data), [1, ...input.shape]);
    for (const where of ['reference', 'wasm', device] as const) {
      const output = await compute(bytes, X, one, where);
      expect(output.dims).toEqual([1, ...expected.shape]);
      const label = `${one.name} on ${typeof where === 'string' ? where : 'webgpu'}`;
      // The file gives six digits of each number; float64 agrees to 2e-6.
      expectClose(output.data as Float32Array, expected.data, { atol: 1e-5, label });
    }
    device.destroy();
  });
});
