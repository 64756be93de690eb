// Follows time through a graph, from the inputs that have it to the outputs: which values have one part for
// each chunk of a sequence, what a stream must carry, and which nodes need the whole sequence. Shapes are
// inferred for chunks of two lengths, so that what each rule says of an axis is checked against its size.
import type { Graph } from '../../../graph.ts';
import { CONTROL, OPERATORS } from '../../../ops/registry.ts';
import type { Dims } from '../../../ops/shapes.ts';
import type { PlannedNode, SpecializedGraph, Value } from '../infer.ts';
import { loopRelation } from './rule-loop.ts';
import { relationOf, type Relation } from './rule-recurrent.ts';
import { TIME_RULES } from './rules.ts';
import {
  framesAt,
  LAST,
  LOST,
  NotByChunk,
  sameNumbers,
  STATIC,
  type Carry,
  type Frames,
  type Tag,
  type TimeCall,
} from './tag.ts';

/** A graph at chunks of one or two lengths. */
export interface Chunks {
  readonly first: SpecializedGraph;
  /** The same object where time has one length only. */
  readonly second: SpecializedGraph;
  readonly lengths: readonly [number, number];
}

/** A node that cannot be computed chunk by chunk. */
export interface Refusal {
  readonly path: string;
  readonly op: string;
  readonly name: string;
  readonly why: string;
  /** Paths of nodes that pad its input. */
  readonly margins: readonly string[];
}

/** A recurrent layer. */
export interface Layer {
  readonly path: string;
  readonly name: string;
  readonly relation: Relation;
}

/** What following time through a graph has found. */
export interface Followed {
  readonly refusals: readonly Refusal[];
  /** By index of the node in the graph. */
  readonly carries: ReadonlyMap<number, Carry>;
  readonly layers: readonly Layer[];
  /** Chunks must have a multiple of this many steps. */
  readonly multiple: number;
}

/** What to follow. */
export interface FollowRequest {
  readonly graph: Graph;
  readonly chunks: Chunks;
  /** Axis of time by name of the input. */
  readonly time: ReadonlyMap<string, number>;
  /** Inputs that the caller carries as state. */
  readonly states: ReadonlySet<string>;
  /** Outputs that are fed back to these. */
  readonly feedback: readonly string[];
  /** Paths of nodes to compute within the chunk. */
  readonly asIs: ReadonlySet<string>;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Index of the node of the outermost graph that a path is in. */
const outermostIndex = (path: string): number => Number(/^graph\.nodes\[(\d+)\]/.exec(path)![1]);

/** Axes in which two shapes differ; undefined for other numbers of axes. */
function differing(a: Dims, b: Dims): number[] | undefined {
  return a.length === b.length ? [...a.keys()].filter((k) => a[k] !== b[k]) : undefined;
}

/** Whether a known value has the same numbers in every place along an axis, at both lengths. */
function isUniform(a: Value, b: Value, axis: number): boolean {
  const columns = [a, b].map(({ host, dims }) => {
    const inner = dims.slice(axis + 1).reduce((x, y) => x * y, 1);
    const block = inner * dims[axis]!;
    const { data } = host!;
    const isSame = data.every((x, i) =>
      Object.is(x, data[Math.floor(i / block) * block + (i % inner)]),
    );
    return isSame ? data.filter((_, i) => i % block < inner) : undefined;
  });
  const [x, y] = columns;
  return x !== undefined && y !== undefined && x.every((number, i) => Object.is(number, y[i]));
}

/** The tag of a value that no node of the list makes: a constant, or what follows from shapes. */
function tagOfKnown(a: Value, b: Value): Tag {
  if (a.constant || a === b || (!a.host && !a.tensor)) return STATIC;
  const axes = differing(a.dims, b.dims);
  if (axes?.length === 0) return sameNumbers(a, b) ? STATIC : { kind: 'length' };
  const [axis] = axes ?? [];
  const isFrames = axes?.length === 1 && a.host && b.host && isUniform(a, b, axis!);
  return isFrames ? { ...framesAt(axis!), uniform: true } : { kind: 'length' };
}

/** What may be said of a value that no rule explains: the axis that follows the length of the chunk. */
function guessed(a: Dims, b: Dims, isCompared: boolean): Tag {
  if (!isCompared) return LOST;
  const axes = differing(a, b);
  if (axes?.length === 0) return LAST;
  return axes?.length === 1 ? framesAt(axes[0]!) : LOST;
}

class Follower {
  readonly refusals: Refusal[] = [];
  readonly carries = new Map<number, Carry>();
  readonly layers: Layer[] = [];
  multiple = 1;
  readonly #tags = new Map<Value, Tag>();
  readonly #request: FollowRequest;
  readonly #isCompared: boolean;

