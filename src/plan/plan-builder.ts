// Collects the buffers and commands of a plan while its nodes are lowered.
import type { Kernel } from '../../shaders/kernel.ts';
import { RnnError } from '../errors.ts';
import { sizeOf } from '../tensor.ts';
import type { assignSlots } from './arena.ts';
import { deviceArray, type DeviceArray } from './device-array.ts';
import type { DeviceProfile } from './select/device-profile.ts';
import type {
  BufferId,
  Command,
  Dispatch,
  MakeWeight,
  Plan,
  PlanBuffer,
  PlanOutput,
  Selection,
} from './types.ts';
import type { PlanValue, Value } from './values.ts';

type Draft = { label: string; size: number } & (
  | { life: 'scratch' }
  | { life: 'weight'; key: string; make: MakeWeight }
  | { life: 'constant'; make: MakeWeight }
  | { life: 'input' | 'state'; name: string }
);

/** The plan under construction. */
export class PlanBuilder {
  readonly #device: DeviceProfile;
  readonly #buffers: Draft[] = [];
  #commands: Command[] = [];
  readonly #precompiled: Kernel[] = [];
  readonly #selections: Selection[] = [];
  readonly #feedback: { from: BufferId; to: BufferId; size: number }[] = [];
  readonly #weights = new Map<string, BufferId>();
  readonly #uploads = new Map<PlanValue, BufferId>();
  readonly #values = new Map<Value, PlanValue>();
  readonly #targets = new Map<Value, BufferId>();

  constructor(device: DeviceProfile) {
    this.#device = device;
  }

