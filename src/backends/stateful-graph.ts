// Makes of a graph one that takes and gives its state, which is all that a stream needs: a state is an input,
// and an output that is fed back to it.
import { RnnError } from '../errors.ts';
import { cellOf } from '../cells/index.ts';
import type { Graph, Node } from '../graph.ts';
import { initialStateSlot, isGraph, recurrentAttributes } from '../graph.ts';
import { CONTROL } from '../ops/registry.ts';
import { dependentValues } from '../plan/specialize/shape-inputs.ts';
import { timeAnalysis, ALTERNATIVES } from '../plan/specialize/time-axis/registry.ts';
import type {
  ChunkMode,
  TimeAnalysis,
  TimeRequest,
} from '../plan/specialize/time-axis/registry.ts';
import type { Carry } from '../plan/specialize/time-axis/tag.ts';
import { isFloat } from '../tensor.ts';
import { CarryWriter, type StateSlot } from './carry-nodes.ts';

export type { StateSlot } from './carry-nodes.ts';

/** What chunks a stream takes: those whose time axes are a multiple of some length. */
export interface ChunkRule {
  readonly multiple: number;
  /** Axis of time by name of the input. */
  readonly time: ReadonlyMap<string, number>;
}

/** A graph made for streaming. */
export interface StreamedGraph {
  /** The graph with state as inputs and outputs. */
  readonly graph: Graph;
  /** The graph before that, with names for all final states: it tells shapes and initial values. */
  readonly probe: Graph;
  readonly slots: readonly StateSlot[];
  readonly chunk: ChunkRule;
}

/** What a stream is asked to carry; see `StreamOptions` in model.ts. */
export interface CarryRequest {
  readonly state?: Readonly<Record<string, string>>;
  readonly carry?: readonly string[];
  readonly chunks?: ChunkMode;
  readonly timeAxis?: Readonly<Record<string, number>>;
  readonly dims?: Readonly<Record<string, readonly number[]>>;
  readonly batch?: number;
  readonly maxUnrolled?: number | undefined;
}

/** Slots of the initial states of a recurrent node. */
const initialNames = (node: Node): string[] =>
  cellOf(recurrentAttributes(node).cell).states.map(
    (_, k) => node.inputs[initialStateSlot(k)] ?? '',
  );

/** Whether a node is a layer whose state no input has a say in. */
const isOwn = (node: Node, dependent: ReadonlySet<string>): boolean =>
  node.op === 'Recurrent' && !initialNames(node).some((name) => dependent.has(name));

function refuseHidden(graph: Graph, path: string): void {
  graph.nodes.forEach((node, i) => {
    const where = `${path}.nodes[${i}]`;
    if (node.op === 'Recurrent' && !node.inputs[5]) {
      throw new RnnError(
        'UNSUPPORTED_OPERATOR',
        where,
        `a stream cannot carry the state of '${node.name}', which is inside an If, a Loop or a Scan`,
      );
    }
    for (const [key, value] of Object.entries(node.attributes)) {
      if (isGraph(value)) refuseHidden(value, `${where}.${key}`);
    }
  });
}

/**
 * Refuses a loop that begins from numbers that no input has a say in: from step to step that is
 * state, which nothing would carry.
 */
function refuseCarried(
  graph: Graph,
  node: Node,
  path: string,
  dependent: ReadonlySet<string>,
): void {
  for (const { enters, repeats, graph: body } of CONTROL.get(node.op)?.wire?.(node, path) ?? []) {
    for (const [outside, inside] of enters) {
      const declared = body.inputs.find(({ name }) => name === inside);
      const type = graph.constants.get(outside)?.type ?? declared?.type;
      const isCarried = repeats.some(([, to]) => to === inside);
      if (!isCarried || dependent.has(outside) || !type || !isFloat(type)) continue;
      throw new RnnError(
        'UNSUPPORTED_OPERATOR',
        path,
        `a stream cannot carry the state of ${node.op} '${node.name}', which begins with ` +
          `'${outside}' at each call: export it with that value as an input and the last one as ` +
          'an output, and name the pair in `state`, or use run',
      );
    }
  }
}