  constructor(request: FollowRequest) {
    this.#request = request;
    const { graph, chunks, time, states } = request;
    this.#isCompared = chunks.first !== chunks.second;
    for (const { name } of graph.inputs) {
      const value = chunks.first.value(name)!;
      const axis = time.get(name);
      if (states.has(name)) this.#tags.set(value, { kind: 'begin' });
      else this.#tags.set(value, axis === undefined ? STATIC : framesAt(axis));
    }
  }

  run(): Followed {
    const { graph, chunks, feedback } = this.#request;
    const wanted = [...graph.outputs.map(({ name }) => name), ...feedback];
    const live = liveNodes(chunks.first, wanted);
    const [one, two] = [chunks.first, chunks.second].map(({ list }) => byOutermost(list));
    for (const [index, nodes] of one!) {
      const others = two!.get(index) ?? [];
      const isSame =
        nodes.length === others.length && nodes.every(({ path }, i) => path === others[i]!.path);
      if (isSame) {
        nodes.forEach((node, i) => live.has(node) && this.#visit(node, others[i]!));
      } else if (nodes.some((node) => live.has(node))) {
        this.#opaque(index);
      }
    }
    for (const name of wanted) this.#output(name);
    const { refusals, carries, layers, multiple } = this;
    return { refusals, carries, layers, multiple };
  }

  #refuse({ path, node }: Pick<PlannedNode, 'path' | 'node'>, error: NotByChunk): void {
    const { op, name } = node;
    this.refusals.push({ path, op, name, why: error.message, margins: error.margins });
  }

  #set(a: Value, tag: Tag): void {
    this.#tags.set(a, tag);
    if (tag.kind !== 'frames' || tag.uniform || !this.#isCompared) return;
    const [size, length] = [this.#frames(a, tag), this.#request.chunks.lengths[0]];
    const each = length / gcd(size, length);
    this.multiple = (this.multiple * each) / gcd(this.multiple, each);
  }

  #frames({ dims }: Value, { axis, outer, head, tail }: Frames): number {
    return dims[axis]! / outer - head - tail;
  }

  /** A node whose loops come to other nodes when the chunk is longer. */
  #opaque(index: number): void {
    const { graph, chunks } = this.#request;
    const node = graph.nodes[index]!;
    const why = 'runs over time, step by step, from a state that the stream does not know';
    this.#refuse({ path: `graph.nodes[${index}]`, node }, new NotByChunk(why));
    for (const name of node.outputs) {
      const [a, b] = [chunks.first.value(name), chunks.second.value(name)];
      if (a && b) this.#tags.set(a, guessed(a.dims, b.dims, this.#isCompared));
    }
  }

