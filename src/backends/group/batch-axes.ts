// Which axes of the inputs, states and outputs of a streamed graph are its batch, and whether the rows of a batch
// are independent: time is followed through the graph as for streams, with the batch in the place of time. Then
// no node may carry anything from row to row, or mix them.
import { RnnError } from '../../errors.ts';
import { BATCH_NAME } from '../../plan/specialize/dimension-names.ts';
import type { EvaluatorOptions, SpecializedGraph } from '../../plan/specialize/infer.ts';
import { timeAnalysis } from '../../plan/specialize/time-axis/registry.ts';
import { NeedsMultiple } from '../../plan/specialize/time-axis/tag.ts';
import type { Tensors } from '../backend.ts';
import { StreamFeeds } from '../stream-feeds.ts';
import type { StreamedGraph } from '../stateful-graph.ts';
import { rowOf, sameNumbers, stack } from './rows.ts';

type Axes = ReadonlyMap<string, number>;

/** Where the rows of a batch are. */
export interface BatchAxes {
  /** By name of the input; inputs without are the same for all rows. */
  readonly inputs: Axes;
  /** By name of the input that takes the state. */
  readonly states: Axes;
  /** By name of the output; what else a trace reads may be the same for all rows, and is not here then. */
  readonly outputs: Axes;
}

const refusal = (path: string, why: string): RnnError =>
  new RnnError(
    'UNSUPPORTED_OPERATOR',
    path,
    `the streams of this model cannot be computed together: ${why}. Instead, model.stream() makes streams that ` +
      'are computed one by one',
  );

/** Axes that may be the batch: free ones of size 1, one for each input, those of more inputs first. */
function candidatesOf({ graph, slots }: StreamedGraph, feeds: Tensors): readonly Axes[] {
  const states = new Set(slots.map(({ input }) => input));
  const places = new Map<string, Map<string, number>>();
  for (const { name, dims } of graph.inputs) {
    if (states.has(name)) continue;
    dims.forEach((dim, axis) => {
      if (typeof dim === 'number' || feeds[name]!.dims[axis] !== 1) return;
      const found = places.get(dim) ?? new Map<string, number>();
      if (!found.has(name)) places.set(dim, found.set(name, axis));
    });
  }
  const rank = (symbol: string): number => (BATCH_NAME.test(symbol) ? 0 : 1);
  const symbols = [...places.keys()].toSorted((a, b) => rank(a) - rank(b));
  let candidates: Axes[] = [];
  for (const symbol of symbols) {
    const more = places.get(symbol)!;
    const joined = [new Map<string, number>(), ...candidates]
      .filter((axes) => [...more.keys()].every((name) => !axes.has(name)))
      .map((axes) => new Map([...axes, ...more]));
    candidates = [...candidates, ...joined].slice(0, 256);
  }
  return candidates.toSorted((a, b) => b.size - a.size);
}

/** The axis that has as many places as there are rows, at both numbers of rows. */
function axisOf(a: readonly number[], b: readonly number[], rows: readonly [number, number]) {
  const axes = [...a.keys()].filter((axis) => a[axis] !== b[axis]);
  const [axis] = axes;
  const isOne = a.length === b.length && axes.length === 1;
  return isOne && a[axis!] === rows[0] && b[axis!] === rows[1] ? axis : undefined;
}

const ROWS = [2, 4] as const;

/** What batch axes are found from. */
export interface BatchRequest {
  readonly streamed: StreamedGraph;
  /** Checked feeds of one row. */
  readonly feeds: Tensors;
  /** Names of the values to compute: outputs, and what a trace reads. */
  readonly wanted: readonly string[];
  readonly limits: EvaluatorOptions;
  /** Axes of the states, where they are kept already. */
  readonly known?: Axes | undefined;
}

