// Einsum: sums of products over letters, made of transpositions, sums and matrix products.
// https://onnx.ai/onnx/operators/onnx__Einsum.html
import {
  integers,
  tensorOf,
  type ControlCall,
  type ControlOperator,
  type Flow,
} from './control.ts';
import { Attributes, invalid, mismatch } from './define.ts';
import type { ValueType } from './operator.ts';
import { sameDims } from './shapes.ts';

/** A value whose axes have letters; an axis of an ellipsis has a number from the back, `-1`. */
interface Labelled<V> {
  readonly value: V;
  readonly labels: readonly string[];
}

const ELLIPSIS = '...';

/** The letters of one term; those of its ellipsis are numbers, counted from the back. */
function labelsOf(term: string, rank: number, path: string): string[] {
  const fail = (expected: string): never => {
    throw invalid(path, 'a term of an Einsum', `'${term}' for ${rank} axes`, expected);
  };
  const [before = '', after, ...more] = term.split(ELLIPSIS);
  if (more.length > 0 || !/^[a-zA-Z]*$/.test(before + (after ?? ''))) fail('letters');
  const hidden = rank - before.length - (after ?? '').length;
  if (hidden < 0 || (after === undefined && hidden > 0)) fail('a letter for each axis');
  const numbers = Array.from({ length: hidden }, (_, axis) => String(axis - hidden));
  return [...before, ...numbers, ...(after ?? '')];
}

/** What comes out where the equation does not say: the ellipsis, then the letters that are there once. */
function implicitOutput(terms: readonly (readonly string[])[]): string[] {
  const all = terms.flat();
  const hidden = [...new Set(all.filter((label) => label.startsWith('-')))];
  const once = all.filter(
    (label) => /[a-zA-Z]/.test(label) && all.indexOf(label) === all.lastIndexOf(label),
  );
  return [...hidden.toSorted((a, b) => Number(a) - Number(b)), ...once.toSorted()];
}

/** The terms of an equation and of its output. */
function parse(equation: string, ranks: readonly number[], path: string) {
  const [left = '', right, ...more] = equation.replaceAll(' ', '').split('->');
  const texts = left.split(',');
  if (more.length > 0 || texts.length !== ranks.length) {
    throw invalid(path, 'equation of an Einsum', equation, `one with ${ranks.length} terms`);
  }
  const terms = texts.map((text, i) => labelsOf(text, ranks[i]!, path));
  if (right === undefined) return { terms, output: implicitOutput(terms) };
  const hidden = new Set(terms.flat().filter((label) => label.startsWith('-')));
  const rank = right.replace(ELLIPSIS, '').length + (right.includes(ELLIPSIS) ? hidden.size : 0);
  const output = labelsOf(right, rank, path);
  const known = new Set(terms.flat());
  if (new Set(output).size !== output.length || output.some((label) => !known.has(label))) {
    throw invalid(path, 'output of an Einsum', right, 'letters of its terms, each once');
  }
  return { terms, output };
}

/** Builds an Einsum out of other operators. */
class Contraction<V extends ValueType> {
  readonly #call: ControlCall<V>;
  readonly #flow: Flow<V>;
  readonly #sizes: ReadonlyMap<string, number>;

  constructor(call: ControlCall<V>, sizes: ReadonlyMap<string, number>) {
    this.#call = call;
    this.#flow = call.flow;
    this.#sizes = sizes;
  }

  #product = (labels: readonly string[]): number =>
    labels.reduce((product, label) => product * this.#sizes.get(label)!, 1);

  #reshape(value: V, dims: readonly number[]): V {
    if (sameDims(value.dims, dims)) return value;
    return this.#flow.apply('Reshape', [value, integers(this.#flow, dims)], { allowzero: 1 });
  }