/** Refuses state inside of a node of control flow, which no stream could carry. */
function refuseInside(
  graph: Graph,
  node: Node,
  path: string,
  dependent: ReadonlySet<string>,
): void {
  refuseCarried(graph, node, path, dependent);
  for (const [key, value] of Object.entries(node.attributes)) {
    if (isGraph(value)) refuseHidden(value, `${path}.${key}`);
  }
}

/**
 * What an analysis finds, unless there is state inside of control flow that it does not carry.
 *
 * @throws RnnError `UNSUPPORTED_OPERATOR` for such a node, whatever else is wrong with the graph
 */
function refusingInside(
  graph: Graph,
  dependent: ReadonlySet<string>,
  analyse: () => TimeAnalysis,
): TimeAnalysis {
  const check = (isCarried: (index: number) => boolean): void =>
    graph.nodes.forEach((node, i) => {
      if (!isCarried(i)) refuseInside(graph, node, `graph.nodes[${i}]`, dependent);
    });
  let found: TimeAnalysis;
  try {
    found = analyse();
  } catch (error) {
    check(() => false); // it says more of the cause
    throw error;
  }
  check((index) => found.carries.get(index)?.kind === 'loop');
  return found;
}

/** The pairs that the caller names, checked. */
function namedSlots(graph: Graph, pairs: Readonly<Record<string, string>>): StateSlot[] {
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const inputs = new Set(graph.inputs.map(({ name }) => name));
  const slots: StateSlot[] = [];
  for (const [output, input] of Object.entries(pairs)) {
    const fail = (what: string): never => {
      throw new RnnError('INVALID_ARGUMENT', `state.${output}`, what);
    };
    if (!outputs.has(output)) {
      fail(`'${output}' is no output, expected one of ${[...outputs].join(', ')}`);
    }
    if (!inputs.has(input)) {
      fail(`'${input}' is no input, expected one of ${[...inputs].join(', ')}`);
    }
    if (slots.some((slot) => slot.input === input)) fail(`'${input}' is fed back to twice`);
    slots.push({ input, output });
  }
  return slots;
}

const NOTHING: TimeAnalysis = { carries: new Map(), multiple: 1, time: new Map() };

const carrying = (indices: readonly number[], repeats: readonly number[] = []): TimeAnalysis => ({
  ...NOTHING,
  carries: new Map(
    indices.map((index): [number, Carry] => [
      index,
      { kind: 'state', repeats: repeats.includes(index) },
    ]),
  ),
});

/** The layers that the caller names. */
function namedLayers(
  graph: Graph,
  names: readonly string[],
  dependent: ReadonlySet<string>,
): TimeAnalysis {
  const indices = names.map((name, i) => {
    const index = graph.nodes.findIndex((node) => node.name === name && node.op === 'Recurrent');
    const node = graph.nodes[index];
    const path = `options.carry[${i}]`;
    if (!node) {
      const known = graph.nodes.flatMap(({ op, name: other }) =>
        op === 'Recurrent' ? [other] : [],
      );
      const what = `got '${name}', expected a recurrent layer: ${known.join(', ') || 'there is none'}`;
      throw new RnnError('INVALID_ARGUMENT', path, what);
    }
    if (!isOwn(node, dependent)) {
      const what = `'${name}' begins from '${initialNames(node).find((each) => dependent.has(each))}', which is `;
      const advice = 'not its own state: name the output and the input that carry it in `state`';
      throw new RnnError('INVALID_ARGUMENT', path, what + advice);
    }
    return index;
  });
  return carrying(indices);
}

