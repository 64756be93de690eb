// Which axis of which input is time, where nobody says it: the one along which recurrent layers run.
import { RnnError } from '../../../errors.ts';
import type { ValueInfo } from '../../../graph.ts';
import { isFloat } from '../../../tensor.ts';
import { BATCH_NAME, TIME_NAME } from '../dimension-names.ts';
import { chunksOf } from './chunks.ts';
import { followTime, type Chunks, type Followed } from './follow.ts';
import type { TimeRequest } from './registry.ts';
import { FEATURE_OPERATORS } from './rules.ts';
import { NeedsMultiple } from './tag.ts';

/** Axes that may be time: all of one free dimension, or of one fixed size and place. */
export interface Candidate {
  /** Name of the free dimension; undefined for a fixed size. */
  readonly symbol: string | undefined;
  /** Axis by name of the input. */
  readonly time: ReadonlyMap<string, number>;
}

/** A candidate that has been followed. */
export interface Tried {
  readonly candidate: Candidate;
  readonly chunks: Chunks;
  readonly followed: Followed;
}

/** Names and axes, for messages: `X` axis 1. */
export const showTime = ({ time }: Candidate): string =>
  [...time].map(([name, axis]) => `'${name}' axis ${axis}`).join(' and ');

/**
 * Follows time from some axes.
 *
 * @param asIs paths of nodes to compute within the chunk
 * @returns undefined where the graph accepts no shapes that are tried
 */
export function follow(
  request: TimeRequest,
  candidate: Candidate,
  asIs: ReadonlySet<string> = new Set(),
): Tried | undefined {
  const { graph, states, feedback } = request;
  const { time } = candidate;
  for (let multiple = 1; multiple < 1 << 16;) {
    const chunks = chunksOf(graph, time, request, multiple);
    if (!chunks) return undefined;
    try {
      const followed = followTime({ graph, chunks, time, states, feedback, asIs });
      return { candidate, chunks, followed };
    } catch (error) {
      if (!(error instanceof NeedsMultiple)) throw error;
      if (chunks.first === chunks.second) return undefined;
      multiple *= error.of;
    }
  }
  return undefined;
}

const owners = ({ graph, states }: TimeRequest): readonly ValueInfo[] =>
  graph.inputs.filter(({ name }) => !states.has(name));

/** Free dimensions, each with all its axes. */
function freeCandidates(request: TimeRequest): Candidate[] {
  const found = new Map<string, Map<string, number>>();
  for (const { name, dims } of owners(request)) {
    dims.forEach((dim, axis) => {
      if (typeof dim === 'number') return;
      const time = found.get(dim) ?? new Map<string, number>();
      found.set(dim, time);
      if (!time.has(name)) time.set(name, axis);
    });
  }
  return [...found].map(([symbol, time]) => ({ symbol, time }));
}

/** Fixed sizes, each with the inputs of that rank and size. */
function fixedCandidates(request: TimeRequest): Candidate[] {
  const found = new Map<string, Map<string, number>>();
  for (const { name, dims } of owners(request)) {
    dims.forEach((dim, axis) => {
      if (typeof dim === 'string') return;
      const key = `${dims.length}:${axis}:${dim}`;
      found.set(key, (found.get(key) ?? new Map<string, number>()).set(name, axis));
    });
  }
  return [...found.values()].map((time) => ({ symbol: undefined, time }));
}

/** The axes that the caller names, and those of the same free dimension. */
function namedCandidate(request: TimeRequest, named: Readonly<Record<string, number>>): Candidate {
  const { graph, states } = request;
  const time = new Map<string, number>();
  for (const [name, given] of Object.entries(named)) {
    const input = graph.inputs.find((info) => info.name === name);
    const path = `options.timeAxis.${name}`;
    if (!input || states.has(name)) {
      const known = owners(request).map((info) => info.name);
      const what = `'${name}' is no input with time, expected one of ${known.join(', ')}`;
      throw new RnnError('INVALID_ARGUMENT', path, what);
    }
    const rank = input.dims.length;
    const axis = given < 0 ? given + rank : given;
    if (!Number.isInteger(axis) || axis < 0 || axis >= rank) {
      const what = `axis out of range, got ${given}, expected ${-rank} to ${rank - 1}`;
      throw new RnnError('INVALID_ARGUMENT', path, what);
    }
    time.set(name, axis);
  }
  const symbols = [...time].map(([name, axis]) => dimOf(request, name, axis));
  for (const { symbol, time: more } of freeCandidates(request)) {
    if (!symbols.includes(symbol)) continue;
    for (const [name, axis] of more) if (!time.has(name)) time.set(name, axis);
  }
  return { symbol: undefined, time };
}

