// Random models as they are in the world: recurrent layers with operators before and after them.
import fc from 'fast-check';
import { tensor } from '../../src/tensor.ts';
import { floats, list } from '../support/operator-case.ts';
import { chance, oneOf, seeds } from '../support/property.ts';
import { randomOf } from '../support/random.ts';
import { configOf, recurrentChoices, type RecurrentChoices } from '../support/recurrent-config.ts';
import { Chain, one, type Value } from './chain.ts';
import { STEPS } from './chain-steps.ts';
import { ONNX_RUNTIME, onnxLayer } from './recurrent-layer.ts';

const MAX_ROWS = 12;

/** The value as [steps, rows, features]. */
function sequence(chain: Chain, x: Value): Value | undefined {
  const { dims } = x;
  const { random } = chain;
  if (dims.length < 3) {
    const shape = random.pick(
      dims.length === 2
        ? [
            [0, 1, -1],
            [0, -1, 1],
            [1, 0, -1],
          ]
        : [
            [-1, 1, 1],
            [1, 1, -1],
          ],
    );
    return one(chain, 'Reshape', [x, chain.constant(list(shape))], {});
  }
  if (dims.length > 3)
    return one(chain, 'Reshape', [x, chain.constant(list([dims[0]!, dims[1]!, -1]))]);
  return random.chance(0.4) ? one(chain, 'Transpose', [x], { perm: random.permutation(3) }) : x;
}

/** Zeros for the first state, as exporters make them of the number of rows. */
function zeroState(chain: Chain, x: Value, dims: readonly number[]): Value {
  const rows = one(chain, 'Gather', [one(chain, 'Shape', [x]), chain.constant(list([1]))]);
  const ends = [dims[0]!, dims[2]!].map((size) => chain.constant(list([size])));
  const shape = one(chain, 'Concat', [ends[0], rows, ends[1]], { axis: 0 });
  return one(chain, 'ConstantOfShape', [shape]);
}

/** A layer, and what models make of its outputs. */
const recurrent = (chain: Chain, given: Value, choices: RecurrentChoices): Value | undefined => {
  const { random } = chain;
  const x = sequence(chain, given);
  if (x === undefined) return undefined;
  const [T, B, I] = x.dims as [number, number, number];
  if (T > 16 || B > MAX_ROWS || I > 80) return undefined;
  const layer = onnxLayer(random, configOf({ ...choices, T, B }, { ...ONNX_RUNTIME, I }));
  const inputs = layer.inputs.map((value, slot) => {
    if (slot === 0) return x;
    if (value === undefined) return undefined;
    if (slot >= 5 && slot <= 6 && random.chance(0.3)) return zeroState(chain, x, value.dims);
    const fixed = slot < 4 || slot > 6 || random.chance(0.3);
    return fixed ? chain.constant(value) : chain.feed(value);
  });
  const [Y, ...states] = chain.applyAs(
    layer.op,
    inputs,
    layer.attributes,
    layer.outputs,
    layer.node,
  );
  const [state, cell] = states;
  if (Y === undefined || (state !== undefined && random.chance(0.3))) {
    const joined =
      cell === undefined || random.chance(0.5)
        ? state!
        : one(chain, 'Concat', [state, cell], { axis: -1 });
    // The last layer of those that are stacked, or one direction.
    return random.chance(0.5)
      ? one(chain, 'Gather', [joined, chain.constant(tensor([-1], [], 'int64'))], { axis: 0 })
      : joined;
  }
  if (random.chance(0.15)) return Y;
  if (Y.dims[1] === 1) return one(chain, 'Squeeze', [Y, chain.constant(list([1]))]);
  const turned = one(chain, 'Transpose', [Y], { perm: [0, 2, 1, 3] });
  return one(chain, 'Reshape', [turned, chain.constant(list([0, 0, -1]))]);
};

const NAMES = Object.keys(STEPS);

/** One operator, or a few that belong together. It has its own seed, so that others can be left out without changing it. */
interface OperatorStep {
  readonly op: string;
  readonly seed: number;
  /** Whether the caller wants its value too. */
  readonly isOutput: boolean;
}

/** A recurrent layer. */
interface LayerStep {
  readonly choices: RecurrentChoices;
  readonly seed: number;
  readonly isOutput: boolean;
}

type ChainStep = OperatorStep | LayerStep;

/** A model to be: steps that do not suit the numbers at hand are left out. */
export interface ChainPlan {
  readonly sizes: readonly number[];
  readonly before: readonly ChainStep[];
  readonly layer: LayerStep;
  readonly after: readonly ChainStep[];
  readonly seed: number;
}

const common = { seed: seeds, isOutput: chance(0.15) };
const operatorSteps = fc.record({ op: oneOf(NAMES), ...common });
const layerSteps = fc.record({
  choices: recurrentChoices({ B: [MAX_ROWS], maxHidden: 17 }),
  ...common,
});
const steps = (maxLength: number): fc.Arbitrary<ChainStep[]> =>
  fc.array(
    fc.oneof({ weight: 12, arbitrary: operatorSteps }, { weight: 1, arbitrary: layerSteps }),
    {
      maxLength,
      size: 'max',
    },
  );

/** Random models. They shrink in this order: first to few steps, then to a small layer. */
export const chainPlans: fc.Arbitrary<ChainPlan> = fc.record({
  after: steps(8),
  before: steps(8),
  sizes: fc.array(oneOf([1, 2, 3, 4, 5, 8]), { minLength: 2, maxLength: 4 }),
  layer: layerSteps,
  seed: seeds,
});

/** The model of a plan; undefined where its numbers do not suit a recurrent layer. */
export function chainOf(plan: ChainPlan): Chain | undefined {
  const chain = new Chain(randomOf(plan.seed));
  let x = chain.feed(floats(chain.random, plan.sizes));
  const wanted: Value[] = [];
  const add = (step: ChainStep): boolean => {
    chain.random = randomOf(step.seed);
    const next = chain.attempt((c) =>
      'op' in step ? STEPS[step.op]!(c, x) : recurrent(c, x, step.choices),
    );
    if (next === undefined) return false;
    if (step.isOutput) wanted.push(next);
    x = next;
    return true;
  };
  for (const step of plan.before) add(step);
  if (!add(plan.layer)) return undefined;
  for (const step of plan.after) add(step);
  for (const { name, type } of new Set([...wanted, x])) chain.model.outputs.push({ name, type });
  return chain;
}