/** A graph of recurrent layers alone: each runs along the time axis of its own input. */
function layersAlone(
  { nodes }: Graph,
  mode: ChunkMode,
  states: ReadonlySet<string>,
  dependent: ReadonlySet<string>,
): TimeAnalysis {
  const indices = nodes.flatMap((node, i) => {
    const { direction } = recurrentAttributes(node);
    const given = initialNames(node).find((name) => dependent.has(name) && !states.has(name));
    const isPaired = initialNames(node).some((name) => states.has(name));
    const why =
      direction !== 'forward'
        ? `is ${direction} along time and needs the whole sequence`
        : given !== undefined && !isPaired
          ? `begins each chunk from '${given}': name the output that it is fed back from in \`state\``
          : undefined;
    if (why !== undefined && mode === 'exact' && !isPaired) {
      const what = `a stream cannot compute Recurrent '${node.name}' chunk by chunk: it ${why}. Instead, `;
      throw new RnnError('UNSUPPORTED_OPERATOR', `graph.nodes[${i}]`, what + ALTERNATIVES);
    }
    return why === undefined && !isPaired ? [i] : [];
  });
  const repeats = indices.filter((i) => {
    const { inputs, outputs } = nodes[i]!;
    const isMasked = inputs[8] && recurrentAttributes(nodes[i]!).maskedOutput === 'repeat';
    return isMasked && !inputs[4] && outputs[0] !== '';
  });
  return carrying(indices, repeats);
}

/** What to carry of a graph. */
function analysed(graph: Graph, slots: readonly StateSlot[], request: CarryRequest): TimeAnalysis {
  const { carry, chunks = 'exact', timeAxis, dims, batch = 1, maxUnrolled } = request;
  const dependent = dependentValues(graph);
  if (carry) return namedLayers(graph, carry, dependent);
  const indices = (accepts: (node: Node) => boolean): number[] =>
    graph.nodes.flatMap((node, i) => (accepts(node) ? [i] : []));
  if (!timeAxis) {
    // Layers of Keras that are stateful go on from call to call, in any direction; nothing else does.
    const stateful = indices(
      (node) => recurrentAttributes(node).stateful === true && isOwn(node, dependent),
    );
    if (stateful.length > 0) return carrying(stateful);
  }
  const states = new Set(slots.map(({ input }) => input));
  const analyser = timeAnalysis();
  if (!analyser || graph.nodes.every(({ op }) => op === 'Recurrent')) {
    return layersAlone(graph, chunks, states, dependent);
  }
  const common: TimeRequest = {
    graph,
    states,
    feedback: slots.map(({ output }) => output),
    timeAxis,
    batch,
    maxUnrolled,
    ...(dims && { dims }),
  };
  if (slots.length === 0 || timeAxis) {
    const analyse = (): TimeAnalysis => analyser.analyseTime(common, chunks);
    return chunks === 'exact' ? refusingInside(graph, dependent, analyse) : analyse();
  }
  if (chunks === 'exact') refusingInside(graph, dependent, () => NOTHING);
  const own = indices((node) => isOwn(node, dependent));
  const named = indices((node) => node.op === 'Recurrent' && !isOwn(node, dependent));
  const main = (named.length > 0 ? named : own).map((index) => `graph.nodes[${index}]`);
  return analyser.analyseOwnLayers({ ...common, main: new Set(main) }, own);
}

/**
 * Makes the state of a graph explicit.
 *
 * @throws RnnError `INVALID_ARGUMENT` for a pair, a layer or an axis that does not exist, and where nothing
 *   tells which axis is time; `UNSUPPORTED_OPERATOR` for a node that needs the whole sequence, with its path
 */
export function streamGraph(graph: Graph, request: CarryRequest): StreamedGraph {
  const key = JSON.stringify(request);
  const known = streamedGraphs.get(graph) ?? new Map<string, StreamedGraph>();
  streamedGraphs.set(graph, known);
  let streamed = known.get(key);
  if (!streamed) known.set(key, (streamed = makeStreamed(graph, request)));
  return streamed;
}

/** What was made for the streams of a graph before, by what they were asked to carry. */
const streamedGraphs = new WeakMap<Graph, Map<string, StreamedGraph>>();

function makeStreamed(graph: Graph, request: CarryRequest): StreamedGraph {
  const named = namedSlots(graph, request.state ?? {});
  const { carries, multiple, time } = analysed(graph, named, request);
  const writer = new CarryWriter(graph, named);
  graph.nodes.forEach((node, i) => writer.add(node, carries.get(i)));
  const { slots } = writer;
  return { graph: writer.graph, probe: writer.probe, slots, chunk: { multiple, time } };
}
