// A program: the buffers and the table of kernels for one graph at one set of shapes. Plain data, made
// without WebAssembly.
import type { HostValue, ValueType } from '../ops/operator.ts';
import type { RecurrentSizes } from '../ops/recurrent-steps.ts';
import type { DataType } from '../tensor.ts';
import type { PlannedNode, Value } from '../plan/specialize/infer.ts';
import { isFloat } from '../tensor.ts';

/** Index into `Program.buffers`. */
export type BufferId = number;

/** A place in a buffer; `offset` in elements of 4 bytes. */
export interface Place {
  readonly buffer: BufferId;
  readonly offset: number;
}

/** One word of an entry: a whole number, a float32, or an address. */
export type Word = number | { readonly float: number } | Place;

/** Numbers as the memory holds them: float32 for floating point types, int32 for integers and bool. */
export type Words = Float32Array | Int32Array;

/** One run of a kernel. */
export interface Entry {
  /** See assembly/ids.ts. */
  readonly kernel: number;
  readonly words: readonly Word[];
  /** The node that it computes, a part of it at least. */
  readonly item: PlannedNode;
}

/**
 * What a buffer is for. Weights belong to the model: they are uploaded, or made of what is uploaded, once.
 * Constants and inputs belong to the program. The memory of scratch is shared by those whose lives do not
 * overlap.
 */
export type ProgramBuffer = {
  readonly label: string;
  /** Elements of 4 bytes. */
  readonly count: number;
} & (
  | { readonly life: 'weight'; readonly key: string; readonly recipe: Recipe }
  | { readonly life: 'constant'; readonly make: () => Words }
  | { readonly life: 'input' }
  | { readonly life: 'scratch' }
);

/** How a weight is made: numbers that are uploaded, and entries that read those and write the weight. */
export interface Recipe {
  readonly sources: readonly (() => Words)[];
  /** Entries of which buffer `k` is source `k`, and the one after them the weight. None: it is the source. */
  readonly entries: readonly Omit<Entry, 'item'>[];
}

/** A node without a kernel, which the float64 code of its operator computes between two runs of the table. */
export interface HostStep {
  readonly kind: 'host';
  readonly item: PlannedNode;
  readonly inputs: readonly (Located | undefined)[];
  /** Undefined where nobody reads an output. */
  readonly outputs: readonly (Place | undefined)[];
  /** There for the layer of a cell of the caller's, which reads X, W and R through these only. */
  readonly products?: CellProducts | undefined;
}

/** Products of kernels that the float64 step of a cell asks for. */
export interface CellProducts {
  readonly sizes: RecurrentSizes;
  /** W·x by direction, [rows as X has them, G·H]. */
  readonly inputs: readonly Place[];
  /** By direction and gate: `result` [H] = R · `operand` [O]. None where the cell multiplies nothing. */
  readonly recurrent: readonly (readonly Omit<Entry, 'item'>[])[];
  readonly operand: Place;
  readonly result: Place;
}

/** A value that is in memory, or whose numbers are known. */
export interface Located {
  readonly value: Value;
  /** Undefined where the numbers are known. */
  readonly place: Place | undefined;
}

/** Entries that run in one call. */
export interface TableStep {
  readonly kind: 'table';
  readonly entries: readonly Entry[];
}

/** A copy in each iteration of a loop. */
export interface Move {
  readonly from: Place;
  readonly to: Place;
  /** Elements. */
  readonly count: number;
  /** Elements by which the place moves on with each iteration. */
  readonly fromStep: number;
  readonly toStep: number;
}

/** Steps that run again and again. */
export interface LoopStep {
  readonly kind: 'loop';
  readonly item: PlannedNode;
  readonly count: number;
  /** Copies at the begin of an iteration, in order, and at its end. */
  readonly before: readonly Move[];
  readonly steps: readonly (TableStep | HostStep)[];
  readonly after: readonly Move[];
}

/** Any step. */
export type Step = TableStep | HostStep | LoopStep;

/** Every table and every node of the host, with how often it runs. */
export const runsOf = (
  steps: readonly Step[],
): readonly { readonly step: TableStep | HostStep; readonly times: number }[] =>
  steps.flatMap((step) =>
    step.kind === 'loop'
      ? step.steps.map((inner) => ({ step: inner, times: step.count }))
      : [{ step, times: 1 }],
  );

/** An input or output by name. */
export interface NamedValue extends ValueType {
  readonly name: string;
  readonly place: Place;
}

/** An output that is known without a run has its numbers instead of a place. */
export type ProgramOutput =
  | NamedValue
  | (ValueType & { readonly name: string; readonly host: HostValue });

/** See the top of the file. */
export interface Program {
  readonly buffers: readonly ProgramBuffer[];
  readonly steps: readonly Step[];
  readonly inputs: readonly NamedValue[];
  readonly outputs: readonly ProgramOutput[];
  /** Where the values are that are in memory. */
  readonly places: ReadonlyMap<Value, Place>;
}

const [LOW, HIGH] = [-0x80000000, 0x7fffffff];

/** Numbers as the memory holds them. What 32 bits cannot hold becomes the end of their range. */
export function wordsOf(type: DataType, data: ArrayLike<number | bigint>): Words {
  if (isFloat(type)) {
    return data instanceof Float32Array ? data : Float32Array.from(data as ArrayLike<number>);
  }
  if (data instanceof Int32Array) return data;
  if (type === 'uint32') return Int32Array.from(data as ArrayLike<number>, (x) => x | 0);
  return Int32Array.from(data, (x) => Math.min(Math.max(Number(x), LOW), HIGH));
}
