// The interpreter: a graph in float64, node by node. It is what every backend is compared with, so
// it is as short as it can be and shares no arithmetic with the kernels.
import { RnnError } from './errors.ts';
import { checkFeeds } from './feeds.ts';
import { isGraph, type Graph, type Node } from './graph.ts';
import type { HostValue } from './ops/operator.ts';
import { operatorOf } from './ops/registry.ts';
import { toHost } from './ops/value.ts';
import type { Tensor } from './tensor.ts';

type Scope = Map<string, HostValue>;

/**
 * Runs a graph in float64.
 *
 * @param outputs names of the values wanted, inner ones too; the outputs of the graph when left out
 * @throws RnnError for feeds or a model that do not fit
 */
export function runReference(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
  outputs: readonly string[] = graph.outputs.map((output) => output.name),
): Map<string, HostValue> {
  checkFeeds(graph.inputs, feeds);
  const scope: Scope = new Map();
  for (const { name } of graph.inputs) scope.set(name, toHost(feeds[name]!, `feeds.${name}`));
  runGraph(graph, scope, new Set(outputs), 'graph');
  return new Map(
    outputs.map((name, i) => {
      const value = scope.get(name);
      if (value === undefined) {
        const what = `unknown value, got '${name}', expected one that the model makes`;
        throw new RnnError('INVALID_ARGUMENT', `outputs[${i}]`, what);
      }
      return [name, value];
    }),
  );
}

/** Adds to the scope the wanted values that the graph makes, and what they need. */
function runGraph(graph: Graph, scope: Scope, wanted: Set<string>, path: string): void {
  const needed = graph.nodes.map(() => false);
  for (const [i, node] of [...graph.nodes.entries()].toReversed()) {
    needed[i] = node.outputs.some((name) => name !== '' && wanted.has(name));
    if (needed[i]) for (const name of valuesRead(node)) wanted.add(name);
  }
  for (const [name, constant] of graph.constants) {
    if (wanted.has(name)) scope.set(name, toHost(constant, `${path}.constants['${name}']`));
  }
  graph.nodes.forEach((node, i) => {
    if (!needed[i]) return;
    const results = runNode(node, scope, `${path}.nodes[${i}]`);
    node.outputs.forEach((name, slot) => {
      if (name !== '') scope.set(name, results[slot]!);
    });
  });
}

/** Names that a node reads, also from inside its branches. */
function valuesRead(node: Node): string[] {
  const inside = Object.values(node.attributes)
    .filter(isGraph)
    .flatMap((graph) => [
      ...graph.outputs.map((output) => output.name),
      ...graph.nodes.flatMap(valuesRead),
    ]);
  return [...node.inputs.filter((name) => name !== ''), ...inside];
}

function runNode(node: Node, scope: Scope, path: string): readonly HostValue[] {
  if (node.op === 'If') return runIf(node, scope, path);
  const inputs = node.inputs.map((name) => (name === '' ? undefined : scope.get(name)));
  return operatorOf(node, path).evaluate(node, inputs, path);
}

// https://onnx.ai/onnx/operators/onnx__If.html
function runIf(node: Node, scope: Scope, path: string): readonly HostValue[] {
  const condition = scope.get(node.inputs[0] ?? '')?.data;
  if (condition?.length !== 1) {
    const got = `${condition?.length ?? 'no'} elements`;
    throw new RnnError(
      'SHAPE_MISMATCH',
      `${path}.inputs[0]`,
      `condition, got ${got}, expected one`,
    );
  }
  const name = condition[0] === 0 ? 'else_branch' : 'then_branch';
  const branch = node.attributes[name];
  const count = isGraph(branch) ? branch.outputs.length : 0;
  if (!isGraph(branch) || count < node.outputs.length) {
    const what = `outputs of a graph, got ${count}, expected ${node.outputs.length}`;
    throw new RnnError('INVALID_MODEL', `${path}.${name}`, what);
  }
  const inner: Scope = new Map(scope);
  const names = branch.outputs.map((output) => output.name);
  runGraph(branch, inner, new Set(names), `${path}.${name}`);
  return names.map((output) => inner.get(output)!);
}
