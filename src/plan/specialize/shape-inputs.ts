// Which inputs of a graph must be known as numbers before a plan can be made: those that decide
// shapes, branches or loops. And which values depend on inputs at all.
import { RnnError } from '../../errors.ts';
import { valuesRead, type Graph, type Node } from '../../graph.ts';
import { CONTROL, OPERATORS } from '../../ops/registry.ts';
import { isFloat } from '../../tensor.ts';

/** A node that needs numbers before the model runs. */
interface Decider {
  readonly node: Node;
  readonly path: string;
}

/** The inputs whose numbers decide shapes, branches or loops, each with a node that they decide. */
function decidersOf(graph: Graph): ReadonlyMap<string, Decider> {
  const needed = new Map<string, Decider>();
  const sources = new Map<string, string[]>(); // what the numbers of a value are made of
  const follows = (name: string, from: readonly string[]): void => {
    const list = sources.get(name) ?? [];
    sources.set(name, list);
    for (const source of from) if (source !== '') list.push(source);
  };
  const visit = ({ nodes }: Graph, path: string): void => {
    nodes.forEach((node, i) => {
      const decider = { node, path: `${path}.nodes[${i}]` };
      const control = CONTROL.get(node.op);
      const operator = control ?? OPERATORS.get(node.op);
      for (const slot of operator?.hostInputs ?? []) {
        const name = node.inputs[slot];
        if (name) needed.set(name, decider);
      }
      for (const wiring of control?.wire?.(node, decider.path) ?? []) {
        for (const [from, to] of [...wiring.leaves, ...wiring.repeats, ...wiring.enters]) {
          follows(to, [from]);
        }
        for (const name of wiring.decides) needed.set(name, decider);
        visit(wiring.graph, `${decider.path}.${wiring.key}`);
      }
      if (control?.wire || operator?.shapeOnly) return;
      for (const output of node.outputs) follows(output, node.inputs);
    });
  };
  visit(graph, 'graph');
  // Iteration over a map visits entries that are added during it.
  for (const [name, decider] of needed) {
    for (const source of sources.get(name) ?? []) {
      if (!needed.has(source)) needed.set(source, decider);
    }
  }
  const inputs = new Set(graph.inputs.map((input) => input.name));
  return new Map([...needed].filter(([name]) => inputs.has(name)));
}

/** Names of the inputs whose numbers decide shapes, branches or loops of the graph. */
export function hostInputsOf(graph: Graph): ReadonlySet<string> {
  return new Set(decidersOf(graph).keys());
}

/**
 * Refuses a graph in which numbers of floating point decide what runs: for each of them there would
 * be another plan.
 *
 * @throws RnnError `UNSUPPORTED_OPERATOR` with the path of the node and its name
 */
export function refuseFloatShapeInputs(graph: Graph): void {
  for (const [name, { node, path }] of decidersOf(graph)) {
    if (!isFloat(graph.inputs.find((input) => input.name === name)!.type)) continue;
    const advice = CONTROL.get(node.op)?.advice;
    const what = `${node.op} '${node.name}' depends on the numbers of the input '${name}'`;
    const why = 'which are only known when the model runs and are no integers';
    throw new RnnError(
      'UNSUPPORTED_OPERATOR',
      path,
      `${what}, ${why}${advice ? `: ${advice}` : ''}`,
    );
  }
}

/** Names of the values whose numbers depend on the numbers, not only the shapes, of the inputs. */
export function dependentValues(graph: Graph): ReadonlySet<string> {
  const dependent = new Set(graph.inputs.map((input) => input.name));
  for (const node of graph.nodes) {
    if ((CONTROL.get(node.op) ?? OPERATORS.get(node.op))?.shapeOnly) continue;
    if (valuesRead(node).some((name) => dependent.has(name))) {
      for (const output of node.outputs) if (output !== '') dependent.add(output);
    }
  }
  return dependent;
}
