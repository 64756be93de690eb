// A chain of operators under construction. Its numbers are known while it grows, so that it stays in
// the range where float32 can be compared: every operator may follow every other one, but not on
// numbers that would make rounding errors large or decide a comparison.
import type { Node } from '../../src/graph.ts';
import { operatorOf, type HostValue } from '../../src/ops/index.ts';
import { toHost } from '../../src/ops/value.ts';
import { isFloat, sizeOf, type DataType, type Tensor } from '../../src/tensor.ts';
import { floats } from '../support/operator-case.ts';
import type { Random } from '../support/random.ts';
import { ModelBuilder, type Attributes } from './model-builder.ts';

/** A value with its numbers, and with those of a sloppy implementation of all that came before. */
export interface Value {
  readonly name: string;
  readonly type: DataType;
  readonly dims: readonly number[];
  readonly data: Float64Array;
  readonly sloppy: Float64Array;
}

/** Thrown where an operator does not suit the numbers at hand. */
export class Unsuitable extends Error {}

const MAX_ELEMENTS = 3000;
const MAX_ABS = 100; // the largest number
// A sloppy implementation is off by 2⁻²² of each number and by 2⁻²⁴ of the largest, four times what
// rounding to nearest allows; a fifth of the tolerance of the comparison may come of it, and so the
// two implementations that are compared agree with a margin, or one of them is wrong.
const SLOPPY = 2 ** -22;
const ALLOWED = 2e-6;
// Errors of this size, a hundred times those that occur, may neither turn an integer nor grow much.
const SHOCK = 1e-4;
const GROWTH = 20;

const maxAbs = (data: Float64Array): number =>
  data.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0);

const maxDifference = (a: Float64Array, b: Float64Array): number =>
  a.reduce((largest, x, i) => Math.max(largest, Math.abs(x - b[i]!)), 0);

/** Nodes, and the values that they make. */
export class Chain {
  readonly model: ModelBuilder;
  /** Each step has its own. */
  random: Random;
  /** Every value that a node has made, in order. */
  readonly values: Value[] = [];

  constructor(random: Random) {
    this.random = random;
    this.model = new ModelBuilder(random);
  }

  #given(name: string, value: Tensor): Value {
    const { type, dims, data } = toHost(value);
    return { name, type, dims, data, sloppy: data };
  }

  feed(value: Tensor): Value {
    return this.#given(this.model.feed(value), value);
  }

  constant(value: Tensor): Value {
    return this.#given(this.model.constant(value), value);
  }

  /** Random weights. */
  weights(dims: readonly number[], scale = 1): Value {
    return this.constant(floats(this.random, dims, scale));
  }

  /** Adds a node; the values of its outputs by slot. @throws Unsuitable */
  apply(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Node['attributes'] = {},
    outputs = 1,
  ): Value[] {
    const slots = Array.from({ length: outputs }, (_, slot) => `y${slot}`);
    const names = inputs.map((value) => value?.name ?? '');
    const node = { op, name: op, inputs: names, outputs: slots, attributes };
    const wanted = slots.map(() => true);
    return this.applyAs(op, inputs, attributes as Attributes, wanted, node) as Value[];
  }

  /** Adds a node that means what `node` means. @throws Unsuitable */
  applyAs(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Attributes,
    wanted: readonly boolean[],
    node: Node,
  ): (Value | undefined)[] {
    const { random } = this;
    const operator = operatorOf(node, op);
    const run = (pick: (value: Value) => Float64Array): readonly HostValue[] =>
      operator.evaluate(
        node,
        inputs.map((value) => value && { type: value.type, dims: value.dims, data: pick(value) }),
      );
    const exact = run(({ data }) => data);
    const sloppy = run((value) => value.sloppy).map(({ type, data }) => {
      if (!isFloat(type)) return data;
      const noise = 2 ** -24 * maxAbs(data);
      const off = (): number => 2 * random.next() - 1;
      return data.map((x) => x + x * SLOPPY * off() + noise * off());
    });
    exact.forEach(({ type, dims, data }, slot) => {
      if (wanted[slot] === false) return;
      const size = sizeOf(dims);
      if (size === 0 || size > MAX_ELEMENTS || dims.length > 5) throw new Unsuitable();
      if (!isFloat(type)) {
        if (maxDifference(data, sloppy[slot]!) !== 0) throw new Unsuitable();
        return;
      }
      const largest = maxAbs(data);
      if (!(largest <= MAX_ABS)) throw new Unsuitable();
      const error = maxDifference(data, sloppy[slot]!);
      if (!(error <= ALLOWED * Math.max(1, largest))) throw new Unsuitable();
    });
    for (let i = 0; i < 2; i++) this.#shock(run, exact, wanted);
    const names = this.model.node(
      op,
      inputs.map((value) => value?.name ?? ''),
      attributes,
      wanted,
    );
    const made = names.map((name, slot): Value | undefined =>
      name === '' ? undefined : { name, ...exact[slot]!, sloppy: sloppy[slot]! },
    );
    this.values.push(...made.filter((value) => value !== undefined));
    return made;
  }

  /** Refuses a node that makes much of small errors in what has been computed before it. */
  #shock(
    run: (pick: (value: Value) => Float64Array) => readonly HostValue[],
    exact: readonly HostValue[],
    wanted: readonly boolean[],
  ): void {
    const shocked = run((value) =>
      !isFloat(value.type) || value.sloppy === value.data
        ? value.data
        : value.data.map((x) => x + SHOCK * (2 * this.random.next() - 1)),
    );
    exact.forEach(({ type, data }, slot) => {
      if (wanted[slot] === false) return;
      const allowed = isFloat(type) ? GROWTH * SHOCK : 0;
      if (!(maxDifference(data, shocked[slot]!.data) <= allowed)) throw new Unsuitable();
    });
  }

  /** What `step` makes, or nothing, and then nothing is left of it. */
  attempt(step: (chain: Chain) => Value | undefined): Value | undefined {
    const values = this.values.length;
    const result = this.model.attempt(() => {
      try {
        return step(this);
      } catch (error) {
        if (error instanceof Unsuitable) return undefined;
        throw error;
      }
    });
    if (result === undefined) this.values.length = values;
    return result;
  }

  /** The nodes in order, for messages. */
  describe(): string {
    const dims = new Map(this.values.map((value) => [value.name, value.dims]));
    for (const [name, value] of Object.entries({ ...this.model.feeds, ...this.model.initializers }))
      dims.set(name, value.dims);
    const shown = (names: readonly string[]): string =>
      names.map((name) => `${name}[${dims.get(name)?.join(',') ?? ''}]`).join(' ');
    return this.model.nodes
      .map(({ op, inputs, outputs, attributes }) => {
        const given = JSON.stringify(attributes ?? {});
        return `${shown(outputs)} = ${op} ${shown(inputs)} ${given}`;
      })
      .join('\n');
  }
}

/** Makes the next value of the one so far; undefined where it does not fit. */
export type Step = (chain: Chain, x: Value) => Value | undefined;

/** Adds a node with one output. @throws Unsuitable */
export function one(
  chain: Chain,
  op: string,
  inputs: readonly (Value | undefined)[],
  attributes: Node['attributes'] = {},
): Value {
  return chain.apply(op, inputs, attributes)[0]!;
}
