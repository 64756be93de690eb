// What the lowering of an operator is given: its node with shapes known, and a place to put
// dispatches. The planner makes one for each node.
import type { Kernel, Workgroups } from '../../shaders/kernel.ts';
import type { Arithmetic, WeightStorage } from '../../shaders/recurrent/weights.ts';
import { RnnError } from '../errors.ts';
import type { Node } from '../graph.ts';
import type { Inputs, ValueType } from '../ops/operator.ts';
import { sizeOf } from '../tensor.ts';
import type { PlanBuilder } from './plan-builder.ts';
import type { DeviceProfile } from './select/device-profile.ts';
import type { Overrides } from './select/select-kernel.ts';
import type { PlannedNode } from './specialize/infer.ts';
import type { BufferId, Command, Dispatch, MakeWeight, Selection } from './types.ts';
import type { LazyValue, PlanValue, Value } from './values.ts';

/** Choices that a caller may take out of the planner's hands. */
export interface PlanOptions extends Overrides {
  /** False does without subgroups where the device has them. */
  readonly subgroups?: boolean;
  /** Whether a session times the candidates of each recurrent layer. */
  readonly tune?: boolean;
  /** Whether a session checks kernels before it uses them; where it is left out, on GPUs. */
  readonly selfCheck?: boolean;
  /** How constant weights of recurrent layers are stored; `'f32'` where it is left out. */
  readonly weights?: WeightStorage;
  /** What recurrent weights that are stored as f16 are multiplied in; `'f32'` where it is left out. */
  readonly arithmetic?: Arithmetic;
  /** False computes each elementwise node, slice and transposition by itself. */
  readonly fuse?: boolean;
}

/** One node on its way to commands; `P` are the parameters that its operator makes. */
export class Lowering<P = unknown> {
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
  readonly #builder: PlanBuilder;
  readonly #values: readonly (Value | undefined)[];
  readonly #readers: ReadonlyMap<Value, number>;

  /** @param readers how many nodes read a value, endless for what is read by someone else */
  constructor(
    builder: PlanBuilder,
    { node, path, inputs, outputs, types, params }: PlannedNode,
    readers: ReadonlyMap<Value, number>,
    { device, options }: { readonly device: DeviceProfile; readonly options: PlanOptions },
  ) {
    this.#builder = builder;
    this.#values = outputs;
    this.#readers = readers;
    this.node = node;
    this.params = params as P; // the planner hands each node to the lowering of its operator only
    this.path = `${path} ${node.op} '${node.name}'`;
    this.inputs = inputs.map((value) => value && builder.valueOf(value));
    this.outputs = types;
    this.device = device;
    this.options = options;
  }

  /** Whether anyone reads an output. */
  readonly wanted = (slot: number): boolean => {
    const value = this.#values[slot];
    return value !== undefined && this.#readers.has(value);
  };

  /** How many nodes read an output; endless where it must be in a buffer whoever reads it. */
  readonly readers = (slot: number): number => {
    if (this.options.fuse === false) return Number.POSITIVE_INFINITY;
    return this.#readers.get(this.#values[slot]!) ?? 0;
  };

  /** The buffer of an input; a value known on the host is uploaded. */
  read(slot: number): BufferId {
    return this.bufferOf(this.inputs[slot]!);
  }

  /** Like {@link read} for any value. */
  bufferOf(value: PlanValue): BufferId {
    return this.#builder.bufferOf(value);
  }

  /** A buffer for `count` 4-byte elements that lives within this node's commands. */
  scratch(count: number, label: string): BufferId {
    return this.#builder.scratch(count, `${this.path}: ${label}`);
  }

  /** A buffer made once for the model. `key` names content and layout, for example `W#rows`. */
  weight(key: string, count: number, make: MakeWeight): BufferId {
    return this.#builder.weight(key, count, make);
  }

  /** The buffer that output `slot` is computed into: a new one, unless somebody has aimed it elsewhere. */
  write(slot: number): BufferId {
    const value = this.#values[slot];
    const target = value && this.#builder.targetOf(value);
    if (target !== undefined) {
      this.yield(slot, target);
      return target;
    }
    const id = this.scratch(sizeOf(this.outputs[slot]!.dims), `output ${slot}`);
    this.yield(slot, id);
    return id;
  }

  /** Makes a buffer that is already filled output `slot`. */
  yield(slot: number, buffer: BufferId): void {
    const value = this.#values[slot];
    if (value) this.#builder.valueOf(value).buffer = buffer;
  }

  /** Makes output `slot` a lazy value: it is computed when a reader needs it. */
  defer(slot: number, lazy: LazyValue): void {
    const value = this.#values[slot];
    if (value) this.#builder.valueOf(value).lazy = lazy;
  }

  /** Output `slot` is input `from` with another shape: no work. */
  alias(slot: number, from: number): void {
    this.yield(slot, this.read(from));
  }

  /** Adds one run of a kernel. Its buffers and uniforms are checked against what it declares. */
  dispatch<B extends string, U extends string>(
    kernel: Kernel<B, U>,
    workgroups: Workgroups,
    buffers: Readonly<Record<B, BufferId>>,
    uniforms: Readonly<Record<U, number>>,
    flops = 0,
  ): void {
    const label = this.path;
    this.emit({ kind: 'dispatch', label, kernel, workgroups, buffers, uniforms, flops });
  }

  /** The lowering of a node inside of this one. */
  inside(item: PlannedNode, readers: ReadonlyMap<Value, number>): Lowering<never> {
    return new Lowering<never>(this.#builder, item, readers, this);
  }

  /** What the plan knows of a value inside of this node. */
  valueOf(value: Value): PlanValue {
    return this.#builder.valueOf(value);
  }

  /** Has whoever computes a value inside of this node write it to this buffer. */
  aim(value: Value, buffer: BufferId): void {
    this.#builder.aim(value, buffer);
  }

  /** The dispatches that a function adds, for a loop. @throws RnnError `INTERNAL` for other commands */
  capture(add: () => void): readonly Dispatch[] {
    return this.#builder.capture(add).map((command) => {
      if (command.kind === 'dispatch') return command;
      throw new RnnError('INTERNAL', this.path, `a ${command.kind} inside of a loop`);
    });
  }

  /** Has a kernel compiled that other sizes need and this one does not. */
  precompile(kernel: Kernel): void {
    this.#builder.precompile(kernel);
  }

  /** Adds any command. @throws RnnError `LIMIT_EXCEEDED` for more bindings than the device allows */
  emit(command: Command): void {
    if (command.kind === 'dispatch' && command.workgroups.includes(0)) return;
    for (const dispatch of command.kind === 'loop' ? command.even : [command]) {
      if (dispatch.kind !== 'dispatch') continue;
      const max = this.device.maxStorageBuffersPerShaderStage;
      const count = Object.keys(dispatch.kernel.bindings).length;
      if (count > max) {
        throw new RnnError(
          'LIMIT_EXCEEDED',
          this.path,
          `${dispatch.kernel.name} binds ${count} buffers, this device allows ${max} a stage`,
        );
      }
    }
    this.#builder.emit(command);
  }

  /** Notes which kernel was selected, for reports and tuning. */
  report(selection: Selection): void {
    this.#builder.report(selection);
  }
}

/** Turns a node into commands. Called only where an output is not known on the host. */
export type Lower<P = unknown> = (ctx: Lowering<P>) => void;

/** The lowering of any operator: only the planner, which has the parameters, can call it. */
export type AnyLower = Lower<never>;
