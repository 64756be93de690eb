// Which inputs of a graph must be known as numbers before a plan can be made: those that decide
// shapes or branches. And which values depend on inputs at all.
import type { Graph, Node } from '../graph.ts';
import { isGraph } from '../graph.ts';
import { OPERATORS } from '../ops/registry.ts';

const branchesOf = (node: Node): Graph[] => Object.values(node.attributes).filter(isGraph);

/** Values that a node reads, its branches included. */
function reads(node: Node): string[] {
  return [
    ...node.inputs,
    ...branchesOf(node).flatMap((branch) => [
      ...branch.nodes.flatMap(reads),
      ...branch.outputs.map((output) => output.name),
    ]),
  ].filter((name) => name !== '');
}

/** Names of the inputs whose numbers decide shapes or branches of the graph. */
export function hostInputsOf(graph: Graph): ReadonlySet<string> {
  const needed = new Set<string>();
  // Backwards: what a needed value is made of is needed too, but for the shape of a tensor.
  const visit = (nodes: readonly Node[]): void => {
    for (const node of nodes.toReversed()) {
      const operator = OPERATORS.get(node.op);
      for (const slot of operator?.hostInputs ?? []) {
        const name = node.inputs[slot];
        if (name) needed.add(name);
      }
      const wanted = node.outputs.some((output) => needed.has(output));
      if (node.op === 'If') {
        needed.add(node.inputs[0]!);
        for (const branch of branchesOf(node)) {
          node.outputs.forEach((output, slot) => {
            const inner = branch.outputs[slot];
            if (inner && needed.has(output)) needed.add(inner.name);
          });
          visit(branch.nodes);
        }
      } else if (wanted && !operator?.shapeOnly) {
        for (const name of node.inputs) if (name) needed.add(name);
      }
    }
  };
  visit(graph.nodes);
  return new Set(graph.inputs.map((input) => input.name).filter((name) => needed.has(name)));
}

/** Names of the values whose numbers depend on the numbers, not only the shapes, of the inputs. */
export function dependentValues(graph: Graph): ReadonlySet<string> {
  const dependent = new Set(graph.inputs.map((input) => input.name));
  for (const node of graph.nodes) {
    if (OPERATORS.get(node.op)?.shapeOnly) continue;
    if (reads(node).some((name) => dependent.has(name))) {
      for (const output of node.outputs) if (output !== '') dependent.add(output);
    }
  }
  return dependent;
}
