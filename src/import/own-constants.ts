// Constants of a graph that do not change when the caller of a load reuses its bytes.
import { isGraph, type Attribute, type Graph, type Node } from '../graph.ts';
import type { Tensor } from '../tensor.ts';

/**
 * The graph with copies of the constants that are views of some buffers: only what the model needs of a
 * file is held twice, and once where the caller lets its bytes go.
 *
 * @param foreign buffers that belong to someone else
 */
export function ownConstants(graph: Graph, foreign: ReadonlySet<ArrayBufferLike>): Graph {
  if (foreign.size === 0) return graph;
  const constants = [...graph.constants].map(([name, value]): [string, Tensor] =>
    foreign.has(value.data.buffer) ? [name, { ...value, data: value.data.slice() }] : [name, value],
  );
  const owned = (value: Attribute): Attribute =>
    isGraph(value) ? ownConstants(value, foreign) : value;
  const nodes = graph.nodes.map((node): Node => {
    if (!Object.values(node.attributes).some(isGraph)) return node;
    const attributes = Object.entries(node.attributes).map(([key, value]) => [key, owned(value)]);
    return { ...node, attributes: Object.fromEntries(attributes) as Node['attributes'] };
  });
  return { ...graph, constants: new Map(constants), nodes };
}
