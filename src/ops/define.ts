// How operators are written: one function from a node and its inputs to its outputs, each with a
// type, a shape, and a way to fill in the numbers. `infer` stops before the numbers.
import { RnnError, type RnnErrorCode } from '../errors.ts';
import type { Attribute, Node } from '../graph.ts';
import { isFloat, sizeOf, type DataType } from '../tensor.ts';
import type { HostValue, Inputs, Operator, ValueType } from './operator.ts';
import { show, type Dims } from './shapes.ts';

/** One output: `fill` writes its numbers and may read those of the inputs. */
export interface Output extends ValueType {
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

/**
 * Most elements that the reference computes at a time: 2 GiB of float64, far beyond any activation
 * of a recurrent model, within what engines allocate.
 */
export const MAX_ELEMENTS = 2 ** 28;

/** The attributes of a node, checked; a missing one has its default, or is an error without one. */
export interface Attributes {
  int(name: string, fallback?: number): number;
  float(name: string, fallback: number): number;
  flag(name: string, fallback: boolean): boolean;
  ints(name: string): readonly number[] | undefined;
  /** One of the choices; the first is the default. */
  text<T extends string>(name: string, choices: readonly T[]): T;
}

/** What an operator sees of its node. */
export interface Call extends Attributes {
  readonly node: Node;
  readonly path: string;
  readonly inputs: Inputs<ValueType>;
  /** The path of an input. */
  at(slot: number): string;
  /** Type and shape of an input that must be there. */
  input(slot: number, kind?: Kind): ValueType;
  /** Type and shape of an input that may be left out. */
  optional(slot: number, kind?: Kind): ValueType | undefined;
  /** The numbers of an input, where they are known. */
  host(slot: number): HostValue | undefined;
  /** Numbers of an input that the output's shape depends on; undefined when it is left out. */
  numbers(slot: number): readonly number[] | undefined;
  /** The one number of a required input that the output's shape depends on. */
  scalar(slot: number): number;
  /** A shape read from the numbers of an input. */
  shape(slot: number): number[];
  /** Numbers of an input; inside `fill` only. */
  data(slot: number): Float64Array;
}

const errorOf =
  (code: RnnErrorCode) =>
  (path: string, what: string, got: unknown, expected: unknown): RnnError =>
    new RnnError(code, path, `${what}, got ${String(got)}, expected ${String(expected)}`);

/** The error for shapes that do not fit together. */
export const mismatch = errorOf('SHAPE_MISMATCH');

/** The error for an attribute, a type or a missing input that makes no sense. */
export const invalid = errorOf('INVALID_MODEL');

/** The error for what an operator, or its kernel, cannot do. */
export const unsupported = errorOf('UNSUPPORTED_OPERATOR');

/** Refuses an input whose shape is not `dims`. */
export function expectDims(path: string, got: Dims, dims: Dims, meaning: string): void {
  if (got.length !== dims.length || got.some((dim, axis) => dim !== dims[axis])) {
    throw mismatch(path, 'shape', show(got), `${show(dims)} (${meaning})`);
  }
}

/** Reads the attributes of a node. Errors have the path of the attribute. */
export function attributesOf({ op, attributes }: Node, path: string): Attributes {
  const read = <T extends Attribute>(
    name: string,
    fallback: T | undefined,
    accepts: (value: unknown) => boolean,
    expected: string,
  ): T => {
    const value = attributes[name] ?? fallback;
    if (!accepts(value)) {
      throw invalid(`${path}.${name}`, `attribute of ${op}`, value ?? 'nothing', expected);
    }
    return value as T;
  };
  return {
    int: (name, fallback) => read(name, fallback, Number.isSafeInteger, 'a whole number'),
    float: (name, fallback) => read(name, fallback, (v) => typeof v === 'number', 'a number'),
    flag: (name, fallback) =>
      Number(read(name, fallback, (v) => Number.isInteger(Number(v)), '0 or 1')) !== 0,
    ints: (name) =>
      read<readonly number[] | (undefined & number[])>(
        name,
        undefined,
        (v) => v === undefined || (Array.isArray(v) && v.every(Number.isSafeInteger)),
        'whole numbers',
      ),
    text: (name, choices) =>
      read(name, choices[0], (v) => choices.includes(v as never), choices.join(' or ')),
  };
}

/** What an operator sees of a node, for those that are not made by {@link define}. */
export function callOf(
  node: Node,
  inputs: Inputs<ValueType>,
  host: Call['host'],
  path: string,
  names?: readonly string[],
): Call {
  const at = (slot: number): string => `${path}.${names?.[slot] ?? `inputs[${slot}]`}`;
  const call: Call = {
    ...attributesOf(node, path),
    node,
    path,
    inputs,
    at,
    optional: (slot, kind = 'any') => {
      const found = inputs[slot];
      if (found !== undefined && !KINDS[kind](found.type)) {
        throw invalid(at(slot), `element type of an input of ${node.op}`, found.type, kind);
      }
      return found;
    },
    input: (slot, kind) => {
      const found = call.optional(slot, kind);
      if (found === undefined) throw invalid(at(slot), `input of ${node.op}`, 'nothing', 'a value');
      return found;
    },
    host,
    numbers: (slot) => {
      if (inputs[slot] === undefined) return undefined;
      const value = host(slot);
      if (value === undefined) {
        const what = `an input that the shape of ${node.op} '${node.name}' depends on`;
        throw unsupported(at(slot), what, `'${node.inputs[slot]}'`, 'a value known before the run');
      }
      return [...value.data];
    },
    scalar: (slot) => {
      if (sizeOf(call.input(slot).dims) !== 1) {
        throw mismatch(at(slot), 'shape', show(inputs[slot]!.dims), 'one number');
      }
      return call.numbers(slot)![0]!;
    },
    shape: (slot) => {
      const { dims } = call.input(slot, 'integer');
      if (dims.length !== 1) throw mismatch(at(slot), 'shape', show(dims), 'one axis');
      return (call.numbers(slot) ?? []).map((dim, axis) => {
        if (dim < 0) throw mismatch(`${at(slot)}[${axis}]`, 'size', dim, '0 or more');
        return dim;
      });
    },
    data: (slot) => host(slot)!.data,
  };
  return call;
}

/** What else there is to say about an operator. */
export interface Traits {
  readonly hostInputs?: readonly number[];
  readonly shapeOnly?: true;
  /** Names of the inputs, for paths; `inputs[0]` and so on when left out. */
  readonly inputNames?: readonly string[];
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
  { inputNames, ...traits }: Traits = {},
): Operator<N, P> {
  const described = (
    node: Node,
    inputs: Inputs<ValueType>,
    host: Call['host'],
    path: string,
  ): Description<P> => {
    const [fewest, most] = arity;
    if (inputs.length < fewest || inputs.length > most) {
      const expected = fewest === most ? fewest : `${fewest} to ${most}`;
      throw invalid(`${path}.inputs`, `number of inputs of ${name}`, inputs.length, expected);
    }
    const found = describe(callOf(node, inputs, host, path, inputNames));
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
  return {
    name,
    arity,
    ...traits,
    infer: (node, inputs, host, path) => {
      const { params, outputs } = described(node, inputs, host, path);
      return { params, types: outputs.map(({ type, dims }) => ({ type, dims })) };
    },
    evaluate: (node, inputs, path = node.name) =>
      described(node, inputs, (slot) => inputs[slot], path).outputs.map((output, slot) => {
        const { type, dims, fill } = output;
        const size = sizeOf(dims);
        if (size > MAX_ELEMENTS) {
          const what = `elements of ${name} ${show(dims)}, got ${size}, expected`;
          throw new RnnError('LIMIT_EXCEEDED', path, `${what} at most ${MAX_ELEMENTS}`);
        }
        const data = new Float64Array(size);
        if (node.outputs[slot] !== '') fill(data);
        return { type, dims, data };
      }),
  };
}

/** Makes one operator for each row of a table. */
export const defineEach = <N extends string, R, P>(
  table: Readonly<Record<N, R>>,
  make: (name: N, row: R) => Operator<N, P>,
): Operator<N, P>[] => Object.entries<R>(table).map(([name, row]) => make(name as N, row));