const dimOf = ({ graph }: TimeRequest, name: string, axis: number): string | number | undefined =>
  graph.inputs.find((info) => info.name === name)?.dims[axis];

/** Whether recurrent layers that count run along this axis. */
const hasLayers =
  ({ main }: TimeRequest) =>
  ({ followed }: Tried): boolean =>
    followed.layers.some(({ path, relation }) => relation === 'along' && (main?.has(path) ?? true));

/** The one of them, nothing, or an error where there are several. */
function only(found: readonly Tried[]): Tried | undefined {
  if (found.length < 2) return found[0];
  throw new RnnError(
    'INVALID_ARGUMENT',
    'options.timeAxis',
    `recurrent layers run along ${found.map(({ candidate }) => showTime(candidate)).join(', and along ')}: ` +
      'say which one is time, for example ' +
      `stream({ timeAxis: ${showOption(found[0]!.candidate)} }), or name the layers to carry, ` +
      'stream({ carry: [...] })',
  );
}

const showOption = ({ time }: Candidate): string => {
  const [[name, axis]] = [...time] as [[string, number]];
  return `{ ${/^[A-Za-z_]\w*$/.test(name) ? name : `'${name}'`}: ${axis} }`;
};

/**
 * The axis of time: what the caller names, else that along which recurrent layers run, else a free dimension
 * whose name says so.
 *
 * @returns undefined where nothing tells
 * @throws RnnError `INVALID_ARGUMENT` where layers run along several axes, or the named one does not exist
 */
export function chooseTime(request: TimeRequest): Tried | undefined {
  const tryAll = (candidates: readonly Candidate[]): Tried[] =>
    candidates.flatMap((candidate) => follow(request, candidate) ?? []);
  if (request.timeAxis) {
    const candidate = namedCandidate(request, request.timeAxis);
    const found = follow(request, candidate);
    if (found) return found;
    throw new RnnError(
      'INVALID_ARGUMENT',
      'options.timeAxis',
      `the model accepts no shapes that were tried for ${showTime(candidate)}: give an example of ` +
        'them, stream({ dims: { input: [...] } })',
    );
  }
  const free = freeCandidates(request);
  const triedFree = tryAll(free);
  const isNamed = ({ candidate }: Tried): boolean => TIME_NAME.test(candidate.symbol!);
  const run = only(triedFree.filter(hasLayers(request)));
  if (run) return run;
  const named = triedFree.filter(isNamed);
  if (named.length === 1) return named[0];
  const fixed = only(tryAll(fixedCandidates(request)).filter(hasLayers(request)));
  if (fixed) return fixed;
  const others = triedFree.filter(
    ({ candidate: { symbol, time } }) =>
      !BATCH_NAME.test(symbol!) && [...time.values()].some((axis) => axis > 0),
  );
  return others.length === 1 ? others[0] : undefined;
}

/** An axis along which a model is not computed step by step, with the node that is in the way. */
export interface Dependence {
  readonly candidate: Candidate;
  /** Operator and name of the node. */
  readonly node: string;
}

/**
 * An axis of the inputs along which some node mixes elements, other than the features of a frame; undefined
 * for a model that computes each step by itself.
 */
export function dependenceOf(request: TimeRequest): Dependence | undefined {
  const isFeature = ({ time }: Candidate): boolean =>
    [...time].every(([name, axis]) => {
      const info = request.graph.inputs.find((input) => input.name === name)!;
      return axis === info.dims.length - 1 && isFloat(info.type);
    });
  for (const candidate of [...freeCandidates(request), ...fixedCandidates(request)]) {
    const found = follow(request, candidate);
    if (!found)
      return { candidate, node: 'it accepts no shapes that were tried (`dims` gives some)' };
    const { refusals, carries } = found.followed;
    const [first] = refusals;
    if (first && !(FEATURE_OPERATORS.has(first.op) && isFeature(candidate))) {
      return { candidate, node: `${first.op} '${first.name}' ${first.why}` };
    }
    if (!first && carries.size > 0) {
      const { op, name } = request.graph.nodes[[...carries.keys()][0]!]!;
      return { candidate, node: `${op} '${name}' needs frames of the chunk before` };
    }
  }
  return undefined;
}
