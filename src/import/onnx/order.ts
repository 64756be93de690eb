// The order in which nodes can run. ONNX demands that a file is in such an order; some exporters
// forget, and runtimes forgive them. A cycle nobody can run.
import { RnnError } from '../../errors.ts';
import type { GraphProto, NodeProto } from './model.ts';

/** The nodes of a graph, every one after those that it reads from. */
export function inOrder(graph: GraphProto): readonly NodeProto[] {
  const { nodes } = graph;
  const makers = new Map<string, number>();
  nodes.forEach((node, i) => {
    for (const output of node.outputs) if (output !== '') makers.set(output, i);
  });
  const sources = nodes.map((node) => {
    const found = new Set<number>();
    forEachRead(node, (name) => {
      const maker = makers.get(name);
      if (maker !== undefined) found.add(maker);
    });
    return [...found];
  });
  if (sources.every((from, i) => from.every((source) => source < i))) return nodes;
  return depthFirst(sources, graph).map((i) => nodes[i]!);
}

/** Calls `visit` with each name that a node, or a graph inside of it, reads from outside. */
function forEachRead(node: NodeProto, visit: (name: string) => void): void {
  node.inputs.forEach(visit);
  for (const { g } of node.attributes) {
    if (g === undefined) continue;
    const own = new Set<string>();
    for (const { name } of [...g.inputs, ...g.initializers]) own.add(name);
    for (const { outputs } of g.nodes) for (const name of outputs) own.add(name);
    const leave = (name: string): void => {
      if (!own.has(name)) visit(name);
    };
    g.nodes.forEach((inner) => forEachRead(inner, leave));
    g.outputs.forEach(({ name }) => leave(name));
  }
}

/** Indices with every index after its sources; without recursion, since chains may be long. */
function depthFirst(sources: readonly (readonly number[])[], graph: GraphProto): number[] {
  const order: number[] = [];
  const state = new Uint8Array(sources.length); // 0 not seen, 1 waits for its sources, 2 done
  for (let start = 0; start < sources.length; start++) {
    const stack = [start];
    while (stack.length > 0) {
      const i = stack.at(-1)!;
      if (state[i] === 0) {
        state[i] = 1;
        for (const source of sources[i]!) {
          if (state[source] === 0) stack.push(source);
          else if (state[source] === 1) throw cycle(graph.nodes[source]!);
        }
        continue;
      }
      stack.pop();
      if (state[i] === 1) order.push(i);
      state[i] = 2;
    }
  }
  return order;
}

function cycle({ path, op, name, outputs }: NodeProto): RnnError {
  const made = outputs.map((output) => `'${output}'`).join(' and ');
  const what = `${op} ${name === '' ? '' : `'${name}' `}reads what depends on its own output ${made}`;
  return new RnnError('INVALID_MODEL', path, `${what}: the graph has a cycle`);
}
