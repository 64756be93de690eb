// A call with `trace`: it also computes what named layers read and give, from which trace.ts computes their gates.
import { RnnError } from '../errors.ts';
import type { Graph, Node } from '../graph.ts';
import type { Tensor } from '../tensor.ts';
import type { TracedResults } from './trace.ts';

/** The layers of a graph that can be traced, by name. */
function layersOf(graph: Graph): ReadonlyMap<string, Node> {
  const layers = graph.nodes.filter(({ op }) => op === 'Recurrent');
  return new Map(layers.map((node) => [node.name, node]));
}

/** @throws RnnError `INVALID_ARGUMENT` for a name that is no layer, and for an output that is called `trace` */
function tracedNodes(graph: Graph, names: unknown, outputs: readonly string[]): readonly Node[] {
  const layers = layersOf(graph);
  const known = [...layers.keys()].join(', ') || 'there is none';
  if (!Array.isArray(names)) {
    const what = `got ${JSON.stringify(names)}, expected a list of recurrent layers: ${known}`;
    throw new RnnError('INVALID_ARGUMENT', 'options.trace', what);
  }
  if (outputs.includes('trace')) {
    const what = `the model has an output 'trace', whose place the trace would take: leave it out by \`outputs\``;
    throw new RnnError('INVALID_ARGUMENT', 'options.trace', what);
  }
  return names.map((name: unknown, i) => {
    const node = layers.get(name as string);
    if (node) return node;
    const what = `got '${String(name)}', expected a recurrent layer: ${known}`;
    throw new RnnError('INVALID_ARGUMENT', `options.trace[${i}]`, what);
  });
}

/**
 * Makes a call whose results have a trace of some layers.
 *
 * @param call computes values of the graph by name. It is called before anything is waited for, so that calls
 *   take effect in the order they are made
 * @throws RnnError `INVALID_ARGUMENT` for a name that is no layer, with the names that there are
 */
export async function tracedCall(
  graph: Graph,
  names: readonly string[],
  outputs: readonly string[],
  call: (names: readonly string[]) => Promise<Record<string, Tensor>>,
): Promise<TracedResults> {
  const nodes = tracedNodes(graph, names, outputs);
  const needed = nodes
    .flatMap((node) => [...node.inputs, ...node.outputs])
    .filter((name) => name !== '' && !graph.constants.has(name));
  const values = await call([...new Set([...outputs, ...needed])]);
  const { traceOf } = await import('./trace.ts');
  const traces = nodes.map((node) => {
    const lookup = (name: string): Tensor => graph.constants.get(name) ?? values[name]!;
    return [node.name, traceOf(node, lookup)] as const;
  });
  const results = Object.fromEntries(outputs.map((name) => [name, values[name]!]));
  // Whoever goes through the results finds outputs only.
  const property = { value: Object.fromEntries(traces) };
  return Object.defineProperty(results, 'trace', property) as TracedResults;
}
