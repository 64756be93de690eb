// Finds stacks: recurrent layers on top of each other that differ in nothing but weights, so that they can
// compute different time steps concurrently.
import { recurrentAttributes } from '../../graph.ts';
import { sizeOf } from '../../tensor.ts';
import type { PlannedNode, Value } from '../specialize/infer.ts';

/** Nodes to be lowered in this order; where `layers` are more than one, they may be lowered together. */
export interface NodeGroup {
  /** The layers of a stack with the nodes in between that change shapes only, or one node. */
  readonly items: readonly PlannedNode[];
  /** The layers of a stack from the bottom; empty for any other node. */
  readonly layers: readonly PlannedNode[];
}

const [X, LENGTHS, INITIAL_H, INITIAL_C, MASK] = [0, 4, 5, 6, 8];

/** Nodes that keep the order of elements, whatever they do to the shape. */
const RESHAPES = new Set(['Reshape', 'Squeeze', 'Unsqueeze', 'Flatten', 'Identity']);

const isLayer = ({ node }: PlannedNode): boolean => node.op === 'Recurrent';

/** Whether a layer may be in a stack: without a mask, forward, and with weights that the model fixes. */
function stacks({ node, inputs }: PlannedNode): boolean {
  const weights = inputs.filter(
    (_, slot) => ![X, LENGTHS, INITIAL_H, INITIAL_C, MASK].includes(slot),
  );
  return (
    recurrentAttributes(node).direction === 'forward' &&
    inputs[MASK] === undefined &&
    weights.every((value) => value === undefined || value.constant)
  );
}

/** Whether `above` is the layer `below` over again, on the output of it. */
function continues(below: PlannedNode, above: PlannedNode): boolean {
  const alike = (slot: number): boolean =>
    below.inputs[slot]?.dims.join() === above.inputs[slot]?.dims.join();
  const [x, y] = [above.inputs[X]!, below.outputs[0]!];
  const output = y.dims.at(-1)!;
  const { layout } = recurrentAttributes(above.node);
  const steps = below.inputs[X]!.dims[layout];
  return (
    stacks(above) &&
    JSON.stringify(below.node.attributes) === JSON.stringify(above.node.attributes) &&
    // R, P and the projection; biases may be missing, W may have another width at the bottom.
    [2, 7, 9].every(alike) &&
    below.inputs[LENGTHS] === above.inputs[LENGTHS] &&
    x.dims.length === 3 &&
    x.dims[layout] === steps &&
    x.dims[2] === output &&
    sizeOf(x.dims) === sizeOf(y.dims)
  );
}

/**
 * The nodes of a plan in an order in which they can be made, with the layers of each stack together.
 *
 * @param readers how many nodes read a value, endless for what someone else reads
 */
export function findStacks(
  list: readonly PlannedNode[],
  readers: ReadonlyMap<Value, number>,
): readonly NodeGroup[] {
  const single = (item: PlannedNode): NodeGroup => ({ items: [item], layers: [] });
  if (list.filter(isLayer).length < 2) return list.map(single);
  const makers = new Map<Value, PlannedNode>();
  const consumers = new Map<Value, PlannedNode>();
  for (const item of list) {
    for (const value of item.outputs) if (value) makers.set(value, item);
    for (const value of item.inputs) if (value) consumers.set(value, item);
  }
  /** Whether values depend on an output of some nodes, directly or through others. */
  const comesFrom = (values: PlannedNode['inputs'], nodes: readonly PlannedNode[]): boolean => {
    const seen = new Set<PlannedNode>();
    const open = values.map((value) => value && makers.get(value));
    for (const maker of open) {
      if (!maker || seen.has(maker)) continue;
      if (nodes.includes(maker)) return true;
      seen.add(maker);
      for (const value of maker.inputs) open.push(value && makers.get(value));
    }
    return false;
  };
  const groups = new Map<PlannedNode, NodeGroup>();
  for (const bottom of list.filter(isLayer)) {
    if (groups.has(bottom) || !stacks(bottom)) continue;
    const items = [bottom];
    const layers = [bottom];
    let between: PlannedNode[] = [];
    let value = bottom.outputs[0];
    while (value && readers.get(value) === 1) {
      const next = consumers.get(value)!;
      const only = next.inputs.filter((input) => input === value).length === 1;
      if (next.inputs[X] !== value || !only) break;
      if (RESHAPES.has(next.node.op)) {
        between.push(next);
      } else {
        if (!isLayer(next) || !continues(layers.at(-1)!, next)) break;
        if (comesFrom(next.inputs.slice(1), layers)) break;
        items.push(...between, next);
        layers.push(next);
        between = [];
      }
      value = next.outputs[0];
    }
    if (layers.length === 1) continue;
    const group = { items, layers };
    for (const item of items) groups.set(item, group);
  }
  if (groups.size === 0) return list.map(single);
  return (
    inOrder(
      list.map((item) => groups.get(item) ?? single(item)),
      makers,
    ) ?? list.map(single)
  );
}

/** Groups so that each comes after what it reads; undefined where they read each other. */
function inOrder(
  list: readonly NodeGroup[],
  makers: ReadonlyMap<Value, PlannedNode>,
): readonly NodeGroup[] | undefined {
  const of = new Map(list.flatMap((group) => group.items.map((item) => [item, group] as const)));
  const done = new Set<NodeGroup>();
  const open = new Set<NodeGroup>();
  const add = (group: NodeGroup): boolean => {
    if (done.has(group)) return true;
    if (open.has(group)) return false;
    open.add(group);
    for (const value of group.items.flatMap(({ inputs }) => inputs)) {
      const maker = value && makers.get(value);
      const needed = maker && of.get(maker);
      if (needed && needed !== group && !add(needed)) return false;
    }
    done.add(group);
    return true;
  };
  return list.every(add) ? [...done] : undefined;
}
