// Removes values that nothing reads, and renames values.
import { isGraph, valuesRead, type Attribute, type Graph, type Node } from './graph.ts';

/** The graph without nodes, outputs of nodes, and constants that lead to none of its outputs. */
export function withoutDead(graph: Graph): Graph {
  const live = new Set(graph.outputs.map(({ name }) => name));
  const nodes: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((name) => live.has(name))) continue;
    const outputs = node.outputs.map((name) => (live.has(name) ? name : ''));
    nodes.push({ ...node, outputs });
    for (const name of valuesRead(node)) live.add(name);
  }
  const constants = new Map([...graph.constants].filter(([name]) => live.has(name)));
  return { ...graph, nodes: nodes.toReversed(), constants };
}

/** The node with some values under other names, inside of its sub-graphs too. */
export function renamed(node: Node, names: ReadonlyMap<string, string>): Node {
  if (names.size === 0) return node;
  const rename = (name: string): string => names.get(name) ?? name;
  const attributes = Object.entries(node.attributes).map(([key, value]): [string, Attribute] => {
    if (!isGraph(value)) return [key, value];
    const outputs = value.outputs.map((info) => ({ ...info, name: rename(info.name) }));
    const nodes = value.nodes.map((inner) => renamed(inner, names));
    return [key, { ...value, outputs, nodes }];
  });
  return {
    ...node,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
    attributes: Object.fromEntries(attributes),
  };
}