  #visit(a: PlannedNode, b: PlannedNode): void {
    const call = this.#call(a, b);
    if (a.node.op === 'Recurrent') {
      this.layers.push({ path: a.path, name: a.node.name, relation: relationOf(call) });
    }
    if (CONTROL.has(a.node.op)) {
      this.layers.push({ path: a.path, name: a.node.name, relation: loopRelation(call) });
    }
    let tags: readonly Tag[];
    const found: Carry[] = [];
    try {
      if (this.#request.asIs.has(a.path)) throw new NotByChunk('is computed within the chunk');
      tags = this.#tagsOf({ ...call, carry: (what) => found.push(what) });
      this.#check(call, tags);
      for (const what of found) this.carries.set(outermostIndex(a.path), what);
    } catch (error) {
      if (!(error instanceof NotByChunk)) throw error;
      this.#refuse(a, error);
      tags = a.outputs.map(
        (output, k) =>
          (output && guessed(output.dims, b.outputs[k]!.dims, this.#isCompared)) ?? LOST,
      );
    }
    a.outputs.forEach((output, k) => output && this.#set(output, tags[k]!));
  }

  #call(a: PlannedNode, b: PlannedNode): TimeCall {
    const hidden = OPERATORS.get(a.node.op)?.hostInputs ?? [];
    const tags = a.inputs.map((input, slot) => {
      if (!input || hidden.includes(slot)) return undefined;
      return this.#tags.get(input) ?? tagOfKnown(input, b.inputs[slot]!);
    });
    return {
      a,
      b,
      tags,
      isCompared: this.#isCompared,
      // What control flow makes has the path of its node, and is no node of the graph.
      isOutermost: this.#request.graph.nodes[outermostIndex(a.path)] === a.node,
      carry: () => undefined,
    };
  }

  #tagsOf(call: TimeCall): readonly Tag[] {
    const { a, b, tags } = call;
    const has = (kind: Tag['kind']): boolean => tags.some((tag) => tag?.kind === kind);
    const all = (tag: Tag): readonly Tag[] => a.outputs.map(() => tag);
    if (has('lost')) return all(LOST);
    const { op } = a.node;
    if (!has('frames')) {
      if (has('length')) {
        if (has('last') || has('begin')) throw new NotByChunk('depends on the length of the chunk');
        return all({ kind: 'length' });
      }
      if (has('last')) return all(LAST);
      if (has('begin')) return all({ kind: 'begin' });
      return a.outputs.map((output, k) =>
        output ? spreadTag(call, output, b.outputs[k]!) : STATIC,
      );
    }
    if (has('length')) throw new NotByChunk('depends on the length of the chunk');
    if (op !== 'Recurrent' && has('last')) {
      throw new NotByChunk('needs in each frame what is known at the end of the sequence');
    }
    const begins = CONTROL.has(op) || op === 'Recurrent' || op === 'Concat';
    if (!begins && has('begin')) {
      throw new NotByChunk('mixes the state at the start of the chunk with each of its frames');
    }
    const rule = TIME_RULES.get(op);
    if (!rule) throw new NotByChunk('has no rule for chunks');
    const result = rule(call);
    return Array.isArray(result) ? (result as readonly Tag[]) : all(result as Tag);
  }

  /** Refuses outputs whose sizes do not follow the length of the chunk as their tags say. */
  #check({ a, b }: TimeCall, tags: readonly Tag[]): void {
    if (!this.#isCompared) return;
    const [one, two] = this.#request.chunks.lengths;
    a.outputs.forEach((x, k) => {
      const [y, tag] = [b.outputs[k], tags[k]!];
      if (!x || !y || tag.kind === 'length' || tag.kind === 'lost') return;
      const axes = differing(x.dims, y.dims);
      const expected = tag.kind === 'frames' ? [tag.axis] : [];
      const follows =
        axes?.join() === expected.join() &&
        (tag.kind !== 'frames' ||
          tag.uniform ||
          this.#frames(x, tag) * two === this.#frames(y, tag) * one);
      if (!follows)
        throw new NotByChunk('has a shape that does not follow the length of the chunk');
    });
  }

  #output(name: string): void {
    const value = this.#request.chunks.first.value(name)!;
    const tag =
      this.#tags.get(value) ?? tagOfKnown(value, this.#request.chunks.second.value(name)!);
    if (tag.kind === 'length') {
      this.refusals.push({ ...OUTPUT, name, why: 'depends on the length of the chunk' });
    }
    if (tag.kind !== 'frames' || tag.head + tag.tail === 0 || tag.uniform) return;
    const [path] = tag.margins;
    const node = this.#request.chunks.first.list.find((item) => item.path === path);
    const why = 'adds frames to the ends of the sequence that no window takes';
    if (node) this.#refuse(node, new NotByChunk(why, tag.margins));
  }
}

const OUTPUT = { path: 'graph.outputs', op: 'output', margins: [] };

/** The tag of what a node makes from values that are the same in every chunk. */
function spreadTag({ a, b }: TimeCall, x: Value, y: Value): Tag {
  const axes = differing(x.dims, y.dims);
  if (axes?.length === 0) return STATIC;
  const [axis] = axes ?? [];
  if (axes?.length !== 1) return { kind: 'length' };
  const [input, other] = [a.inputs[0]!, b.inputs[0]!];
  const { op } = a.node;
  const size = input.dims[axis! - x.dims.length + input.dims.length] ?? 1;
  const repeats =
    (op === 'Expand' || op === 'Tile') && size === 1 && !differing(input.dims, other.dims)?.length;
  if (!repeats && op !== 'ConstantOfShape') return { kind: 'length' };
  return { ...framesAt(axis!), uniform: true };
}

function byOutermost(list: readonly PlannedNode[]): Map<number, PlannedNode[]> {
  const groups = new Map<number, PlannedNode[]>();
  for (const node of list) {
    const index = outermostIndex(node.path);
    const group = groups.get(index);
    if (group) group.push(node);
    else groups.set(index, [node]);
  }
  return groups;
}

/** The nodes that some of these values need. */
function liveNodes({ list, value }: SpecializedGraph, names: readonly string[]): Set<PlannedNode> {
  const wanted = new Set<Value | undefined>(names.map((name) => value(name)));
  const live = list.toReversed().filter(({ inputs, outputs }) => {
    if (!outputs.some((output) => output && wanted.has(output))) return false;
    for (const input of inputs) wanted.add(input);
    return true;
  });
  return new Set(live);
}

/**
 * Follows time through a graph.
 *
 * @throws NeedsMultiple where the chunks must be a multiple of something, so that others should be tried
 */
export function followTime(request: FollowRequest): Followed {
  return new Follower(request).run();
}
