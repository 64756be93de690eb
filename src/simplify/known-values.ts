// The values of a graph as far as they are known before a run: element types nearly always, shapes and
// numbers where they depend on no free dimension and on no input.
import type { Node } from '../graph.ts';
import type { HostValue, ValueType } from '../ops/operator.ts';
import { CONTROL, OPERATORS } from '../ops/registry.ts';
import { toHost, toTensor } from '../ops/value.ts';
import { sizeOf, type DataType, type Tensor } from '../tensor.ts';

// Folding must not make a model much larger than its file, nor take longer than loading it. The
// reference moves some 10^7 elements a second.
const MAX_OUTPUT = 2 ** 20; // elements
const MAX_GROWTH = 4; // output elements per input element, for outputs of more than SMALL elements
const SMALL = 2 ** 12;
const MAX_WORK = 2 ** 24; // elements read, multiplied or written in one graph

/** Operators that read each input about once for each output. */
const PRODUCTS: ReadonlySet<string> = new Set(['MatMul', 'Gemm']);

/** Operators whose cost does not follow from the sizes of their inputs. */
const NEVER_FOLDED: ReadonlySet<string> = new Set([
  'Recurrent',
  'Conv',
  'ConvTranspose',
  'MaxPool',
  'AveragePool',
]);

/** Types, shapes and numbers of values, by name. */
export class KnownValues {
  readonly #constants = new Map<string, Tensor>();
  readonly #types = new Map<string, DataType>();
  readonly #dims = new Map<string, readonly number[]>();
  #work = 0;

  /** The numbers of a value, where they are known. */
  constant(name: string): Tensor | undefined {
    return this.#constants.get(name);
  }

  /** The element type of a value, where it is known. */
  type(name: string): DataType | undefined {
    return this.#types.get(name);
  }

  setConstant(name: string, value: Tensor): void {
    this.#constants.set(name, value);
    this.setType(name, value.type, value.dims);
  }

  setType(name: string, type: DataType, dims: readonly (number | string)[]): void {
    this.#types.set(name, type);
    const fixed = dims.filter((dim) => typeof dim === 'number');
    if (fixed.length === dims.length) this.#dims.set(name, fixed);
  }

  /** Adds the outputs of a node, as far as its operator can infer them. */
  addOutputs(node: Node): void {
    const types = this.#infer(node);
    node.outputs.forEach((output, slot) => {
      if (output === '') return;
      const found = types?.[slot];
      const type = found?.type ?? this.typeOf(node, slot);
      if (type !== undefined) this.setType(output, type, found?.dims ?? ['?']);
    });
  }

  /** The element type of an output of a node, where it is known. */
  typeOf(node: Node, slot: number): DataType | undefined {
    const operator = OPERATORS.get(node.op) ?? CONTROL.get(node.op);
    const rule = attempt(() => operator?.resultType?.(node, slot));
    return typeof rule === 'number' ? this.#types.get(node.inputs[rule] ?? '') : rule;
  }

  /** The outputs of a node whose inputs are known; undefined where that is too much work or memory. */
  fold(node: Node): readonly Tensor[] | undefined {
    const operator = OPERATORS.get(node.op);
    if (operator === undefined || NEVER_FOLDED.has(node.op)) return undefined;
    const known = node.inputs.every((name) => name === '' || this.#constants.has(name));
    if (!known && operator.shapeOnly !== true) return undefined;
    const inferred = this.#infer(node);
    if (inferred === undefined || !this.#isCheap(node, inferred)) return undefined;
    return attempt(() => {
      const inputs = node.inputs.map((name) => {
        const value = this.#constants.get(name);
        if (value !== undefined) return toHost(value, name);
        // A shape-only operator reads no numbers.
        return name === '' ? undefined : this.#shapeOf(name);
      });
      return operator.evaluate(node, inputs).map((value) => toTensor(value, node.name));
    });
  }

  #shapeOf(name: string): HostValue | undefined {
    const [type, dims] = [this.#types.get(name), this.#dims.get(name)];
    return type && dims && { type, dims, data: new Float64Array(0) };
  }

  #isCheap(node: Node, outputs: readonly ValueType[]): boolean {
    const sizes = node.inputs.map((name) => sizeOf(this.#dims.get(name) ?? [0]));
    const read = sizes.reduce((a, b) => a + b, 0);
    const written = outputs.reduce((sum, { dims }) => sum + sizeOf(dims), 0);
    const work = PRODUCTS.has(node.op) ? written * Math.max(...sizes) : read + written;
    if (written > MAX_OUTPUT || written > Math.max(SMALL, read * MAX_GROWTH)) return false;
    // A shape-only operator reads no numbers.
    const spent = OPERATORS.get(node.op)?.shapeOnly ? written : work;
    if (this.#work + spent > MAX_WORK) return false;
    this.#work += spent;
    return true;
  }

  /** Types and shapes of the outputs, when those of the inputs are known and make sense. */
  #infer(node: Node): readonly ValueType[] | undefined {
    const operator = OPERATORS.get(node.op);
    const inputs = node.inputs.map((name) => (name === '' ? undefined : this.#shapeOf(name)));
    if (operator === undefined) return undefined;
    if (node.inputs.some((name, slot) => name !== '' && inputs[slot] === undefined))
      return undefined;
    const host = (slot: number): HostValue | undefined => {
      const value = this.#constants.get(node.inputs[slot] ?? '');
      return value && toHost(value, node.inputs[slot]);
    };
    return attempt(() => operator.infer(node, inputs, host, node.name).types);
  }
}

/** The result, or undefined for an error: the run reports it, with the path that the node has there. */
function attempt<T>(compute: () => T): T | undefined {
  try {
    return compute();
  } catch {
    return undefined;
  }
}
