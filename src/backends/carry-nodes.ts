// Writes into a graph what a stream carries from chunk to chunk: a state becomes an input, and an output that
// is fed back to it.
import { cellOf } from '../cells/index.ts';
import { initialStateSlot, recurrentAttributes } from '../graph.ts';
import type { Attribute, Graph, Node, ValueInfo } from '../graph.ts';
import type { Value } from '../plan/specialize/infer.ts';
import type { Carry } from '../plan/specialize/time-axis/tag.ts';
import { sizeOf, tensor, type DataType, type Tensor } from '../tensor.ts';
import { toTensor } from '../ops/value.ts';

/** A value of the graph at the shapes of a call. */
export type Lookup = (name: string) => Value | undefined;

/** One piece of state: the output that is fed back to an input. */
export interface StateSlot {
  /** Name of the input of the streamed graph; also the name in snapshots. */
  readonly input: string;
  readonly output: string;
  /**
   * For a state that the model does not take by itself: what it begins with, from the values of the probe
   * graph.
   */
  readonly begin?: (value: Lookup) => Tensor;
}

type LoopCarry = Extract<Carry, { kind: 'loop' }>;
type FramesCarry = Extract<Carry, { kind: 'frames' }>;
type SumCarry = Extract<Carry, { kind: 'sum' }>;

/** After the last element, for the end of a Slice. */
const END = 2n ** 31n - 1n;

/** A graph that is being written, and a probe: the same graph with names for all final states. */
export class CarryWriter {
  readonly slots: StateSlot[];
  readonly #graph: Graph;
  readonly #inputs: ValueInfo[] = [];
  readonly #constants = new Map<string, Tensor>();
  readonly #nodes: Node[] = [];
  readonly #probe: Node[] = [];
  readonly #taken: Set<string>;

