// Random stacks of equal recurrent layers, each on the output of the one below.
import fc from 'fast-check';
import type { Graph, Node } from '../../src/graph.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { printedAs, seeds } from './property.ts';
import { recurrentCase, type RecurrentCase } from './random-recurrent.ts';
import { randomOf, type Random } from './random.ts';
import {
  describeConfig,
  recurrentConfigs,
  type RecurrentConfig,
  type RecurrentRestrictions,
} from './recurrent-config.ts';

/** Random stacks of `layers` layers, or of 2 to 4, forward where `fixed` has no direction, and without masks. */
export const recurrentStacks = (
  fixed: RecurrentRestrictions = {},
  layers?: number,
): fc.Arbitrary<RecurrentCase> =>
  fc
    .tuple(
      recurrentConfigs({ direction: 'forward', ...fixed, mask: undefined }),
      layers === undefined ? fc.integer({ min: 2, max: 4 }) : fc.constant(layers),
      seeds,
    )
    .map(([config, count, seed]) => stackCase(randomOf(seed), count, config));

/**
 * A graph of `layers` layers with random weights and states, equal in all else; their final states are
 * outputs as well, named `LAYER/Y_h` and so on, from `0`.
 */
function stackCase(random: Random, layers: number, config: RecurrentConfig): RecurrentCase {
  const { layout, projected, hidden } = config;
  const axis = layout === 0 ? 1 : 2;
  const constants = new Map<string, Tensor>([
    ['axes', tensor(BigInt64Array.of(BigInt(axis)), [1])],
  ]);
  const feeds: Record<string, Tensor> = {};
  const [inputs, outputs, nodes]: [Graph['inputs'][number][], Graph['outputs'][number][], Node[]] =
    [[], [], []];
  let below = '';
  for (let layer = 0; layer < layers; layer++) {
    const top = layer === layers - 1;
    const [, h, c] = config.outputs;
    const own = recurrentCase(random, {
      ...config,
      I: layer === 0 ? config.I : projected || hidden,
      // Someone must want something.
      outputs: [!top || config.outputs[0] || (!h && !c), h, c],
    });
    const nameOf = (name: string): string => {
      if (name === '' || name === 'lengths') return name;
      return name === 'X' && layer > 0 ? below : `${layer}/${name}`;
    };
    for (const [name, value] of own.graph.constants) constants.set(nameOf(name), value);
    for (const info of own.graph.inputs) {
      const name = nameOf(info.name);
      if (layer > 0 && (info.name === 'X' || info.name === 'lengths')) continue;
      inputs.push({ ...info, name });
      feeds[name] = own.feeds[info.name]!;
    }
    for (const info of own.graph.outputs) {
      if (info.name !== 'Y' || top) outputs.push({ ...info, name: nameOf(info.name) });
    }
    const [node] = own.graph.nodes;
    nodes.push({
      ...node!,
      name: `layer ${layer}`,
      inputs: node!.inputs.map(nameOf),
      outputs: node!.outputs.map(nameOf),
    });
    below = `${layer}/squeezed`;
    if (top) continue;
    const squeeze = { op: 'Squeeze', name: `squeeze ${layer}`, attributes: {} };
    nodes.push({ ...squeeze, inputs: [nameOf('Y'), 'axes'], outputs: [below] });
  }
  const graph: Graph = { name: 'stack', inputs, outputs, constants, nodes };
  const label = `layers=${layers} ${describeConfig(config)}`;
  return printedAs({ config, graph, feeds, label }, label);
}