/** @throws RnnError where rows along these axes are not independent, or do not fit the graph */
function tried(request: BatchRequest, inputs: Axes): BatchAxes {
  const { streamed, feeds, wanted, limits } = request;
  const { graph, slots } = streamed;
  const at = (rows: number) => {
    const tiled = Object.entries(feeds).map(([name, value]) => {
      const axis = inputs.get(name);
      return [name, axis === undefined ? value : stack(axis, rows, () => value)];
    });
    return new StreamFeeds(streamed, rows, limits).check(Object.fromEntries(tiled));
  };
  const [one, two] = ROWS.map(at) as [ReturnType<typeof at>, ReturnType<typeof at>];
  const states = new Map<string, number>();
  for (const { input } of slots) {
    const [a, b] = [one.initial[input]!, two.initial[input]!];
    const axis = axisOf(a.dims, b.dims, ROWS);
    if (axis === undefined)
      throw refusal(`state.${input}`, 'this state has no row for each row of the inputs');
    states.set(input, axis);
    const [first, last] = [rowOf(b, axis, 0), rowOf(b, axis, ROWS[1] - 1)];
    if (!sameNumbers(first.data, last.data)) {
      throw refusal(`state.${input}`, 'this state begins with other numbers in each row');
    }
  }
  const [first, second] = [one.call.specialized, two.call.specialized];
  refuseMixed(streamed, { first, second }, new Map([...inputs, ...states]));
  const outputs = new Map<string, number>();
  const own = [...graph.outputs.map((info) => info.name), ...slots.map((slot) => slot.output)];
  for (const name of new Set([...own, ...wanted])) {
    const axis = axisOf(first.value(name)!.dims, second.value(name)!.dims, ROWS);
    if (axis !== undefined) outputs.set(name, axis);
    else if (own.includes(name))
      throw refusal(`outputs.${name}`, 'this output has no row for each row of the inputs');
  }
  return { inputs, states, outputs };
}

/** @throws RnnError `UNSUPPORTED_OPERATOR` with the first node that may mix rows */
function refuseMixed(
  { graph, slots }: StreamedGraph,
  chunks: { readonly first: SpecializedGraph; readonly second: SpecializedGraph },
  time: Axes,
): void {
  const analysis = timeAnalysis();
  if (!analysis) throw refusal('graph', 'nothing is known of its operators');
  let followed;
  try {
    followed = analysis.followTime({
      graph,
      chunks: { ...chunks, lengths: ROWS },
      time,
      states: new Set(),
      feedback: slots.map(({ output }) => output),
      asIs: new Set(),
    });
  } catch (error) {
    if (error instanceof NeedsMultiple) throw refusal('graph', 'it puts rows of a batch together');
    throw error;
  }
  const { refusals, carries, multiple } = followed;
  const [refused] = refusals;
  const [carried] = carries.keys();
  const path = refused?.path ?? (carried === undefined ? undefined : `graph.nodes[${carried}]`);
  const node = refused ?? (carried === undefined ? undefined : graph.nodes[carried]);
  if (path && node)
    throw refusal(path, `${node.op} '${node.name}' mixes the rows of a batch, or may`);
  if (multiple > 1) throw refusal('graph', 'it puts rows of a batch together');
}

/**
 * Finds the axes of the batch.
 *
 * @throws RnnError `UNSUPPORTED_OPERATOR` naming the node, the state or the output for which streams cannot be
 *   rows of a batch, or the input whose batch is not free
 */
export function findBatchAxes(request: BatchRequest): BatchAxes {
  const { streamed, feeds, known } = request;
  let reason: RnnError | undefined;
  for (const axes of candidatesOf(streamed, feeds)) {
    try {
      const found = tried(request, axes);
      if (!known || [...known].every(([name, axis]) => found.states.get(name) === axis))
        return found;
    } catch (error) {
      if (!(error instanceof RnnError)) throw error;
      // A node that mixes rows says more than shapes that do not fit.
      const isRefusal =
        error.path.startsWith('graph.nodes') && error.code === 'UNSUPPORTED_OPERATOR';
      if (!reason || isRefusal) reason = error;
    }
  }
  if (reason?.code === 'UNSUPPORTED_OPERATOR') throw reason;
  const names = streamed.graph.inputs.map(({ name }) => name).filter((name) => name in feeds);
  const [path = 'inputs'] = names.map((name) => `inputs.${name}`);
  const shapes = names.map((name) => `'${name}' [${feeds[name]!.dims.join(', ')}]`).join(', ');
  const why = `no free dimension of the inputs is a batch of one row, got ${shapes}`;
  throw refusal(path, reason ? `${why}: ${reason.message}` : why);
}
