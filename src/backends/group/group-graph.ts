// Puts the states of many streams around a streamed graph. All rows are one state of the graph; a step gathers
// those of the streams that take part, and writes what becomes of them back. So it is one plan and one submit,
// on every backend.
import type { Graph, Node, ValueInfo } from '../../graph.ts';
import type { Tensor } from '../../tensor.ts';
import { UniqueNames } from '../../unique-names.ts';
import type { Tensors } from '../backend.ts';
import type { StreamedGraph } from '../stateful-graph.ts';
import { rowOf, stack, writeRow } from './rows.ts';

/** A streamed graph with the states of all streams of a group. */
export interface GroupGraph {
  readonly streamed: StreamedGraph;
  /**
   * Input int32 [n]: the row of each stream that takes part. Row `capacity` is none's: it is never written, and
   * holds what a stream begins with.
   */
  readonly rows: string;
  /**
   * Input int32 [capacity + 1]: where each row is after the step, among all rows before it and then the n rows that
   * it has computed.
   */
  readonly after: string;
  /** The state of all rows by the name of the state of one. */
  readonly all: ReadonlyMap<string, string>;
  /** What all rows begin with, by those names. */
  readonly initial: Tensors;
}

/**
 * Makes the graph of a group.
 *
 * @param axes of the batch, by name of the state
 * @param one state of one row that a stream begins with
 */
export function groupGraph(
  { graph, slots }: StreamedGraph,
  axes: ReadonlyMap<string, number>,
  one: Tensors,
  capacity: number,
): GroupGraph {
  const names = new UniqueNames([
    ...graph.inputs.map(({ name }) => name),
    ...graph.constants.keys(),
    ...graph.nodes.flatMap(({ name, outputs }) => [name, ...outputs]),
  ]);
  const [rows, after] = [names.take('group.rows'), names.take('group.after')];
  const initial: Record<string, Tensor> = {};
  const all = new Map<string, string>();
  const before: Node[] = [];
  const behind: Node[] = [];
  const node = (op: string, inputs: string[], axis: number, output: string): Node => ({
    op,
    name: names.take(`${output}/${op}`),
    inputs,
    outputs: [output],
    attributes: { axis },
  });
  const states = slots.map(({ input, output }) => {
    const axis = axes.get(input)!;
    const state = names.take(`${input}.all`);
    const [joined, next] = [names.take(`${state}.joined`), names.take(`${state}.next`)];
    const begin = stack(axis, capacity + 1, () => one[input]!);
    all.set(input, state);
    initial[state] = begin;
    before.push(node('Gather', [state, rows], axis, input));
    behind.push(node('Concat', [state, output], axis, joined));
    behind.push(node('Gather', [joined, after], axis, next));
    return { input: state, output: next, begin: () => begin };
  });
  const own: ValueInfo[] = [
    ...graph.inputs.filter(({ name }) => !all.has(name)),
    { name: rows, type: 'int32', dims: [`${rows}.n`] },
    { name: after, type: 'int32', dims: [capacity + 1] },
  ];
  const infos = states.map(({ input }): ValueInfo => {
    const { type, dims } = initial[input]!;
    return { name: input, type, dims };
  });
  const grouped: Graph = {
    ...graph,
    inputs: [...own, ...infos],
    nodes: [...before, ...graph.nodes, ...behind],
  };
  const probe: Graph = {
    name: graph.name,
    inputs: own,
    outputs: [],
    constants: new Map(),
    nodes: [],
  };
  const chunk = { multiple: 1, time: new Map<string, number>() };
  return { streamed: { graph: grouped, probe, slots: states, chunk }, rows, after, all, initial };
}

/** The state of one row, from that of all. */
export function stateOf(
  { all }: GroupGraph,
  axes: ReadonlyMap<string, number>,
  states: Tensors,
  row: number,
): Record<string, Tensor> {
  const own = [...axes].map(([name, axis]) => [name, rowOf(states[all.get(name)!]!, axis, row)]);
  return Object.fromEntries(own) as Record<string, Tensor>;
}

/** Writes the state of one row into that of all. */
export function writeState(
  { all }: GroupGraph,
  axes: ReadonlyMap<string, number>,
  states: Tensors,
  row: number,
  state: Tensors,
): void {
  for (const [name, axis] of axes) writeRow(states[all.get(name)!]!, axis, row, state[name]!);
}
