// Makes of a model the two graphs of a generation: one that reads a prompt and chooses a token, and one whose token is
// fed back to it. Both have the same state, so that the second goes on where the first ends.
import { RnnError } from '../errors.ts';
import type { Graph, ValueInfo } from '../graph.ts';
import type { Session, StreamSession, Tensors } from '../backends/backend.ts';
import { streamGraph, type StateSlot, type StreamedGraph } from '../backends/stateful-graph.ts';
import type { StreamOptions } from '../load-options.ts';
import { formatDims } from '../tensor.ts';
import { GraphEditor } from './graph-editor.ts';
import { chosenOf, scoreOutput, tokenDims, tokenInput } from './locate.ts';
import type { ScoreOutput, TokenInput } from './locate.ts';
import { sample, type SamplerInputs, type SamplerParts } from './sampler.ts';

/** Names of what a generation feeds and reads. */
export interface Names extends SamplerInputs {
  readonly forced: string | undefined;
  /** The chosen token, int64 [B, 1]. */
  readonly chosen: string;
  readonly logProb: string | undefined;
}

/** What a model is asked to do, without the numbers that are fed. */
export interface ProgramRequest {
  readonly batch: number;
  readonly parts: Omit<SamplerParts, 'topK'> & { readonly topK: number | undefined };
  /** Whether tokens are given in some steps. */
  readonly forces: boolean;
  readonly tokens: string | undefined;
  readonly logits: string | undefined;
  readonly scores: 'logits' | 'probabilities' | undefined;
  readonly stream: StreamOptions;
}

/** The streams of a model for one kind of generation. They hold no state: each generation forks them. */
export interface Programs {
  readonly input: TokenInput;
  /** Inputs of states that the model takes itself. */
  readonly states: ReadonlySet<string>;
  readonly vocabulary: number;
  /** Reads a prompt, or one token of it. */
  readonly prefill: StreamSession;
  /** Takes its own tokens. */
  readonly loop: StreamSession;
  readonly names: Names;
}

/** The rows of scores after the last step, [B, V], as logits or logarithms of probabilities. */
export function lastScores(editor: GraphEditor, score: ScoreOutput, batch: number): string {
  const { value, timeAxis, vocabulary, isProbability } = score;
  let rows = value;
  if (timeAxis !== undefined) {
    const ends = [editor.ints([-1]), editor.ints([2 ** 31 - 1]), editor.ints([timeAxis])];
    rows = editor.node('Slice', [rows, ...ends]);
  }
  rows = editor.node('Reshape', [rows, editor.ints([batch, vocabulary])]);
  return isProbability ? editor.node('Log', [rows]) : rows;
}

/** The value that stands for the token input: a token [B, 1] in the shape that the model takes. */
function fedBack(
  editor: GraphEditor,
  input: TokenInput,
  token: string,
  batch: number,
  vocabulary: number,
): string {
  const { info, oneHot } = input;
  const shape = tokenDims(input, batch, 1);
  const isOne = oneHot ? editor.before('Equal', [editor.range(vocabulary), token]) : token;
  const typed = editor.before('Cast', [isOne], { to: info.type });
  return editor.before('Reshape', [typed, editor.ints(shape)]);
}

/** One of the two graphs. */
function program(
  base: StreamedGraph,
  request: ProgramRequest,
  input: TokenInput,
  score: ScoreOutput,
  isLoop: boolean,
): { streamed: StreamedGraph; names: Names } {
  const { batch, forces } = request;
  const { vocabulary } = score;
  const parts = { ...request.parts, topK: request.parts.topK ?? vocabulary };
  const editor = new GraphEditor(base.graph);
  const optional = (isThere: boolean, stem: string, dims: readonly number[]) =>
    isThere ? editor.input(stem, 'float32', dims) : undefined;
  const samples = !parts.greedy;
  const inputs: SamplerInputs = {
    temperature: optional(samples, 'temperature', [1]),
    topP: optional(samples && parts.topP, 'topP', [1]),
    penalty: optional(parts.penalty, 'penalty', [1]),
    uniform: optional(samples, 'uniform', [batch, 1]),
    seen: optional(parts.penalty, 'seen', [batch, vocabulary]),
  };
  const forced = forces ? editor.input('forced', 'int64', [batch, 1]) : undefined;
  const token = editor.input('token', 'int64', [batch, 1]);
  const replaced = new Map<string, string>();
  if (isLoop) {
    editor.dropInput(input.info.name);
    replaced.set(input.info.name, fedBack(editor, input, token, batch, vocabulary));
  }
  const added = lastScores(editor, score, batch);
  const { chosen, logProb, seen } = sample(editor, added, vocabulary, parts, inputs, forced);
  const slots: StateSlot[] = [...base.slots, { input: token, output: chosen }];
  if (seen !== undefined) slots.push({ input: inputs.seen!, output: seen });
  const outputs: ValueInfo[] = [{ name: chosen, type: 'int64', dims: [batch, 1] }];
  if (logProb) outputs.push({ name: logProb, type: 'float32', dims: [batch, 1] });
  const graph = editor.graph(outputs, replaced);
  // The probe tells shapes and initial states, of which the choice of a token has no part.
  const own = new Set(base.graph.inputs.map(({ name }) => name));
  const extra = editor.inputs.filter(({ name }) => !own.has(name));
  const probed = isLoop ? probeOf(base.probe, input, graph) : base.probe;
  const probe = { ...probed, inputs: [...probed.inputs, ...extra] };
  const streamed = { graph, probe, slots, chunk: base.chunk };
  return { streamed, names: { ...inputs, forced, chosen, logProb } };
}

