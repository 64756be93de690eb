// Makes of a decoder a graph for beam search: its states begin a step in the order of the hypotheses that go on, and it
// gives the best continuations of each.
import { RnnError } from '../errors.ts';
import type { Graph, ValueInfo } from '../graph.ts';
import type { Session, StreamSession, Tensors } from '../backends/backend.ts';
import { streamGraph, type StreamedGraph } from '../backends/stateful-graph.ts';
import { StreamFeeds } from '../backends/stream-feeds.ts';
import { allocate, formatDims, sizeOf, type Tensor } from '../tensor.ts';
import { GraphEditor } from './graph-editor.ts';
import { chosenOf, scoreOutput, tokenInput, tokenTensor, type TokenInput } from './locate.ts';
import { lastScores, type ProgramRequest } from './programs.ts';

/** What a beam search needs of a decoder. N hypotheses, k continuations of each. */
export interface BeamProgram {
  readonly input: TokenInput;
  /** Begins without a state: each search forks it. */
  readonly stream: StreamSession;
  /** Input: int64 [N], which row of the step before each row goes on from. */
  readonly parents: string;
  /** Outputs [N, k]: log P of the best tokens, and their numbers. */
  readonly logProbs: string;
  readonly places: string;
}

/** The same inputs at another number of rows, zeros. */
function resized(feeds: Tensors, axes: ReadonlyMap<string, number>, rows: number): Tensors {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, { type, dims }]) => {
      const size = dims.with(axes.get(name)!, rows);
      return [name, { type, dims: size, data: allocate(type, sizeOf(size)) } as Tensor];
    }),
  );
}

/** The axis of the batch of each state, by the name of its input. */
function stateAxes(
  base: StreamedGraph,
  input: TokenInput,
  feeds: Tensors,
  axes: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const at = (rows: number): Tensors => {
    const unlimited = { maxUnrolled: Infinity, maxLiveElements: Infinity };
    const tokens = tokenTensor(
      input,
      Array.from({ length: rows }, () => [0]),
    );
    const checker = new StreamFeeds(base, rows, unlimited);
    const { call, initial } = checker.check({
      ...resized(feeds, axes, rows),
      [input.info.name]: tokens,
    });
    call.release();
    return initial;
  };
  const [two, three] = [at(2), at(3)];
  const found = new Map<string, number>();
  for (const { input: name } of base.slots) {
    const [p, q] = [two[name]!.dims, three[name]!.dims];
    const differing = [...p.keys()].filter((axis) => p[axis] !== q[axis]);
    const [axis] = differing;
    if (differing.length === 1 && p[axis!] === 2 && q[axis!] === 3) found.set(name, axis!);
    else {
      const what = `state '${name}', got ${formatDims(p)} for 2 rows and ${formatDims(q)} for 3`;
      throw new RnnError(
        'SHAPE_MISMATCH',
        'decoder',
        `${what}, expected one axis that is the batch`,
      );
    }
  }
  return found;
}

/**
 * Makes the stream of a beam search.
 *
 * @param feeds for the other inputs of the decoder, of which the shapes count, at N rows
 * @param axes the axis of their batch
 * @param count how many continuations of each hypothesis to give; all where the vocabulary is smaller
 */
export function makeBeamProgram(
  graph: Graph,
  session: Session,
  request: Omit<ProgramRequest, 'parts' | 'forces'>,
  feeds: Tensors,
  axes: ReadonlyMap<string, number>,
  count: number,
): BeamProgram {
  const { batch: rows, stream } = request;
  const states = stream.state ?? {};
  const taken = new Set([...Object.values(states), ...Object.keys(feeds)]);
  const free = graph.inputs.filter(({ name }) => !taken.has(name));
  const info = chosenOf(free, request.tokens, 'tokens', 'input with the tokens');
  const base = streamGraph(graph, { ...stream, batch: rows });
  const input = tokenInput(info, base.chunk.time, rows);
  const results = graph.outputs.filter(({ name }) => !Object.hasOwn(states, name));
  const output = chosenOf(results, request.logits, 'logits', 'output with the scores');
  const score = scoreOutput(base, output, input, rows, feeds, request.scores);
  const editor = new GraphEditor(base.graph);
  const parents = editor.input('parents', 'int64', [rows]);
  const replaced = new Map<string, string>();
  for (const [name, axis] of stateAxes(base, input, feeds, axes)) {
    replaced.set(name, editor.before('Gather', [name, parents], { axis }));
  }
  const scores = lastScores(editor, score, rows);
  const logs = editor.node('LogSoftmax', [scores], { axis: 1 });
  const k = Math.min(count, score.vocabulary);
  const [logProbs, places] = editor.topK(logs, k);
  const outputs: ValueInfo[] = [
    { name: logProbs, type: 'float32', dims: [rows, k] },
    { name: places, type: 'int64', dims: [rows, k] },
  ];
  const extra = editor.inputs.filter(({ name }) => name === parents);
  const streamed: StreamedGraph = {
    ...base,
    graph: editor.graph(outputs, replaced),
    probe: { ...base.probe, inputs: [...base.probe.inputs, ...extra] },
  };
  return { input, stream: session.stream(streamed, rows, 0), parents, logProbs, places };
}
