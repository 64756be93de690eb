// Makes an operator from one function of a node and its inputs, which returns the parameters of the node
// and its outputs: shapes, and functions that compute the numbers. `infer` calls none of those.
import { RnnError, type RnnErrorCode } from '../errors.ts';
import type { Attribute, Node } from '../graph.ts';
import { formatDims, isFloat, sizeOf, type DataType } from '../tensor.ts';
import { ElementBudget } from './element-budget.ts';
import type { HostValue, Inputs, Operator, ValueType } from './operator.ts';
import { sameDims, type Dims } from './shapes.ts';

/** One output. `fill` computes its numbers; only there may the numbers of the inputs be read. */
export interface Output {
  readonly dims: Dims;
  readonly fill: (out: Float64Array) => void;
}

/** Sets of element types. */
export type Kind = 'any' | 'float' | 'number' | 'integer' | 'bool';

const KINDS: Readonly<Record<Kind, (type: DataType) => boolean>> = {
  any: () => true,
  float: isFloat,
  number: (type) => type !== 'bool',
  integer: (type) => type !== 'bool' && !isFloat(type),
  bool: (type) => type === 'bool',
};

const format = (value: unknown): string =>
  Array.isArray(value) ? formatDims(value) : String(value);

const errorOf =
  (code: RnnErrorCode) =>
  (path: string, what: string, got: unknown, expected: unknown): RnnError =>
    new RnnError(code, path, `${what}, got ${format(got)}, expected ${format(expected)}`);

/** The error for shapes that do not fit together. */
export const mismatch = errorOf('SHAPE_MISMATCH');

/** The error for an attribute, a type or a missing input that makes no sense. */
export const invalid = errorOf('INVALID_MODEL');

/** The error for what an operator, or its kernel, cannot do. */
export const unsupported = errorOf('UNSUPPORTED_OPERATOR');

/** Refuses an input whose shape is not `dims`. */
export function expectDims(path: string, got: Dims, dims: Dims, meaning: string): void {
  if (!sameDims(got, dims)) {
    throw mismatch(path, 'shape', got, `${formatDims(dims)} (${meaning})`);
  }
}

/** The attributes of a node, checked. A missing one is its default, or an error where there is none. */
export class Attributes {
  readonly node: Node;
  readonly path: string;

  constructor(node: Node, path: string) {
    this.node = node;
    this.path = path;
  }

  #read<T extends Attribute>(
    name: string,
    fallback: T | undefined,
    accepts: (value: unknown) => boolean,
    expected: string,
  ): T {
    const value = this.node.attributes[name] ?? fallback;
    if (accepts(value)) return value as T;
    const what = `attribute of ${this.node.op}`;
    throw invalid(`${this.path}.${name}`, what, value ?? 'nothing', expected);
  }

  int(name: string, fallback?: number): number {
    return this.#read(name, fallback, Number.isSafeInteger, 'a whole number');
  }

  float(name: string, fallback: number): number {
    return this.#read(name, fallback, (value) => typeof value === 'number', 'a number');
  }

  flag(name: string, fallback: boolean): boolean {
    const isWhole = (value: unknown): boolean => Number.isInteger(Number(value));
    return Number(this.#read(name, fallback, isWhole, '0 or 1')) !== 0;
  }

  ints(name: string): readonly number[] | undefined {
    const isList = (value: unknown): boolean =>
      Array.isArray(value) && value.every(Number.isSafeInteger);
    const given = this.node.attributes[name] !== undefined;
    return given
      ? this.#read<readonly number[]>(name, undefined, isList, 'whole numbers')
      : undefined;
  }

  /** Any text. */
  anyText(name: string): string {
    return this.#read<string>(name, undefined, (value) => typeof value === 'string', 'a text');
  }

  /** One of the choices; the first is the default. */
  text<T extends string>(name: string, choices: readonly T[]): T {
    const isChoice = (value: unknown): boolean => choices.includes(value as never);
    return this.#read(name, choices[0], isChoice, choices.join(' or '));
  }
}

/** A node as its operator sees it: attributes and inputs, each checked when it is read. */
export class Call extends Attributes {
  readonly inputs: Inputs<ValueType>;
  /** The numbers of an input, where they are known. */
  readonly host: (slot: number) => HostValue | undefined;
  readonly #inputNames: readonly string[];

  constructor(
    node: Node,
    path: string,
    inputs: Inputs<ValueType>,
    host: Call['host'],
    inputNames: readonly string[],
  ) {
    super(node, path);
    this.inputs = inputs;
    this.host = host;
    this.#inputNames = inputNames;
  }

  /** The path of an input. */
  at(slot: number): string {
    return `${this.path}.${this.#inputNames[slot] ?? `inputs[${slot}]`}`;
  }

  /** Type and shape of an input that may be left out. */
  optional(slot: number, kind: Kind = 'any'): ValueType | undefined {
    const found = this.inputs[slot];
    if (found !== undefined && !KINDS[kind](found.type)) {
      const what = `element type of an input of ${this.node.op}`;
      throw invalid(this.at(slot), what, found.type, kind);
    }
    return found;
  }

