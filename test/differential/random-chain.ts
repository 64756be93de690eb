// Random models as they are in the world: recurrent layers with operators before and after them.
import { tensor } from '../../src/tensor.ts';
import { floats, list } from '../support/operator-case.ts';
import type { Random } from '../support/random.ts';
import { randomRecurrentConfig } from '../support/random-recurrent.ts';
import { Chain, one, type Step, type Value } from './chain.ts';
import { STEPS } from './chain-steps.ts';
import { onnxLayer } from './recurrent-layer.ts';

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
const recurrent: Step = (chain, given) => {
  const { random } = chain;
  const x = sequence(chain, given);
  if (x === undefined) return undefined;
  const [T, B, I] = x.dims as [number, number, number];
  if (T > 16 || B > 12 || I > 80) return undefined;
  const layer = onnxLayer(
    random,
    randomRecurrentConfig(random, { onnx: true, T, B, I, maxHidden: 17 }),
  );
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
const TRIES = 12;

/** A model of 3 to 10 operators or a few more, one or two of them recurrent layers. */
export function randomChain(random: Random, index: number): Chain {
  const chain = new Chain(random);
  const rank = random.pick([2, 3, 3, 3, 4]);
  const sizes = Array.from({ length: rank }, () => random.pick([1, 2, 3, 4, 5, 8]));
  let x = chain.feed(floats(random, sizes));
  const wanted = random.int(3, 10);
  const layers = random.pick([1, 1, 2]);
  // Layers come anywhere, and every step has its turn.
  const places = Array.from({ length: layers }, () => random.int(0, wanted - 2));
  let turn = 0;
  let added = 0;
  while (chain.model.nodes.length < wanted || added < layers) {
    const due = added < layers && chain.model.nodes.length >= places[added]!;
    let next: Value | undefined;
    for (let i = 0; i < TRIES && next === undefined; i++) {
      const step = due
        ? recurrent
        : i === 0
          ? STEPS[NAMES[(index + 37 * turn++) % NAMES.length]!]!
          : STEPS[random.pick(NAMES)]!;
      next = chain.attempt((c) => step(c, x));
    }
    if (next !== undefined) {
      if (due) added++;
      x = next;
    } else {
      // Nothing suits: begin again, as the draw of numbers allows.
      return randomChain(random, index);
    }
  }
  // Some of what is on the way is asked for too.
  const others = chain.values.filter(({ name }) => name !== x.name && random.chance(0.15));
  for (const { name, type } of [...others, x]) chain.model.outputs.push({ name, type });
  return chain;
}
