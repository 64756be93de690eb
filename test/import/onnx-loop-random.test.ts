// Random loops, in one another and around an If, on both backends, against ONNX Runtime.
import fc from 'fast-check';
import { it } from 'vitest';
import { tensor, type Tensor } from '../../src/tensor.ts';
import { expectLikeOnnxRuntime } from '../support/onnx-backends.ts';
import { bool, float, floatsOf, int, node, scalar } from '../support/onnx-parts.ts';
import { writeOnnx, type OnnxGraph, type OnnxNode } from '../support/onnx-writer.ts';
import { expectForAll, oneOf, seeds } from '../support/property.ts';
import { randomOf } from '../support/random.ts';
import { casesOf, MORE_IN_FULL, SEED } from '../support/settings.ts';

const CASES = casesOf(12, 40);
const DEPTH = 2; // loops in loops
const DIMS = [2, 3]; // of every tensor that is carried

/** A value to be, with its own seed, so that others can be left out without changing it; loops have a body. */
interface Step {
  readonly kind: 'binary' | 'matmul' | 'if' | 'loop' | 'scan';
  readonly seed: number;
  readonly body: readonly Step[];
}

const stepOf = (kinds: readonly Step['kind'][], depth: number): fc.Arbitrary<Step> =>
  oneOf(kinds).chain((kind) =>
    fc.record({
      kind: fc.constant(kind),
      seed: seeds,
      body: kind === 'loop' || kind === 'scan' ? bodyOf(depth + 1) : fc.constant([]),
    }),
  );

/** The values of a body, of which there is one or more. */
const bodyOf = (depth: number): fc.Arbitrary<Step[]> => {
  const plain = ['binary', 'binary', 'matmul', 'if'] as const;
  const kinds = depth < DEPTH ? ([...plain, 'loop', 'scan'] as const) : plain;
  return fc.array(stepOf(kinds, depth), { minLength: 1, maxLength: 3, size: 'max' });
};

/** A model: one loop, and often another on what the first has made. */
const models = fc.record({
  loops: fc.array(stepOf(['loop', 'scan'], 0), { minLength: 1, maxLength: 2, size: 'max' }),
  seed: seeds,
});

/** Writes one model. Every value is of order one, for whatever is computed ends in a Tanh. */
class Writer {
  readonly initializers: Record<string, Tensor> = {};
  #count = 0;

  name(stem: string): string {
    return `${stem}_${this.#count++}`;
  }

  constant(stem: string, value: Tensor): string {
    const name = this.name(stem);
    this.initializers[name] = value;
    return name;
  }