  /** Type and shape of an input that must be there. */
  input(slot: number, kind?: Kind): ValueType {
    const found = this.optional(slot, kind);
    if (found !== undefined) return found;
    throw invalid(this.at(slot), `input of ${this.node.op}`, 'nothing', 'a value');
  }

  /** Numbers of an input that the output's shape depends on; undefined when it is left out. */
  numbers(slot: number): readonly number[] | undefined {
    if (this.inputs[slot] === undefined) return undefined;
    const value = this.host(slot);
    if (value !== undefined) return [...value.data];
    const { op, name, inputs } = this.node;
    const what = `an input that the shape of ${op} '${name}' depends on`;
    throw unsupported(this.at(slot), what, `'${inputs[slot]}'`, 'a value known before the run');
  }

  /** The one number of a required input that the output's shape depends on. */
  scalar(slot: number): number {
    const { dims } = this.input(slot);
    if (sizeOf(dims) !== 1) throw mismatch(this.at(slot), 'shape', dims, 'one number');
    return this.numbers(slot)![0]!;
  }

  /** A shape read from the numbers of an input. */
  shape(slot: number): number[] {
    const { dims } = this.input(slot, 'integer');
    if (dims.length !== 1) throw mismatch(this.at(slot), 'shape', dims, 'one axis');
    return (this.numbers(slot) ?? []).map((dim, axis) => {
      if (dim < 0) throw mismatch(`${this.at(slot)}[${axis}]`, 'size', dim, '0 or more');
      return dim;
    });
  }

  /** Numbers of an input; inside `fill` only. */
  data(slot: number): Float64Array {
    return this.host(slot)!.data;
  }
}

/** Properties of an operator that do not depend on a node. */
interface Traits {
  readonly hostInputs?: readonly number[];
  readonly shapeOnly?: true;
  /** Names of the inputs, for paths; `inputs[0]` and so on when left out. */
  readonly inputNames?: readonly string[];
  /** Element types of the outputs; that of the first input when left out. */
  readonly resultType?: Operator['resultType'];
}

/** A node in normal form: its parameters, which kernels read as well, and its outputs. */
export interface Description<P> {
  readonly params: P;
  readonly outputs: readonly Output[];
}

/**
 * Makes an operator from the function that describes its nodes. An operator without attributes
 * describes its outputs only.
 */
export function define<N extends string, P>(
  name: N,
  arity: Operator['arity'],
  describe: (call: Call) => Description<P> | readonly Output[],
  { inputNames = [], resultType = () => 0, ...traits }: Traits = {},
): Operator<N, P> {
  const described = (
    node: Node,
    inputs: Inputs<ValueType>,
    host: Call['host'],
    path: string,
  ): Description<P> => {
    const [min, max] = arity;
    if (inputs.length < min || inputs.length > max) {
      const expected = min === max ? min : `${min} to ${max}`;
      throw invalid(`${path}.inputs`, `number of inputs of ${name}`, inputs.length, expected);
    }
    const found = describe(new Call(node, path, inputs, host, inputNames));
    const { params, outputs } =
      'params' in found ? found : { params: undefined as P, outputs: found };
    node.outputs.forEach((output, slot) => {
      if (output !== '' && slot >= outputs.length) {
        const what = `number of outputs of ${name}`;
        throw invalid(`${path}.outputs[${slot}]`, what, slot + 1, `at most ${outputs.length}`);
      }
    });
    return { params, outputs: outputs.slice(0, node.outputs.length) };
  };
  const typeOf = (node: Node, inputs: Inputs<ValueType>, slot: number): DataType => {
    const rule = resultType(node, slot);
    return typeof rule === 'number' ? inputs[rule]!.type : rule;
  };
  return {
    name,
    arity,
    resultType,
    ...traits,
    infer: (node, inputs, host, path) => {
      const { params, outputs } = described(node, inputs, host, path);
      const types = outputs.map(({ dims }, slot) => ({ type: typeOf(node, inputs, slot), dims }));
      return { params, types };
    },
    evaluate: (node, inputs, path = node.name, budget = new ElementBudget()) => {
      const { outputs } = described(node, inputs, (slot) => inputs[slot], path);
      budget.take(node, outputs, path);
      return outputs.map(({ dims, fill }, slot) => {
        const data = new Float64Array(sizeOf(dims));
        if (node.outputs[slot] !== '') fill(data);
        return { type: typeOf(node, inputs, slot), dims, data };
      });
    },
  };
}

/** Makes one operator for each row of a table. */
export const defineEach = <N extends string, R, P>(
  table: Readonly<Record<N, R>>,
  make: (name: N, row: R) => Operator<N, P>,
): Operator<N, P>[] => Object.entries<R>(table).map(([name, row]) => make(name as N, row));