  #add(draft: Draft): BufferId {
    const { maxStorageBufferBindingSize, maxBufferSize } = this.#device;
    if (draft.size > Math.min(maxStorageBufferBindingSize, maxBufferSize)) {
      throw new RnnError(
        'LIMIT_EXCEEDED',
        draft.label,
        `needs a buffer of ${draft.size} bytes, this device has maxStorageBufferBindingSize ` +
          `${maxStorageBufferBindingSize} and maxBufferSize ${maxBufferSize}`,
      );
    }
    // WebGPU has no empty bindings, and kernels read whole vec4s: never less than 16 bytes.
    return (
      this.#buffers.push({ ...draft, size: Math.max(16, Math.ceil(draft.size / 16) * 16) }) - 1
    );
  }

  /** What this plan knows of a value: plans of one specialized graph share no buffers. */
  valueOf(value: Value): PlanValue {
    let found = this.#values.get(value);
    if (!found) {
      const { name, type, dims, tensor, constant } = value;
      const known = { name, type, dims, constant, ...(tensor && { tensor }) };
      // The float64 numbers of a constant are made when someone asks for them.
      found = Object.defineProperty(known, 'host', { get: () => value.host, enumerable: true });
      this.#values.set(value, found);
    }
    return found;
  }

  /** Gives an input the buffer that it is uploaded to, or that a stream holds it in. */
  input(value: Value, isState: boolean): void {
    const { name, dims } = value;
    const life = isState ? 'state' : 'input';
    const draft = { label: `inputs.${name}`, size: sizeOf(dims) * 4, life, name } as const;
    this.valueOf(value).buffer = this.#add(draft);
  }

  scratch(count: number, label: string): BufferId {
    return this.#add({ label, size: count * 4, life: 'scratch' });
  }

  weight(key: string, count: number, make: MakeWeight): BufferId {
    let id = this.#weights.get(key);
    if (id === undefined) {
      id = this.#add({ label: key, size: count * 4, life: 'weight', key, make });
      this.#weights.set(key, id);
    }
    return id;
  }

  /** The buffer of a value; one that is known on the host is uploaded once. */
  bufferOf(value: PlanValue): BufferId {
    if (value.buffer === undefined) value.lazy?.materialize();
    if (value.buffer !== undefined) return value.buffer;
    let id = this.#uploads.get(value);
    if (id === undefined) {
      const { name, dims, tensor } = value;
      const make = (): DeviceArray => deviceArray(tensor ?? value.host!, name);
      // A constant of the file is the same in all plans; what folded from it may depend on shapes.
      if (tensor) id = this.weight(`${name}#raw`, sizeOf(dims), make);
      else id = this.#add({ label: name, size: sizeOf(dims) * 4, life: 'constant', make });
      this.#uploads.set(value, id);
    }
    return id;
  }

  /** Has whoever computes a value write it to this buffer. */
  aim(value: Value, buffer: BufferId): void {
    this.#targets.set(value, buffer);
  }

  /** The buffer that a value is to be written to; undefined for a new one. */
  targetOf(value: Value): BufferId | undefined {
    return this.#targets.get(value);
  }

  /** The commands that a function adds, which are then no part of the plan. */
  capture(add: () => void): readonly Command[] {
    const around = this.#commands;
    const captured: Command[] = [];
    this.#commands = captured;
    try {
      add();
    } finally {
      this.#commands = around;
    }
    return captured;
  }

  /** @throws RnnError `INTERNAL` for a dispatch that lacks a buffer or a uniform of its kernel */
  emit(command: Command): void {
    if (command.kind === 'dispatch') this.#check(command);
    if (command.kind === 'loop') [...command.even, ...command.odd].forEach((d) => this.#check(d));
    this.#commands.push(command);
  }

  #check({ kernel, label, buffers, uniforms, workgroups }: Dispatch): void {
    const fault = (what: string): RnnError =>
      new RnnError('INTERNAL', label, `dispatch of ${kernel.name}: ${what}`);
    for (const name of Object.keys(kernel.bindings)) {
      const id = buffers[name];
      if (id === undefined || !this.#buffers[id]) throw fault(`no buffer is bound to '${name}'`);
    }
    for (const name of Object.keys(kernel.uniforms)) {
      if (!Number.isFinite(uniforms[name])) {
        throw fault(`uniform '${name}', got ${uniforms[name]}, expected a number`);
      }
    }
    if (!workgroups.every((count) => Number.isSafeInteger(count) && count >= 0)) {
      throw fault(`workgroups, got [${workgroups.join(', ')}], expected whole numbers`);
    }
  }

  /** Has a kernel compiled that this plan does not run. */
  precompile(kernel: Kernel): void {
    this.#precompiled.push(kernel);
  }

  /** Notes which kernel was selected. */
  report(selection: Selection): void {
    this.#selections.push(selection);
  }

  /** Copies `from` to the state buffer `to` when everything else is done. */
  feedback(from: BufferId, to: BufferId, size: number): void {
    this.#feedback.push({ from, to, size });
  }

  finish(outputs: readonly PlanOutput[], assign: typeof assignSlots): Plan {
    // An output that is another state, unchanged, must be put aside before that state is written.
    const copies = this.#feedback.filter(({ from, to, size }) => from !== to && size > 0);
    const aside = copies.map((copy) => {
      if (this.#buffers[copy.from]!.life !== 'state') return copy;
      const to = this.scratch(copy.size / 4, 'state put aside');
      this.emit({ kind: 'copy', from: copy.from, to, size: copy.size });
      return { ...copy, from: to };
    });
    const returned = outputs.flatMap((output) => ('buffer' in output ? [output.buffer] : []));
    const replaced = returned.filter((id) => copies.some(({ to }) => to === id));
    const renamed = new Map(
      replaced.map((id) => {
        const size = this.#buffers[id]!.size;
        const to = this.scratch(size / 4, 'output put aside');
        this.emit({ kind: 'copy', from: id, to, size });
        return [id, to];
      }),
    );
    for (const copy of aside) this.emit({ kind: 'copy', ...copy });
    const finalOutputs = outputs.map((output) =>
      'buffer' in output && renamed.has(output.buffer)
        ? { ...output, buffer: renamed.get(output.buffer)! }
        : output,
    );
    const sizes = new Map<BufferId, number>();
    this.#buffers.forEach((buffer, id) => {
      if (buffer.life === 'scratch') sizes.set(id, buffer.size);
    });
    const kept = new Set(
      finalOutputs.flatMap((output) => ('buffer' in output ? [output.buffer] : [])),
    );
    const { slotOf, slots } = assign(this.#commands, sizes, kept);
    const buffers = this.#buffers.map((buffer, id): PlanBuffer =>
      buffer.life === 'scratch' ? { ...buffer, slot: slotOf.get(id)! } : buffer,
    );
    const [commands, precompiled] = [this.#commands, this.#precompiled];
    const selections = this.#selections;
    return { buffers, commands, outputs: finalOutputs, arena: slots, precompiled, selections };
  }
}
