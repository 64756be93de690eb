// Random loops, in one another and around an If, on both backends, against ONNX Runtime.
import { describe, it } from 'vitest';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { expectLikeOnnxRuntime } from '../support/onnx-backends.ts';
import { bool, float, floatsOf, int, node, scalar } from '../support/onnx-parts.ts';
import { writeOnnx, type OnnxGraph, type OnnxNode } from '../support/onnx-writer.ts';
import { randomOf, SEED, type Random } from '../support/random.ts';

const CASES = 40;
const DEPTH = 2; // loops in loops
const DIMS = [2, 3]; // of every tensor that is carried

/** Writes one model. Every value is of order one, for whatever is computed ends in a Tanh. */
class Writer {
  readonly initializers: Record<string, Tensor> = {};
  readonly #random: Random;
  #count = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  name(stem: string): string {
    return `${stem}_${this.#count++}`;
  }

  constant(stem: string, value: Tensor): string {
    const name = this.name(stem);
    this.initializers[name] = value;
    return name;
  }

  /** Adds nodes that make a value of `DIMS` of some of those that can be seen. */
  mix(nodes: OnnxNode[], seen: readonly string[], depth: number, turn: string | undefined): string {
    const random = this.#random;
    const kind = random.int(0, depth < DEPTH ? 5 : 3);
    if (kind === 4) return this.loop(nodes, seen, depth)[0]!;
    if (kind === 5) return this.scan(nodes, seen, depth)[0]!;
    const [a, b] = [random.pick(seen), random.pick(seen)];
    const [made, out] = [this.name('made'), this.name('out')];
    if (kind === 3 && turn !== undefined) {
      const [two, one] = [scalar(2, 'int64'), scalar(1, 'int64')];
      const [odd, is] = [this.name('odd'), this.name('is')];
      const branch = (op: string): OnnxGraph => {
        const result = this.name(op);
        return {
          nodes: [node(op, [a, b], [result])],
          outputs: [float(result, ...DIMS)],
        };
      };
      nodes.push(
        node('Mod', [turn, this.constant('two', two)], [odd]),
        node('Equal', [odd, this.constant('one', one)], [is]),
        node('If', [is], [made], { then_branch: branch('Add'), else_branch: branch('Sub') }),
      );
    } else if (kind === 2) {
      const weights = this.constant('W', floatsOf(random)(3, 3));
      const turned = this.name('turned');
      nodes.push(
        node('Transpose', [weights], [turned], { perm: [1, 0] }),
        node('MatMul', [a, turned], [made]),
      );
    } else nodes.push(node(random.pick(['Add', 'Sub', 'Mul', 'Max']), [a, b], [made]));
    nodes.push(node('Tanh', [made], [out]));
    return out;
  }

  /** Adds values until there are some to carry and some to collect. */
  #body(
    nodes: OnnxNode[],
    seen: readonly string[],
    depth: number,
    turn: string | undefined,
    count: number,
  ): string[] {
    const known = [...seen];
    for (let k = this.#random.int(0, 2); k >= 0; k--) {
      known.push(this.mix(nodes, known, depth + 1, turn));
    }
    // What leaves a body has names of its own.
    return Array.from({ length: count }, () => {
      const name = this.name('leaves');
      nodes.push(node('Identity', [this.#random.pick(known.slice(-3))], [name]));
      return name;
    });
  }

  /** A value of `DIMS` for each output of some turns; zeros where there was none. */
  #summed(nodes: OnnxNode[], stack: string, axis: number): string {
    const [sum, out] = [this.name('sum'), this.name('bounded')];
    const axes = this.constant('axes', tensor([axis], [1], 'int64'));
    nodes.push(
      node('ReduceSum', [stack, axes], [sum], { keepdims: 0 }),
      node('Tanh', [sum], [out]),
    );
    return out;
  }

  loop(nodes: OnnxNode[], seen: readonly string[], depth: number): string[] {
    const random = this.#random;
    const [carried, made] = [random.int(1, 2), random.int(0, 2)];
    const [turn, go] = [this.name('i'), this.name('go')];
    const states = Array.from({ length: carried }, () => this.name('h'));
    const inner: OnnxNode[] = [];
    const outputs = this.#body(inner, [...seen, ...states], depth, turn, carried + made);
    const next = this.name('next');
    if (random.chance(0.3)) {
      const last = this.constant('last', scalar(random.int(0, 4), 'int64'));
      inner.push(node('Less', [turn, last], [next]));
    } else inner.push(node('Identity', [go], [next]));
    const body: OnnxGraph = {
      nodes: inner,
      inputs: [int(turn), bool(go), ...states.map((name) => float(name, ...DIMS))],
      outputs: [bool(next), ...outputs.map((name) => float(name, ...DIMS))],
    };
    const trips = this.constant('M', scalar(random.int(0, depth === 0 ? 6 : 3), 'int64'));
    const results = [...states, ...Array(made).keys()].map(() => this.name('loop'));
    const initial = states.map(() => random.pick(seen));
    const condition = random.chance(0.5) ? '' : this.constant('yes', scalar(1, 'bool'));
    nodes.push(node('Loop', [trips, condition, ...initial], results, { body }));
    return [
      ...results.slice(0, carried),
      ...results.slice(carried).map((stack) => this.#summed(nodes, stack, 0)),
    ];
  }

  scan(nodes: OnnxNode[], seen: readonly string[], depth: number): string[] {
    const random = this.#random;
    const [carried, scanned, made] = [random.int(1, 2), random.int(1, 2), random.int(0, 2)];
    const steps = random.int(1, depth === 0 ? 6 : 3);
    const axes = (count: number): number[] =>
      Array.from({ length: count }, () => random.int(-3, 2));
    const directions = (count: number): number[] =>
      Array.from({ length: count }, () => random.int(0, 1));
    const [from, into] = [axes(scanned), axes(made)];
    const sequences = from.map((axis) => {
      const dims = DIMS.toSpliced(axis < 0 ? axis + 3 : axis, 0, steps);
      return this.constant('xs', floatsOf(random)(...dims));
    });
    const names = Array.from({ length: carried + scanned }, () => this.name('s'));
    const inner: OnnxNode[] = [];
    const outputs = this.#body(inner, [...seen, ...names], depth, undefined, carried + made);
    const results = outputs.map(() => this.name('scan'));
    const initial = Array.from({ length: carried }, () => random.pick(seen));
    nodes.push(
      node('Scan', [...initial, ...sequences], results, {
        body: {
          nodes: inner,
          inputs: names.map((name) => float(name, ...DIMS)),
          outputs: outputs.map((name) => float(name, ...DIMS)),
        },
        num_scan_inputs: scanned,
        scan_input_axes: from,
        scan_input_directions: directions(scanned),
        ...(made > 0 && {
          scan_output_axes: into,
          scan_output_directions: directions(made),
        }),
      }),
    );
    return [
      ...results.slice(0, carried),
      ...results.slice(carried).map((stack, k) => this.#summed(nodes, stack, into[k]!)),
    ];
  }
}

describe(`random loops, seed ${SEED}`, () => {
  it.each([...Array(CASES).keys()])('%d', async (index) => {
    const random = randomOf(SEED * 1000 + index);
    const writer = new Writer(random);
    const nodes: OnnxNode[] = [];
    const seen = ['x', 'y', writer.constant('k', floatsOf(random)(...DIMS))];
    const results = [
      ...(index % 2 === 0 ? writer.loop(nodes, seen, 0) : writer.scan(nodes, seen, 0)),
    ];
    // Once more, from what the first has made.
    results.push(...(random.chance(0.5) ? writer.loop(nodes, [...seen, ...results], 0) : []));
    const graph: OnnxGraph = {
      nodes,
      inputs: [float('x', 'a', 3), float('y', 2, 'b')],
      outputs: results.map((name) => float(name, ...DIMS)),
      initializers: writer.initializers,
    };
    const make = floatsOf(random);
    const feeds = { x: make(...DIMS), y: make(...DIMS) };
    await expectLikeOnnxRuntime(writeOnnx(graph), feeds, `SEED=${SEED} case ${index}`);
  });
});
