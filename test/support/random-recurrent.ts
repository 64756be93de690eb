// Random recurrent layers as graphs with what to feed them.
import fc from 'fast-check';
import { CELLS } from '../../src/cells/index.ts';
import type { Graph, RecurrentAttributes, ValueInfo } from '../../src/graph.ts';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { printedAs, seeds } from './property.ts';
import { randomOf, type Random } from './random.ts';
import {
  describeConfig,
  recurrentConfigs,
  type RecurrentConfig,
  type RecurrentRestrictions,
} from './recurrent-config.ts';

/** A layer as a graph, its own weights inside, and one set of feeds. */
export interface RecurrentCase {
  readonly config: RecurrentConfig;
  readonly graph: Graph;
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** Everything about the layer on one line, for the message of a failing test. */
  readonly label: string;
}

/** The graph of one layer with random weights, states and input. */
export function recurrentCase(random: Random, config: RecurrentConfig): RecurrentCase {
  const { T, B, I, hidden: H, layout, projected, lengths, mask } = config;
  const { gates } = CELLS[config.cell];
  const D = config.direction === 'bidirectional' ? 2 : 1;
  const [G, O] = [gates.length, projected || H];
  const [constants, feeds] = [new Map<string, Tensor>(), {} as Record<string, Tensor>];
  const make = (dims: readonly number[], scale: number): Tensor =>
    tensor(
      random.floats(
        dims.reduce((a, b) => a * b, 1),
        scale,
      ),
      dims,
    );
  // Weights of this size keep the sums of a gate at order one, and R from amplifying its input.
  const constant = (name: string, dims: readonly number[], scale: number): string => {
    constants.set(name, make(dims, scale));
    return name;
  };
  const feed = (name: string, value: Tensor): string => {
    feeds[name] = value;
    return name;
  };
  const state = (size: number): number[] => (layout === 0 ? [D, B, size] : [B, D, size]);
  const maskValues = (values: readonly number[]): Tensor => {
    const order = Array.from(values, (_, i) =>
      layout === 0 ? values[i]! : values[(i % T) * B + Math.floor(i / T)]!,
    );
    return tensor(Uint8Array.from(order), layout === 0 ? [T, B] : [B, T], 'bool');
  };
  const inputs = [
    feed('X', make(layout === 0 ? [T, B, I] : [B, T, I], 1)),
    constant('W', [D, G * H, I], 1.5 / Math.sqrt(I)),
    constant('R', [D, G * H, O], 1 / Math.sqrt(O)),
    config.bias ? constant('B', [D, 2 * G * H], 0.5) : '',
    lengths ? feed('lengths', tensor(Int32Array.from(lengths), [B])) : '',
    config.initialH ? feed('initialH', make(state(O), 1)) : '',
    config.initialC ? feed('initialC', make(state(H), 1)) : '',
    config.peepholes ? constant('P', [D, 3 * H], 0.7) : '',
    mask ? feed('mask', maskValues(mask)) : '',
    projected ? constant('projection', [D, O, H], 1 / Math.sqrt(H)) : '',
  ];
  const infos: ValueInfo[] = Object.entries(feeds).map(([name, { type, dims }]) => ({
    name,
    type,
    dims,
  }));
  const shapes = [layout === 0 ? [T, D, B, O] : [B, T, D, O], state(O), state(H)];
  const outputs = ['Y', 'Y_h', 'Y_c'].map((name, slot) => (config.outputs[slot] ? name : ''));
  const { cell, direction, activations, alphas, betas, clip, coupled, resetAfter, maskedOutput } =
    config;
  const attributes: RecurrentAttributes = {
    cell,
    direction,
    hidden: H,
    layout,
    activations,
    alphas,
    betas,
    clip,
    coupled,
    resetAfter,
    maskedOutput,
  };
  const graph: Graph = {
    name: 'recurrent',
    inputs: infos,
    outputs: outputs.flatMap((name, slot) =>
      name === '' ? [] : [{ name, type: 'float32' as const, dims: shapes[slot]! }],
    ),
    constants,
    nodes: [{ op: 'Recurrent', name: 'layer', inputs, outputs, attributes }],
  };
  return { config, graph, feeds, label: describeConfig(config) };
}

/** Random layers with random numbers. */
export const recurrentCases = (fixed?: RecurrentRestrictions): fc.Arbitrary<RecurrentCase> =>
  fc
    .tuple(recurrentConfigs(fixed), seeds)
    .map(([config, seed]) => recurrentCase(randomOf(seed), config))
    .map((made) => printedAs(made, made.label));
