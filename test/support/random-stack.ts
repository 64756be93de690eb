// Random stacks of equal recurrent layers, each on the output of the one below.
import type { Graph, Node } from '../../src/graph.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import {
  describeConfig,
  randomRecurrentConfig,
  recurrentCase,
  type RecurrentCase,
  type RecurrentRestrictions,
} from './random-recurrent.ts';
import type { Random } from './random.ts';

/**
 * A graph of `layers` layers with random weights and states, equal in all else; their final states are
 * outputs as well, named `LAYER/Y_h` and so on, from `0`.
 */
export function randomStack(
  random: Random,
  layers: number,
  restrictions: RecurrentRestrictions = {},
): RecurrentCase {
  const direction = restrictions.direction ?? 'forward';
  const config = randomRecurrentConfig(random, { ...restrictions, direction, mask: undefined });
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
  return { config, graph, feeds, label: `layers=${layers} ${describeConfig(config)}` };
}