/** The probe with its tokens made by the nodes of the loop. */
function probeOf(probe: Graph, { info }: TokenInput, loop: Graph): Graph {
  const made = new Set(probe.nodes.flatMap(({ outputs }) => outputs));
  const ahead = loop.nodes.findIndex(({ outputs }) => outputs.some((name) => made.has(name)));
  const before = loop.nodes.slice(0, ahead);
  const token = before.at(-1)!.outputs[0]!;
  const { declared: _, ...rest } = probe; // what a file declares is of whole sequences
  return {
    ...rest,
    inputs: probe.inputs.filter(({ name }) => name !== info.name),
    constants: new Map([...probe.constants, ...loop.constants]),
    nodes: [
      ...before,
      ...probe.nodes.map((node) => ({
        ...node,
        inputs: node.inputs.map((name) => (name === info.name ? token : name)),
      })),
    ],
  };
}

/** Refuses a graph whose nodes inside of control flow read the tokens, which the loop could not give them. */
function refuseInside({ nodes }: Graph, name: string): void {
  const reads = (value: unknown): boolean =>
    typeof value === 'object' &&
    value !== null &&
    'nodes' in value &&
    (value as Graph).nodes.some(
      ({ inputs, attributes }) =>
        inputs.includes(name) || Object.values(attributes).some((inner) => reads(inner)),
    );
  const index = nodes.findIndex(({ attributes }) => Object.values(attributes).some(reads));
  if (index < 0) return;
  const what = `'${name}' is read inside of ${nodes[index]!.op} '${nodes[index]!.name}', expected outside`;
  throw new RnnError('UNSUPPORTED_OPERATOR', `graph.nodes[${index}]`, what);
}

/**
 * Makes the streams of a generation.
 *
 * @param feeds tensors for the other inputs, of which the shapes count
 * @throws RnnError `INVALID_ARGUMENT` where the tokens or the scores are not found, `SHAPE_MISMATCH` for scores of
 *   another shape, and what `model.stream` throws
 */
export function makePrograms(
  graph: Graph,
  session: Session,
  request: ProgramRequest,
  feeds: Tensors,
): Programs {
  const { batch, stream } = request;
  const states = new Map(Object.entries(stream.state ?? {}));
  const taken = new Set([...states.values(), ...Object.keys(feeds)]);
  const free = graph.inputs.filter(({ name }) => !taken.has(name));
  const info = chosenOf(free, request.tokens, 'tokens', 'input with the tokens');
  const rest = free.filter((other) => other !== info);
  if (rest.length > 0) {
    const { name, type, dims } = rest[0]!;
    const what = `'${name}', got nothing, expected a tensor ${type} ${formatDims(dims)} for each step`;
    throw new RnnError('INVALID_ARGUMENT', `options.feeds.${name}`, what);
  }
  const base = streamGraph(graph, { ...stream, batch });
  const input = tokenInput(info, base.chunk.time, batch);
  if (base.chunk.multiple > 1) {
    const what = `a step takes ${base.chunk.multiple} tokens at once, expected one`;
    throw new RnnError('UNSUPPORTED_OPERATOR', 'options.tokens', what);
  }
  const results = graph.outputs.filter(({ name }) => !states.has(name));
  const output = chosenOf(results, request.logits, 'logits', 'output with the scores');
  const score = scoreOutput(base, output, input, batch, feeds, request.scores);
  if (input.oneHot && input.info.dims.at(-1) !== score.vocabulary) {
    const what = `got ${formatDims(input.info.dims)}, expected rows of ${score.vocabulary} numbers, as the scores have`;
    throw new RnnError('SHAPE_MISMATCH', 'options.tokens', `'${info.name}', ${what}`);
  }
  refuseInside(graph, info.name);
  const first = program(base, request, input, score, false);
  const second = program(base, request, input, score, true);
  return {
    input,
    states: new Set(states.values()),
    vocabulary: score.vocabulary,
    prefill: session.stream(first.streamed, batch, 0),
    loop: session.stream(second.streamed, batch, 0),
    names: second.names,
  };
}
