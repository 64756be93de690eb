// Finds the operators of a graph that the engine does not have.
import { RnnError } from '../errors.ts';
import type { Graph } from '../graph.ts';
import { isGraph } from '../graph.ts';
import { CONTROL, operatorNames, OPERATORS } from './registry.ts';

/** A node whose operator the engine does not have. */
interface Missing {
  readonly op: string;
  readonly name: string;
  readonly path: string;
}

function find(graph: Graph, path: string): Missing[] {
  return graph.nodes.flatMap((node, i) => {
    const { op, name, attributes } = node;
    const where = `${path}.nodes[${i}]`;
    CONTROL.get(op)?.wire?.(node, where);
    const inside = Object.entries(attributes).flatMap(([key, value]) =>
      isGraph(value) ? find(value, `${where}.${key}`) : [],
    );
    const isThere = CONTROL.has(op) || OPERATORS.has(op);
    return isThere ? inside : [{ op, name, path: where }, ...inside];
  });
}

/**
 * The nodes of a graph, inside branches too, whose operators the engine does not have.
 *
 * @throws RnnError `INVALID_MODEL` for a node of control flow that does not fit the graphs inside
 */
export function missingOperators(graph: Graph): readonly Missing[] {
  return find(graph, 'graph');
}

/**
 * Whether a graph needs no operator beyond recurrence, in a stream either: a layer whose masked steps repeat
 * the output before them needs some to find it in the chunk before.
 */
export function usesOnlyRecurrence(graph: Graph): boolean {
  return graph.nodes.every(
    ({ op, inputs, attributes }) =>
      op === 'Recurrent' && !(inputs[8] && attributes['maskedOutput'] === 'repeat'),
  );
}

/**
 * Refuses a graph with operators that the engine lacks, all of them at once.
 *
 * @throws RnnError `UNSUPPORTED_OPERATOR` with the path of the first, every missing operator with
 *   its nodes, and the list of what there is; `INVALID_MODEL` as {@link missingOperators}
 */
export function refuseMissingOperators(graph: Graph): void {
  const missing = missingOperators(graph);
  if (missing.length === 0) return;
  const byOp = new Map<string, Missing[]>();
  for (const item of missing) byOp.set(item.op, [...(byOp.get(item.op) ?? []), item]);
  const list = [...byOp].map(([op, items]) => {
    const names = items.slice(0, 3).map(({ name, path }) => `'${name}' at ${path}`);
    return `${op} (${names.join(', ')}${items.length > 3 ? `, and ${items.length - 3} more` : ''})`;
  });
  throw new RnnError(
    'UNSUPPORTED_OPERATOR',
    missing[0]!.path,
    `no ${list.join('; no ')}. There are: ${operatorNames().join(', ')}`,
  );
}