  /** Sums over the axes of some letters. */
  sum({ value, labels }: Labelled<V>, over: (label: string) => boolean): Labelled<V> {
    const axes = [...labels.keys()].filter((axis) => over(labels[axis]!));
    if (axes.length === 0) return { value, labels };
    const list = integers(this.#flow, axes);
    const summed = this.#flow.apply('ReduceSum', [value, list], { keepdims: 0 });
    return { value: summed, labels: labels.filter((label) => !over(label)) };
  }

  /** Takes the diagonal of axes that have the same letter. */
  diagonal({ value, labels }: Labelled<V>): Labelled<V> {
    const second = labels.findIndex((label, axis) => labels.indexOf(label) !== axis);
    if (second < 0) return { value, labels };
    const first = labels.indexOf(labels[second]!);
    const n = value.dims[second]!;
    const dims = labels.map((_, axis) => (axis === first || axis === second ? n : 1));
    const { node, path } = this.#call;
    this.#flow.unrolling.keep({ type: 'bool', dims: [n, n] }, node, path); // before it is allocated
    const data = Float64Array.from({ length: n * n }, (_, i) => Number(i % (n + 1) === 0));
    const mask = this.#flow.literal({ type: 'bool', dims, data });
    const zero = this.#flow.literal({ type: value.type, dims: [], data: Float64Array.of(0) });
    const masked = this.#flow.apply('Where', [mask, value, zero]);
    const axis = integers(this.#flow, [second]);
    const summed = this.#flow.apply('ReduceSum', [masked, axis], { keepdims: 0 });
    return this.diagonal({ value: summed, labels: labels.toSpliced(second, 1) });
  }

  /** The axes in another order. */
  ordered({ value, labels }: Labelled<V>, order: readonly string[]): V {
    const perm = order.map((label) => labels.indexOf(label));
    if (perm.every((axis, i) => axis === i)) return value;
    return this.#flow.apply('Transpose', [value], { perm });
  }

  /** [batch…, rows, columns] of groups of letters; axes of size 1 are repeated where others are larger. */
  #matrix(
    term: Labelled<V>,
    batch: readonly string[],
    rows: readonly string[],
    columns: readonly string[],
  ): V {
    const order = [...batch, ...rows, ...columns];
    const dims = order.map((label) => this.#sizes.get(label)!);
    const value = this.ordered(term, order);
    const list = integers(this.#flow, dims);
    const whole = sameDims(value.dims, dims) ? value : this.#flow.apply('Expand', [value, list]);
    const outer = dims.slice(0, batch.length);
    return this.#reshape(whole, [...outer, this.#product(rows), this.#product(columns)]);
  }

  /** Multiplies two terms and sums over what both have and nobody needs any more. */
  multiply(a: Labelled<V>, b: Labelled<V>, needed: ReadonlySet<string>): Labelled<V> {
    const shared = a.labels.filter((label) => b.labels.includes(label));
    const batch = shared.filter((label) => needed.has(label));
    const inner = shared.filter((label) => !needed.has(label));
    const rows = a.labels.filter((label) => !shared.includes(label));
    const columns = b.labels.filter((label) => !shared.includes(label));
    const left = this.#matrix(a, batch, rows, inner);
    const right = this.#matrix(b, batch, inner, columns);
    const labels = [...batch, ...rows, ...columns];
    const product = this.#flow.apply('MatMul', [left, right]);
    const dims = labels.map((label) => this.#sizes.get(label)!);
    return { value: this.#reshape(product, dims), labels };
  }
}

/** The size of each letter; 1 is repeated where another term has more. */
function sizesOf<V extends ValueType>(
  terms: readonly Labelled<V>[],
  path: string,
): Map<string, number> {
  const sizes = new Map<string, number>();
  terms.forEach(({ value, labels }, slot) =>
    labels.forEach((label, axis) => {
      const [size, known = 1] = [value.dims[axis]!, sizes.get(label)];
      if (size !== known && size !== 1 && known !== 1) {
        throw mismatch(`${path}.inputs[${slot}]`, `size of '${label}' in an Einsum`, size, known);
      }
      if (size !== 1 || !sizes.has(label)) sizes.set(label, size);
    }),
  );
  return sizes;
}

function run<V extends ValueType>(call: ControlCall<V>): readonly V[] {
  const { node, path, inputs } = call;
  const values = inputs.map((_, slot) => tensorOf(call, slot));
  const [first] = values;
  if (first === undefined) throw invalid(`${path}.inputs`, 'inputs of an Einsum', 0, '1 or more');
  values.forEach(({ type }, slot) => {
    if (type !== first.type)
      throw invalid(`${path}.inputs[${slot}]`, 'element type', type, first.type);
  });
  const equation = new Attributes(node, path).anyText('equation');
  const ranks = values.map(({ dims }) => dims.length);
  const { terms, output } = parse(equation, ranks, `${path}.equation`);
  const given = terms.map((labels, i) => ({ value: values[i]!, labels }));
  const work = new Contraction(call, sizesOf(given, path));
  const isNeeded = (label: string, others: readonly (readonly string[])[]): boolean =>
    output.includes(label) || others.some((labels) => labels.includes(label));
  const ready = given.map((term, i) =>
    work.sum(work.diagonal(term), (label) => !isNeeded(label, terms.toSpliced(i, 1))),
  );
  const result = ready.reduce((a, b, i) => {
    const needed = [...a.labels, ...b.labels].filter((label) =>
      isNeeded(label, terms.slice(i + 1)),
    );
    return work.multiply(a, b, new Set(needed));
  });
  return [work.ordered(result, output)];
}

/** Einsum. */
export const einsum: ControlOperator = {
  name: 'Einsum',
  resultType: () => 0,
  advice: 'export it with an equation of letters',
  run: (call) => run(call),
};