  /** Adds nodes that make a value of `DIMS` of some of those that can be seen; `i` counts iterations of a Loop. */
  mix(nodes: OnnxNode[], seen: readonly string[], step: Step, i: string | undefined): string {
    const { kind, seed } = step;
    if (kind === 'loop' || kind === 'scan') return this[kind](nodes, seen, step, false)[0]!;
    const random = randomOf(seed);
    const [a, b] = [random.pick(seen), random.pick(seen)];
    const [made, out] = [this.name('made'), this.name('out')];
    if (kind === 'if' && i !== undefined) {
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
        node('Mod', [i, this.constant('two', two)], [odd]),
        node('Equal', [odd, this.constant('one', one)], [is]),
        node('If', [is], [made], { then_branch: branch('Add'), else_branch: branch('Sub') }),
      );
    } else if (kind === 'matmul') {
      const weights = this.constant('W', floatsOf(random)(3, 3));
      const transposed = this.name('transposed');
      nodes.push(
        node('Transpose', [weights], [transposed], { perm: [1, 0] }),
        node('MatMul', [a, transposed], [made]),
      );
    } else nodes.push(node(random.pick(['Add', 'Sub', 'Mul', 'Max']), [a, b], [made]));
    nodes.push(node('Tanh', [made], [out]));
    return out;
  }

  /** Adds values until there are some to carry and some to collect. */
  #body(
    nodes: OnnxNode[],
    seen: readonly string[],
    { body }: Step,
    i: string | undefined,
    count: number,
  ): string[] {
    const known = [...seen];
    for (const step of body) known.push(this.mix(nodes, known, step, i));
    // What leaves a body has names of its own.
    return Array.from({ length: count }, (_, k) => {
      const name = this.name('leaves');
      nodes.push(node('Identity', [known.at(-1 - (k % Math.min(known.length, 3)))!], [name]));
      return name;
    });
  }

  /** A value of `DIMS` for each output of some iterations; zeros where there was none. */
  #summed(nodes: OnnxNode[], stack: string, axis: number): string {
    const [sum, out] = [this.name('sum'), this.name('bounded')];
    const axes = this.constant('axes', tensor([axis], [1], 'int64'));
    nodes.push(
      node('ReduceSum', [stack, axes], [sum], { keepdims: 0 }),
      node('Tanh', [sum], [out]),
    );
    return out;
  }

  loop(nodes: OnnxNode[], seen: readonly string[], step: Step, isOuter: boolean): string[] {
    const random = randomOf(step.seed);
    const [carried, made] = [random.int(1, 2), random.int(0, 2)];
    const [i, go] = [this.name('i'), this.name('go')];
    const states = Array.from({ length: carried }, () => this.name('h'));
    const inner: OnnxNode[] = [];
    const outputs = this.#body(inner, [...seen, ...states], step, i, carried + made);
    const next = this.name('next');
    if (random.chance(0.3)) {
      const last = this.constant('last', scalar(random.int(0, 4), 'int64'));
      inner.push(node('Less', [i, last], [next]));
    } else inner.push(node('Identity', [go], [next]));
    const body: OnnxGraph = {
      nodes: inner,
      inputs: [int(i), bool(go), ...states.map((name) => float(name, ...DIMS))],
      outputs: [bool(next), ...outputs.map((name) => float(name, ...DIMS))],
    };
    const trips = this.constant('M', scalar(random.int(0, isOuter ? 6 : 3), 'int64'));
    const results = [...states, ...Array(made).keys()].map(() => this.name('loop'));
    const initial = states.map(() => random.pick(seen));
    const condition = random.chance(0.5) ? '' : this.constant('yes', scalar(1, 'bool'));
    nodes.push(node('Loop', [trips, condition, ...initial], results, { body }));
    return [
      ...results.slice(0, carried),
      ...results.slice(carried).map((stack) => this.#summed(nodes, stack, 0)),
    ];
  }

  scan(nodes: OnnxNode[], seen: readonly string[], step: Step, isOuter: boolean): string[] {
    const random = randomOf(step.seed);
    const [carried, scanned, made] = [random.int(1, 2), random.int(1, 2), random.int(0, 2)];
    const steps = random.int(1, isOuter ? 6 : 3);
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
    const outputs = this.#body(inner, [...seen, ...names], step, undefined, carried + made);
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

it(`random loops, seed ${SEED}`, MORE_IN_FULL, () =>
  expectForAll(models, CASES, async ({ loops, seed }) => {
    const make = floatsOf(randomOf(seed));
    const writer = new Writer();
    const nodes: OnnxNode[] = [];
    const seen = ['x', 'y', writer.constant('k', make(...DIMS))];
    const results: string[] = [];
    for (const step of loops) {
      const kind = step.kind === 'scan' ? 'scan' : 'loop';
      results.push(...writer[kind](nodes, [...seen, ...results], step, true));
    }
    const graph: OnnxGraph = {
      nodes,
      inputs: [float('x', 'a', 3), float('y', 2, 'b')],
      outputs: results.map((name) => float(name, ...DIMS)),
      initializers: writer.initializers,
    };
    await expectLikeOnnxRuntime(writeOnnx(graph), { x: make(...DIMS), y: make(...DIMS) });
  }),
);
