// Steps of a chain that see a value as channels over time: convolutions, pools, normalisations.
import { tensor } from '../../src/tensor.ts';
import { list } from '../support/operator-case.ts';
import { one, type Chain, type Step, type Value } from './chain.ts';
import { randomWindow } from '../support/random-window.ts';

/** The value as [batch, channels, sizes…], by Unsqueeze where it has fewer axes. */
function image(chain: Chain, x: Value): Value | undefined {
  const missing = 3 - x.dims.length;
  if (missing > 0 && x.dims.length > 0) {
    const axes = Array.from({ length: missing }, (_, axis) => axis);
    return one(chain, 'Unsqueeze', [x, chain.constant(list(axes))]);
  }
  if (x.dims.length < 3 || x.dims.length > 4) return undefined;
  // From time first, as layers have it, to channels first, as convolutions do.
  const isTimeFirst = x.dims.length === 3 && chain.random.chance(0.5);
  return isTimeFirst ? one(chain, 'Transpose', [x], { perm: [1, 2, 0] }) : x;
}

const imageStep =
  (make: (chain: Chain, x: Value, channels: number) => Value | undefined): Step =>
  (chain, x) => {
    const found = image(chain, x);
    return found && make(chain, found, found.dims[1]!);
  };

/** A random window that fits; undefined after some tries. */
function window(chain: Chain, x: Value) {
  const spatial = x.dims.slice(2);
  for (let i = 0; i < 10; i++) {
    const found = randomWindow(chain.random, spatial.length);
    const dilations = (found.attributes['dilations'] ?? spatial.map(() => 1)) as number[];
    const reach = (axis: number): number => (found.kernel[axis]! - 1) * dilations[axis]! + 1;
    if (spatial.every((size, axis) => size > reach(axis))) return found;
  }
  return undefined;
}

const conv = (op: string): Step =>
  imageStep((chain, x, depth) => {
    const found = window(chain, x);
    if (found === undefined) return undefined;
    const { random } = chain;
    const group = depth % 2 === 0 && random.chance(0.3) ? 2 : 1;
    const channels = random.pick([1, 2, 4]);
    const head = op === 'Conv' ? [group * channels, depth / group] : [depth, channels];
    const taps = found.kernel.reduce((a, b) => a * b, depth / group);
    const weights = chain.weights([...head, ...found.kernel], 1.5 / Math.sqrt(taps));
    const bias = random.chance(0.5) ? chain.weights([group * channels]) : undefined;
    return one(chain, op, [x, weights, bias], { ...found.attributes, group });
  });

const pool = (op: string, extra: Readonly<Record<string, number>>): Step =>
  imageStep((chain, x) => {
    const found = window(chain, x);
    return (
      found && one(chain, op, [x], { ...found.attributes, kernel_shape: found.kernel, ...extra })
    );
  });

/** Numbers of 1/2 to 3/2. */
const about1 = (chain: Chain, count: number): Value =>
  chain.constant(tensor(chain.random.floats(count, 0.5).map((x) => x + 1)));

/** Steps by operator. */
export const slidingSteps: Readonly<Record<string, Step>> = {
  Conv: conv('Conv'),
  ConvTranspose: conv('ConvTranspose'),
  MaxPool: pool('MaxPool', {}),
  AveragePool: pool('AveragePool', { count_include_pad: 1 }),
  GlobalAveragePool: imageStep((chain, x) => one(chain, 'GlobalAveragePool', [x])),
  GlobalMaxPool: imageStep((chain, x) => one(chain, 'GlobalMaxPool', [x])),
  BatchNormalization: imageStep((chain, x, depth) => {
    const [scale, variance] = [about1(chain, depth), about1(chain, depth)];
    const [bias, mean] = [chain.weights([depth]), chain.weights([depth])];
    return one(chain, 'BatchNormalization', [x, scale, bias, mean, variance], { epsilon: 1e-3 });
  }),
  InstanceNormalization: imageStep((chain, x, depth) => {
    const inputs = [x, about1(chain, depth), chain.weights([depth])];
    return one(chain, 'InstanceNormalization', inputs, { epsilon: 0.05 });
  }),
  GroupNormalization: imageStep((chain, x, depth) => {
    const inputs = [x, about1(chain, depth), chain.weights([depth])];
    const num_groups = depth % 2 === 0 ? 2 : 1;
    return one(chain, 'GroupNormalization', inputs, { num_groups, epsilon: 0.05 });
  }),
};