  constructor(graph: Graph, slots: readonly StateSlot[]) {
    this.#graph = graph;
    this.slots = [...slots];
    this.#taken = new Set([
      ...graph.inputs.map(({ name }) => name),
      ...graph.constants.keys(),
      ...graph.nodes.flatMap(({ name, outputs }) => [name, ...outputs]),
    ]);
  }

  /** Adds a node of the graph, with what it carries. */
  add(node: Node, carry: Carry | undefined): void {
    if (carry?.kind === 'state') return this.#state(node, carry.repeats);
    if (carry?.kind === 'loop') return this.#loop(node, carry);
    this.#probe.push(node);
    if (carry === undefined) this.#nodes.push(node);
    else if (carry.kind === 'sum') this.#sum(node, carry);
    else this.#frames(node, carry);
  }

  /** The graph with state as inputs and outputs. */
  get graph(): Graph {
    const { inputs, constants } = this.#graph;
    return {
      ...this.#graph,
      inputs: [...inputs, ...this.#inputs],
      constants: new Map([...constants, ...this.#constants]),
      nodes: this.#nodes,
    };
  }

  /** The graph as it was: it tells shapes and initial values. */
  get probe(): Graph {
    return { ...this.#graph, nodes: this.#probe };
  }

  #unique(stem: string): string {
    let name = stem;
    for (let n = 1; this.#taken.has(name); n++) name = `${stem}_${n}`;
    this.#taken.add(name);
    return name;
  }

  #ints(values: readonly (number | bigint)[], dims = [values.length]): string {
    const name = this.#unique('stream.ints');
    this.#constants.set(name, tensor(BigInt64Array.from(values, BigInt), dims));
    return name;
  }

  #node(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
    output: string,
  ): string {
    this.#nodes.push({
      op,
      name: this.#unique(`${output}/${op}`),
      inputs,
      outputs: [output],
      attributes,
    });
    return output;
  }

  /** Declares a state and gives back the name of its input. */
  #slot(
    stem: string,
    type: DataType,
    rank: number,
    output: string,
    begin: (value: Lookup) => Tensor,
  ): string {
    const input = this.#unique(stem);
    const dims = Array.from({ length: rank }, (_, axis) => `${input}.${axis}`);
    this.#inputs.push({ name: input, type, dims });
    this.slots.push({ input, output, begin });
    return input;
  }

  #state(node: Node, repeats: boolean): void {
    const parts = cellOf(recurrentAttributes(node).cell).states;
    const inputs = Array.from(
      { length: Math.max(node.inputs.length, initialStateSlot(parts.length - 1) + 1) },
      (_, k) => node.inputs[k] ?? '',
    );
    const outputs = Array.from({ length: 1 + parts.length }, (_, k) => node.outputs[k] ?? '');
    parts.forEach((part, k) => {
      const output = (outputs[1 + k] ||= this.#unique(`${node.name}.${part}.next`));
      const initial = inputs[initialStateSlot(k)];
      inputs[initialStateSlot(k)] = this.#slot(
        `${node.name}.${part}`,
        'float32',
        3,
        output,
        (value) => {
          const { dims } = value(output)!;
          const host = initial ? value(initial)!.host : undefined;
          return tensor(host ? Float32Array.from(host.data) : new Float32Array(sizeOf(dims)), dims);
        },
      );
    });
    this.#probe.push({ ...node, outputs });
    const y = outputs[0]!;
    if (!repeats) {
      this.#nodes.push({ ...node, inputs, outputs });
      return;
    }
    const raw = this.#unique(`${y}.unrepeated`);
    this.#nodes.push({ ...node, inputs, outputs: outputs.with(0, raw) });
    this.#repeat(node, y, raw);
  }

  /** The states of a loop become inputs, and its last ones what is fed back to them. */
  #loop(node: Node, { slot, states }: LoopCarry): void {
    const inputs = [...node.inputs];
    const outputs = Array.from(
      { length: Math.max(node.outputs.length, states.length) },
      (_, k) => node.outputs[k] ?? '',
    );
    states.forEach(({ type, rank }, k) => {
      const initial = inputs[slot + k]!;
      const output = (outputs[k] ||= this.#unique(`${node.name}.state${k}.next`));
      inputs[slot + k] = this.#slot(`${node.name}.state${k}`, type, rank, output, (value) => {
        const { dims, host } = value(initial)!;
        return toTensor({ type, dims, data: host!.data }, `${node.name}.state${k}`);
      });
    });
    this.#probe.push({ ...node, outputs });
    this.#nodes.push({ ...node, inputs, outputs });
  }

  /** Masked steps before the first one that counts repeat the last output of the chunk before. */
  #repeat(node: Node, y: string, raw: string): void {
    const { layout } = recurrentAttributes(node);
    const made = (op: string, inputs: string[], attributes = {}): string =>
      this.#node(op, inputs, attributes, this.#unique(`${node.name}.${op}`));
    const zero = this.#unique('stream.zero');
    this.#constants.set(zero, tensor(Int32Array.of(0), []));
    const steps = made('Cast', [node.inputs[8]!], { to: 'int32' });
    const seen = made('CumSum', [steps, this.#ints([layout], [])]);
    const none = made('Equal', [seen, zero]);
    // Y is [T, 1, B, O] or [B, T, 1, O].
    const wide = made('Unsqueeze', [none, this.#ints(layout === 0 ? [1, 3] : [2, 3])]);
    const next = this.#unique(`${node.name}.shown.next`);
    const shown = this.#slot(`${node.name}.shown`, 'float32', 4, next, (value) => {
      const dims = value(y)!.dims.with(layout, 1);
      return tensor(new Float32Array(sizeOf(dims)), dims);
    });
    this.#node('Where', [wide, shown, raw], {}, y);
    this.#slice(y, next, layout, -1, END);
  }

  #slice(
    from: string,
    to: string,
    axis: number,
    start: number | bigint,
    end: number | bigint,
  ): void {
    this.#node('Slice', [from, this.#ints([start]), this.#ints([end]), this.#ints([axis])], {}, to);
  }

  #frames(node: Node, carry: FramesCarry): void {
    const { slot, type, rank, axis, frames, after, initial, pads } = carry;
    const x = node.inputs[slot]!;
    const next = this.#unique(`${node.name}.frames.next`);
    const own = typeof initial === 'number' ? undefined : node.inputs[initial.slot]!;
    const state = this.#slot(`${node.name}.frames`, type, rank, next, (value) => {
      const dims = value(x)!.dims.with(axis, frames);
      const data = own
        ? value(own)!.host!.data
        : new Float64Array(sizeOf(dims)).fill(Number(initial));
      return toTensor({ type, dims, data }, `${node.name}.frames`);
    });
    const longer = this.#node('Concat', [state, x], { axis }, this.#unique(`${node.name}.input`));
    const at = node.inputs.with(slot, longer);
    if (typeof initial !== 'number')
      this.#nodes.push({ ...node, inputs: at.toSpliced(initial.slot, 1) });
    else if (node.op === 'Pad') {
      const amounts = [...pads!.before.with(axis, 0), ...pads!.after];
      this.#nodes.push({ ...node, inputs: [longer, this.#ints(amounts), node.inputs[2] ?? ''] });
    } else {
      const [before, behind] = [pads!.before.with(axis, 0).slice(2), pads!.after.slice(2)];
      const attributes = { ...node.attributes, auto_pad: 'NOTSET', pads: [...before, ...behind] };
      this.#nodes.push({ ...node, inputs: at, attributes });
    }
    this.#slice(longer, next, axis, -(frames + after), after === 0 ? END : -after);
  }

  #sum(node: Node, { type, rank, axis, exclusive }: SumCarry): void {
    const [x = '', y = ''] = [node.inputs[0], node.outputs[0]];
    const next = this.#unique(`${node.name}.sum.next`);
    const sum = this.#slot(`${node.name}.sum`, type, rank, next, (value) => {
      const dims = value(x)!.dims.with(axis, 1);
      return toTensor({ type, dims, data: new Float64Array(sizeOf(dims)) }, `${node.name}.sum`);
    });
    const within = this.#unique(`${y}.within`);
    this.#nodes.push({ ...node, outputs: [within] });
    this.#node('Add', [within, sum], {}, y);
    if (!exclusive) return this.#slice(y, next, axis, -1, END);
    const added = this.#node(
      'ReduceSum',
      [x, this.#ints([axis])],
      { keepdims: 1 },
      `${next}.added`,
    );
    this.#node('Add', [added, sum], {}, next);
  }
}
