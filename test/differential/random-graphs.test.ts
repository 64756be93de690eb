// Random models as ONNX files, through the public API on both backends, against ONNX Runtime.
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { LOWERING_FAMILIES } from '../../src/plan/lower/index.ts';
import { CONTROL, OPERATORS } from '../../src/ops/registry.ts';
import { getAdapter } from '../setup/gpu.ts';
import { randomOf } from '../support/random.ts';
import { expectForAll } from '../support/property.ts';
import { casesOf, isFull, MORE_IN_FULL, SEED } from '../support/settings.ts';
import { isFloat, tensor } from '../../src/tensor.ts';
import { writeOnnx } from '../support/onnx-writer.ts';
import { runOnnxRuntime } from '../support/onnxruntime.ts';
import { compareModel, ModelBuilder } from './model-builder.ts';
import { chainOf, chainPlans } from './random-chain.ts';
import { SINGLE_OPERATORS, singleCase, UNKNOWN_TO_ONNX, type SingleCase } from './single-cases.ts';

const ALONE = casesOf(5, 20); // cases of each operator by itself, in one model
const CHAINS = casesOf(8, 200); // models with recurrent layers

const alone = new Map<string, number>();
const inChains = new Map<string, number>();

const device = await (await getAdapter()).requestDevice();

const count = (counts: Map<string, number>, op: string): void => {
  counts.set(op, (counts.get(op) ?? 0) + 1);
};

function describeCase({ op, inputs, attributes }: SingleCase): string {
  const shown = inputs.map((input) => {
    if (input === undefined) return '-';
    const small = input.data.length <= 6 ? `(${input.data.join(',')})` : '';
    return `${input.type}[${input.dims.join(',')}]${small}`;
  });
  return `${op} ${shown.join(' ')} ${JSON.stringify(attributes)}`;
}

describe(`operators by themselves, seed ${SEED}`, () => {
  it.each(SINGLE_OPERATORS)('%s', MORE_IN_FULL, async (op) => {
    const random = randomOf(SEED);
    const model = new ModelBuilder(random);
    const owners = new Map<string, SingleCase>();
    for (let i = 0; i < ALONE; i++) {
      const one = singleCase(op, random, i);
      const names = one.inputs.map((input, slot) => {
        if (input === undefined) return '';
        const hosts = (OPERATORS.get(op) ?? CONTROL.get(op))?.hostInputs ?? [];
        // Weights and what decides shapes are in the file as a rule, and the data never, for the
        // work of a node of constants alone is done when the model is loaded.
        const usual = hosts.includes(slot) || one.weights?.includes(slot);
        const mayBe = slot > 0 || hosts.includes(0);
        // Floats never decide a shape unless the file holds them: a Range of floats. ONNX Runtime infers the
        // shape of a Resize from sizes that it knows only.
        const must = hosts.includes(slot) && (isFloat(input.type) || op === 'Resize');
        const constant = must || (mayBe && random.chance(usual ? 0.8 : 0.4));
        return constant ? model.constant(input) : model.feed(input);
      });
      const wanted = one.outputs.map((type) => type !== undefined);
      model.node(op, names, one.attributes, wanted, one.domain).forEach((name, slot) => {
        const type = one.outputs[slot];
        if (type === undefined) return;
        model.outputs.push({ name, type });
        owners.set(name, one);
      });
      count(alone, op);
    }
    const found = await compareModel(model, device);
    const texts = found.map(({ output, text }) => `${describeCase(owners.get(output)!)}: ${text}`);
    expect(texts, `SEED=${SEED} ${op}`).toEqual([]);
  });

  it.each(UNKNOWN_TO_ONNX)('%s is nothing that ONNX Runtime knows', async (op) => {
    const bytes = writeOnnx(
      {
        nodes: [{ op, inputs: ['x'], outputs: ['y'] }],
        inputs: [{ name: 'x', type: 'float32', dims: [2] }],
        outputs: [{ name: 'y', type: 'float32' }],
      },
      { opset: 24 },
    );
    await expect(runOnnxRuntime(bytes, { x: tensor([1, 2]) })).rejects.toThrow(/registered/i);
  });
});

describe(`recurrent layers among operators, seed ${SEED}`, () => {
  it(`${CHAINS} models`, MORE_IN_FULL, () =>
    expectForAll(chainPlans, CHAINS, async (plan) => {
      const chain = chainOf(plan);
      fc.pre(chain !== undefined);
      const found = await compareModel(chain.model, device);
      for (const { op } of chain.model.nodes) count(inChains, op);
      const texts = found.map(({ output, text }) => `${output}: ${text}`);
      expect(found.length, [...texts, chain.describe()].join('\n')).toBe(0);
    }),
  );
});

it('covers every operator', () => {
  const known = Object.keys(LOWERING_FAMILIES).filter((op) => !UNKNOWN_TO_ONNX.includes(op));
  const missing = [...known, 'LSTM', 'GRU', 'RNN'].filter((op) => !SINGLE_OPERATORS.includes(op));
  expect(missing).toEqual([]);
});

afterAll(() => {
  if (!isFull) return;
  const names = [...new Set([...alone.keys(), ...inChains.keys()])].toSorted();
  const lines = names.map(
    (op) => `${op.padEnd(22)} ${String(alone.get(op) ?? 0).padStart(5)} ${inChains.get(op) ?? 0}`,
  );
  console.log(`${'operator'.padEnd(22)} alone in chains\n${lines.join('\n')}`);
});
