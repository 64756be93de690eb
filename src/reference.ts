// The interpreter: a graph in float64, node by node. It is what every backend is compared with, so
// it is as short as it can be and shares no arithmetic with the kernels.
import { RnnError } from './errors.ts';
import { checkFeeds } from './feeds.ts';
import { valuesRead, type Graph, type Node } from './graph.ts';
import {
  Scope,
  Sequence,
  sequenceOutput,
  tensorsOf,
  Unrolling,
  type Flow,
  type Item,
} from './ops/control.ts';
import { ElementBudget } from './ops/element-budget.ts';
import type { HostValue } from './ops/operator.ts';
import { CONTROL, operatorOf } from './ops/registry.ts';
import { toHost } from './ops/value.ts';
import type { Tensor } from './tensor.ts';

type Values = Scope<Item<HostValue>>;

/** What ends a run before it takes the memory of the machine. */
interface Limits {
  readonly unrolling: Unrolling;
  readonly budget: ElementBudget;
}

/**
 * Runs a graph in float64.
 *
 * @param outputs names of the values wanted, inner ones too; the outputs of the graph when left out
 * @param maxUnrolled nodes that loops may come to
 * @param maxLiveElements elements that it may hold at once, besides the weights and the feeds
 * @throws RnnError for feeds or a model that do not fit, `LIMIT_EXCEEDED` beyond the limits
 */
export function runReference(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
  outputs: readonly string[] = graph.outputs.map((output) => output.name),
  maxUnrolled?: number,
  maxLiveElements?: number,
): Map<string, HostValue> {
  checkFeeds(graph.inputs, feeds);
  const scope: Values = new Scope();
  for (const { name } of graph.inputs) scope.set(name, toHost(feeds[name]!, `feeds.${name}`));
  const limits = {
    unrolling: new Unrolling(maxUnrolled, false),
    budget: new ElementBudget(maxLiveElements),
  };
  const run = prepared(graph, scope, new Set(outputs), 'graph', limits);
  run(scope);
  return new Map(
    outputs.map((name, i) => {
      const value = scope.get(name);
      if (value === undefined) {
        const what = `unknown value, got '${name}', expected one that the model makes`;
        throw new RnnError('INVALID_ARGUMENT', `outputs[${i}]`, what);
      }
      if (value instanceof Sequence) throw sequenceOutput(name);
      return [name, value];
    }),
  );
}

/**
 * Adds the constants of a graph to the scope around it. The function that it returns adds to a scope
 * the wanted values that the graph makes, and what they need.
 */
function prepared(
  graph: Graph,
  around: Values,
  wanted: Set<string>,
  path: string,
  limits: Limits,
): (scope: Values) => void {
  const needed = graph.nodes.map(() => false);
  for (const [i, node] of [...graph.nodes.entries()].toReversed()) {
    needed[i] = node.outputs.some((name) => name !== '' && wanted.has(name));
    if (needed[i]) for (const name of valuesRead(node)) wanted.add(name);
  }
  for (const [name, constant] of graph.constants) {
    if (wanted.has(name)) around.set(name, toHost(constant, `${path}.constants['${name}']`));
  }
  return (scope) =>
    graph.nodes.forEach((node, i) => {
      if (!needed[i]) return;
      const results = runNode(node, scope, `${path}.nodes[${i}]`, limits);
      node.outputs.forEach((name, slot) => {
        if (name !== '') scope.set(name, results[slot]!);
      });
    });
}

function runNode(
  node: Node,
  scope: Values,
  path: string,
  limits: Limits,
): readonly (Item<HostValue> | undefined)[] {
  const inputs = node.inputs.map((name) => (name === '' ? undefined : scope.get(name)));
  const control = CONTROL.get(node.op);
  const { unrolling, budget } = limits;
  if (!control) {
    return operatorOf(node, path).evaluate(node, tensorsOf(node, inputs, path), path, budget);
  }
  const flow: Flow<HostValue> = {
    unrolling,
    numbers: (value) => value,
    literal: (value) => value,
    apply: (op, values, attributes = {}) => {
      const made = { op, name: node.name, inputs: values.map(() => op), outputs: [op], attributes };
      return operatorOf(made, path).evaluate(made, values, path, budget)[0]!;
    },
    enter: (graph, key) => {
      const names = graph.outputs.map((output) => output.name);
      const around: Values = new Scope(scope);
      const run = prepared(graph, around, new Set(names), `${path}.${key}`, limits);
      return (given) => {
        const inner: Values = new Scope(around);
        graph.inputs.forEach(({ name }, k) => inner.set(name, given[k]!));
        const { used } = budget;
        run(inner);
        const results = names.map((name) => inner.get(name)!);
        const held = results.flatMap((item) => (item instanceof Sequence ? item.items : [item]));
        // What the graph inside has computed on the way is garbage now.
        const remaining = held.reduce((sum, { data }) => sum + data.length, 0);
        budget.release(used, Math.min(remaining, budget.used - used));
        return results;
      };
    },
  };
  return control.run({ node, path, inputs, flow });
}
