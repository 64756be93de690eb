// What the lowering of an operator is given: its node with shapes known, and a place to put
// dispatches. One instance a node; the planner makes it.
import type { Kernel, Workgroups } from '../../shaders/kernel.ts';
import type { Arithmetic, WeightStorage } from '../../shaders/recurrent/weights.ts';
import type { Node } from '../graph.ts';
import type { HostValue, Inputs, ValueType } from '../ops/operator.ts';
import type { Tensor } from '../tensor.ts';
import type { DeviceProfile, Effort, Measured, RecurrentKernel } from './select/select-kernel.ts';
import type { Operand } from './lower/pointwise.ts';
import type { Term } from './lower/fuse.ts';
import type { BufferId, Command, MakeWeight } from './types.ts';

/** Choices that a caller may take out of the planner's hands. */
export interface PlanOptions {
  /** The recurrent kernel to use wherever the device allows it. */
  readonly recurrentKernel?: RecurrentKernel;
  /** Whether the layers of a stack compute side by side: wherever that is legal, or never. */
  readonly wavefront?: boolean;
  /** False does without subgroups where the device has them. */
  readonly subgroups?: boolean;
  /** Whether a session measures which recurrent kernel is the fastest. */
  readonly tune?: boolean;
  /** What has been measured, instead of what the planner thinks. */
  readonly measured?: Measured;
  /** What the choice of kernels is for, `'best'` where it is left out. */
  readonly effort?: Effort;
  /** How constant weights of recurrent layers are stored; `'f32'` where it is left out. */
  readonly weights?: WeightStorage;
  /** What recurrent weights that are stored as f16 are multiplied in; `'f32'` where it is left out. */
  readonly arithmetic?: Arithmetic;
  /** False computes each elementwise node, slice and transposition by itself. */
  readonly fuse?: boolean;
  /** Nodes that loops may come to, a default where it is left out. */
  readonly maxUnrolled?: number;
}

/** A value that no command has made yet, because its readers may find it on their way. */
export interface Deferred {
  /** An expression, or elements of another buffer. */
  readonly how: Term | Operand;
  /** Adds the commands that make it, for a reader that needs a dense buffer. */
  readonly make: () => void;
}

/** A value while planning: its numbers are known (`host`), or it will be in a buffer, or both. */
export interface PlanValue extends ValueType {
  /** Name in the graph, for keys of packed weights. Constants have the same name in every plan. */
  readonly name: string;
  readonly host?: HostValue;
  /** The constant as the file has it, so that large ones need not become float64 to be uploaded. */
  readonly tensor?: Tensor;
  /** Dense row-major: f32 for floating point types, i32 for integers and bool (0 or 1). */
  readonly buffer?: BufferId;
  /** How to have the value without a buffer of its own. */
  readonly deferred?: Deferred;
  /** True for constants of the model and what folds from them, which may be packed once. */
  readonly constant: boolean;
}

/** How one node becomes commands; `P` are the parameters that its operator makes. */
export interface Lowering<P = unknown> {
  readonly node: Node;
  /** Attributes and shape-determining inputs in normal form, see `Inferred` in src/ops/operator.ts. */
  readonly params: P;
  /** Path for errors and labels. */
  readonly path: string;
  readonly inputs: Inputs<PlanValue>;
  /** Types and shapes by slot, as inferred. */
  readonly outputs: readonly ValueType[];
  readonly device: DeviceProfile;
  readonly options: PlanOptions;
  /** Whether anyone reads an output. */
  wanted: (slot: number) => boolean;
  /** How many nodes read an output; endless where it must be in a buffer whoever reads it. */
  readers: (slot: number) => number;
  /** The buffer of an input; a value known on the host is uploaded. */
  read(slot: number): BufferId;
  /** Like {@link read} for any value. */
  bufferOf(value: PlanValue): BufferId;
  /** A buffer for `count` 4-byte elements that lives within this node's commands. */
  scratch(count: number, label: string): BufferId;
  /** A buffer made once for the model. `key` names content and layout, for example `W#rows`. */
  weight(key: string, count: number, make: MakeWeight): BufferId;
  /** A fresh buffer that becomes output `slot`. */
  write(slot: number): BufferId;
  /** Makes a buffer that is already filled output `slot`. */
  yield(slot: number, buffer: BufferId): void;
  /** Puts off output `slot` until someone needs it. */
  defer(slot: number, deferred: Deferred): void;
  /** Output `slot` is input `from` with another shape: no work. */
  alias(slot: number, from: number): void;
  /** Adds one run of a kernel. Its buffers and uniforms are checked against what it declares. */
  dispatch<B extends string, U extends string>(
    kernel: Kernel<B, U>,
    workgroups: Workgroups,
    buffers: Readonly<Record<B, BufferId>>,
    uniforms: Readonly<Record<U, number>>,
    flops?: number,
  ): void;
  /** Has a kernel compiled that other sizes need and this one does not. */
  precompile(kernel: Kernel): void;
  /** Adds any command. */
  emit(command: Command): void;
}

/** CallQueue a node into commands. Called only where an output is not known on the host. */
export type Lower<P = unknown> = (ctx: Lowering<P>) => void;

/** The lowering of any operator: only the planner, which has the parameters, can call it. */
export type AnyLower = Lower<never>;
