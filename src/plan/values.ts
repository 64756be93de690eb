// Values while a plan is made: where each one is, or how it can be had without a buffer of its own.
import type { HostValue, ValueType } from '../ops/operator.ts';
import type { DataType, Tensor } from '../tensor.ts';
import type { BufferId } from './types.ts';

/** A value of the specialized graph: its type and shape, and its numbers where they are known. */
export interface Value extends ValueType {
  /** Name in the graph, for keys of packed weights. Constants have the same name in every plan. */
  readonly name: string;
  readonly host?: HostValue;
  /** The constant as the file has it, so that large ones need not become float64 to be uploaded. */
  readonly tensor?: Tensor;
  /** True for constants of the model and what folds from them, which may be packed once. */
  readonly constant: boolean;
}

/** A value of one plan: its numbers are known (`host`), or it will be in a buffer, or both. */
export interface PlanValue extends Value {
  /** Dense row-major: f32 for floating point types, i32 for integers and bool (0 or 1). */
  buffer?: BufferId;
  /** The value where no command has made it yet. */
  lazy?: LazyValue;
}

/** A value that no command has made: its readers compute it inline, or have it materialized. */
export type LazyValue = (
  | { readonly expression: Term }
  | { readonly view: Operand }
  /** The part of a sequence that an iteration of a loop reads; elementwise kernels find it by themselves. */
  | { readonly part: Operand }
) & {
  /** Adds the commands that make it, for a reader that needs a dense buffer. */
  readonly materialize: () => void;
};

/** Elements of a buffer: all of it in order, or a strided view. */
export interface Operand {
  readonly type: DataType;
  readonly dims: readonly number[];
  readonly buffer: BufferId;
  /** Steps along the axes of `dims`. */
  readonly strides?: readonly number[];
  /** Offset of the first element, where there are strides. */
  readonly start?: number;
  /** Elements by which the first one moves on with each iteration of the loop around it. */
  readonly iterationStep?: number;
  /** Operands of one source are one binding. */
  readonly source?: object;
}

/** A constant scalar of the model, which a kernel reads as a uniform. */
export interface Scalar {
  readonly type: DataType;
  readonly dims: readonly number[];
  readonly value: number;
}

/** An expression of other expressions. */
export interface Term {
  readonly op: string;
  readonly type: DataType;
  readonly dims: readonly number[];
  readonly args: readonly Argument[];
  /** WGSL of the arguments by name: `a`, `b` …. */
  readonly expression: string;
  /** Computes it into a buffer, once. */
  readonly store: () => Operand;
}

/** An input of an elementwise expression. */
export type Argument = Operand | Scalar | Term;
