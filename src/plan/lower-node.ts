// The Lowering that the planner hands to each operator.
import type { Kernel, Workgroups } from '../../shaders/kernel.ts';
import { RnnError } from '../errors.ts';
import type { Node } from '../graph.ts';
import type { ValueType } from '../ops/operator.ts';
import { sizeOf } from '../tensor.ts';
import type { DeviceProfile } from './select/select-kernel.ts';
import type { Deferred, Lowering, PlanOptions, PlanValue } from './lowering.ts';
import type { PlanBuilder } from './plan-builder.ts';
import type { BufferId, Command, MakeWeight } from './types.ts';

type Writable = { -readonly [K in keyof PlanValue]: PlanValue[K] };

/** One node being lowered. */
export class LowerNode implements Lowering<never> {
  readonly node: Node;
  /** Made by the operator of the node, whose lowering is the only one that gets it. */
  readonly params: never;
  readonly path: string;
  readonly inputs: readonly (PlanValue | undefined)[];
  readonly outputs: readonly ValueType[];
  readonly device: DeviceProfile;
  readonly options: PlanOptions;
  readonly wanted: (slot: number) => boolean;
  readonly readers: (slot: number) => number;
  readonly #builder: PlanBuilder;
  readonly #values: readonly (Writable | undefined)[];

  constructor(
    builder: PlanBuilder,
    item: {
      node: Node;
      path: string;
      inputs: readonly (PlanValue | undefined)[];
      outputs: readonly (Writable | undefined)[];
      types: readonly ValueType[];
      params: unknown;
    },
    readers: ReadonlyMap<PlanValue, number>,
    { device, options }: { device: DeviceProfile; options: PlanOptions },
  ) {
    this.#builder = builder;
    this.#values = item.outputs;
    this.node = item.node;
    this.params = item.params as never;
    this.path = `${item.path} ${item.node.op} '${item.node.name}'`;
    this.inputs = item.inputs;
    this.outputs = item.types;
    this.device = device;
    this.options = options;
    this.wanted = (slot) => {
      const value = this.#values[slot];
      return value !== undefined && readers.has(value);
    };
    this.readers = (slot) =>
      options.fuse === false ? Number.POSITIVE_INFINITY : (readers.get(this.#values[slot]!) ?? 0);
  }

  read(slot: number): BufferId {
    return this.bufferOf(this.inputs[slot]!);
  }

  bufferOf(value: PlanValue): BufferId {
    return this.#builder.bufferOf(value);
  }

  scratch(count: number, label: string): BufferId {
    return this.#builder.scratch(count, `${this.path}: ${label}`);
  }

  weight(key: string, count: number, make: MakeWeight): BufferId {
    return this.#builder.weight(key, count, make);
  }

  write(slot: number): BufferId {
    const id = this.scratch(sizeOf(this.outputs[slot]!.dims), `output ${slot}`);
    this.yield(slot, id);
    return id;
  }

  yield(slot: number, buffer: BufferId): void {
    const value = this.#values[slot];
    if (value) value.buffer = buffer;
  }

  defer(slot: number, deferred: Deferred): void {
    const value = this.#values[slot];
    if (value) value.deferred = deferred;
  }

  alias(slot: number, from: number): void {
    this.yield(slot, this.read(from));
  }

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

  precompile(kernel: Kernel): void {
    this.#builder.precompile(kernel);
  }

  emit(command: Command): void {
    if (command.kind === 'dispatch' && command.workgroups.includes(0)) return;
    for (const dispatch of command.kind === 'loop' ? command.even : [command]) {
      if (dispatch.kind !== 'dispatch') continue;
      const most = this.device.maxStorageBuffersPerShaderStage;
      const count = Object.keys(dispatch.kernel.bindings).length;
      if (count > most) {
        throw new RnnError(
          'LIMIT_EXCEEDED',
          this.path,
          `${dispatch.kernel.name} binds ${count} buffers, this device allows ${most} a stage`,
        );
      }
    }
    this.#builder.emit(command);
  }
}
