// Makes a plan real on a device, once: buffers, pipelines, bind groups. Then records it into command
// buffers as often as it is wanted. Knows no model.
import { uniformBytes } from '../../shaders/kernel.ts';
import { RnnError } from '../errors.ts';
import type { BufferId, Dispatch, MakeWeight, Plan, PlanBuffer } from '../plan/types.ts';
import { MAX_LOOP_STEPS } from '../plan/types.ts';
import type { Gpu } from './device.ts';
import { Pipelines } from './pipelines.ts';
import type { Compiled } from './pipelines.ts';
import { Staging } from './staging.ts';

/** Spacing of dynamic offsets and parameter blocks: the largest that WebGPU may ask for. */
const UNIFORM_ALIGNMENT = 256;

// About 8 ms on a weak GPU. Longer submits stall the page that shares it.
const SUBMIT_FLOPS = 4e9;

/** What the plans of one model share on a device. */
export class DeviceShare {
  readonly gpu: Gpu;
  readonly pipelines: Pipelines;
  readonly staging: Staging;
  readonly #weights = new Map<string, GPUBuffer>();
  #turns: GPUBindGroup | undefined;
  #turnBuffer: GPUBuffer | undefined;

  constructor(gpu: Gpu) {
    this.gpu = gpu;
    this.pipelines = new Pipelines(gpu.device);
    this.staging = new Staging(gpu.device);
  }

  /** Bytes of weights on the device. */
  get weightBytes(): number {
    return [...this.#weights.values()].reduce((sum, buffer) => sum + buffer.size, 0);
  }

  /** The bind group with the numbers of the turns of a loop. */
  get turns(): GPUBindGroup {
    if (this.#turns) return this.#turns;
    const { device } = this.gpu;
    const data = new Uint32Array((MAX_LOOP_STEPS * UNIFORM_ALIGNMENT) / 4);
    for (let i = 0; i < MAX_LOOP_STEPS; i++) data[(i * UNIFORM_ALIGNMENT) / 4] = i;
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    const buffer = device.createBuffer({ label: 'turns', size: data.byteLength, usage });
    device.queue.writeBuffer(buffer, 0, data);
    this.#turnBuffer = buffer;
    this.#turns = device.createBindGroup({
      label: 'turns',
      layout: this.pipelines.turnLayout,
      entries: [{ binding: 0, resource: { buffer, size: 4 } }],
    });
    return this.#turns;
  }

  /** The buffer of a weight, uploaded on first use. */
  weight(key: string, size: number, make: MakeWeight): GPUBuffer {
    let buffer = this.#weights.get(key);
    if (!buffer) {
      buffer = createFilled(this.gpu.device, key, size, make);
      this.#weights.set(key, buffer);
    }
    return buffer;
  }

  /** Forgets the weights made since `keys`, after making a plan failed. */
  dropWeights(keys: ReadonlySet<string>): void {
    for (const [key, buffer] of this.#weights) {
      if (keys.has(key)) continue;
      buffer.destroy();
      this.#weights.delete(key);
    }
  }

  get weightKeys(): ReadonlySet<string> {
    return new Set(this.#weights.keys());
  }

  destroy(): void {
    this.dropWeights(new Set());
    this.staging.destroy();
    this.#turnBuffer?.destroy();
  }
}

const STORAGE = (): number =>
  GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;

function createFilled(device: GPUDevice, label: string, size: number, make: MakeWeight): GPUBuffer {
  const buffer = device.createBuffer({ label, size, usage: STORAGE() });
  const data = make();
  device.queue.writeBuffer(buffer, 0, data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  return buffer;
}

/** Buffers of a stream by the name of the input they stand for. */
export type StateBuffers = ReadonlyMap<string, GPUBuffer>;

/** A plan on a device. */
export class Runner {
  readonly plan: Plan;
  readonly #share: DeviceShare;
  readonly #compiled: ReadonlyMap<string, Compiled>;
  readonly #buffers: readonly (GPUBuffer | undefined)[];
  readonly #own: readonly GPUBuffer[];
  readonly #params: GPUBuffer | undefined;
  readonly #paramOffsets: ReadonlyMap<Dispatch, number>;

  /**
   * @throws RnnError `OUT_OF_MEMORY` when the buffers do not fit, with nothing left behind;
   *   `LIMIT_EXCEEDED` when a kernel does not compile on this device
   */
  static async create(share: DeviceShare, plan: Plan): Promise<Runner> {
    const dispatches = plan.commands.flatMap((command) => {
      if (command.kind === 'copy') return [];
      return command.kind === 'loop' ? [...command.even, ...command.odd] : [command];
    });
    const used = [...dispatches.map(({ kernel }) => kernel), ...plan.spare];
    const kernels = new Map(used.map((kernel) => [kernel.source, kernel]));
    const sources = [...kernels.keys()];
    const pipelines = await share.gpu.guard(
      Promise.all([...kernels.values()].map((kernel) => share.pipelines.get(kernel))),
    );
    const compiled = new Map(pipelines.map((pipeline, i) => [sources[i]!, pipeline]));

    const { device } = share.gpu;
    const before = share.weightKeys;
    device.pushErrorScope('validation');
    device.pushErrorScope('out-of-memory');
    let runner: Runner | undefined;
    let thrown: unknown;
    try {
      runner = new Runner(share, plan, compiled, dispatches);
    } catch (error) {
      thrown = error; // the scopes must be popped all the same
    }
    const [memory, validation] = await share.gpu.guard(
      Promise.all([device.popErrorScope(), device.popErrorScope()]),
    );
    if (runner && !memory && !validation) return runner;
    runner?.destroy();
    share.dropWeights(before);
    if (memory) {
      const bytes = plan.buffers.reduce((sum, { size }) => sum + size, 0);
      throw new RnnError(
        'OUT_OF_MEMORY',
        'device',
        `no room for ${bytes} bytes: ${memory.message}`,
      );
    }
    throw thrown ?? new RnnError('LIMIT_EXCEEDED', 'device', validation!.message);
  }

  private constructor(
    share: DeviceShare,
    plan: Plan,
    compiled: ReadonlyMap<string, Compiled>,
    dispatches: readonly Dispatch[],
  ) {
    const { device } = share.gpu;
    this.plan = plan;
    this.#share = share;
    this.#compiled = compiled;
    const slots = plan.arena.map((size, i) =>
      device.createBuffer({ label: `scratch ${i}`, size: Math.max(size, 16), usage: STORAGE() }),
    );
    const own = [...slots];
    const keep = (buffer: GPUBuffer): GPUBuffer => {
      own.push(buffer);
      return buffer;
    };
    this.#buffers = plan.buffers.map((buffer) => {
      const { label, size } = buffer;
      switch (buffer.life) {
        case 'weight':
          return share.weight(buffer.key, size, buffer.make);
        case 'constant':
          return keep(createFilled(device, label, size, buffer.make));
        case 'input':
          return keep(device.createBuffer({ label, size, usage: STORAGE() }));
        case 'scratch':
          return slots[buffer.slot];
        case 'state':
          return undefined;
      }
      return buffer satisfies never;
    });
    this.#own = own;

    // All parameters of the plan are fixed with it: one buffer, written once.
    const offsets = new Map<Dispatch, number>();
    let end = 0;
    for (const dispatch of dispatches) {
      offsets.set(dispatch, end);
      end += Math.ceil(uniformBytes(dispatch.kernel) / UNIFORM_ALIGNMENT) * UNIFORM_ALIGNMENT;
    }
    this.#paramOffsets = offsets;
    if (end > 0) {
      const view = new DataView(new ArrayBuffer(end));
      for (const [dispatch, offset] of offsets) {
        Object.entries<string>(dispatch.kernel.uniforms).forEach(([name, type], i) => {
          const value = dispatch.uniforms[name]!;
          const at = offset + i * 4;
          if (type === 'f32') view.setFloat32(at, value, true);
          else view.setInt32(at, value, true); // wraps, so it writes u32 as well
        });
      }
      const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
      this.#params = keep(device.createBuffer({ label: 'parameters', size: end, usage }));
      device.queue.writeBuffer(this.#params, 0, view.buffer);
    }
  }

  /** State buffers for a stream, zeroed. */
  createState(): Map<string, GPUBuffer> {
    const { device } = this.#share.gpu;
    const states = new Map<string, GPUBuffer>();
    for (const buffer of this.plan.buffers) {
      if (buffer.life !== 'state') continue;
      const { label, size, name } = buffer;
      states.set(name, device.createBuffer({ label, size, usage: STORAGE() }));
    }
    return states;
  }

  /** Bind groups of every dispatch; they differ between streams in their state buffers only. */
  bind(state: StateBuffers): Bound {
    const { device } = this.#share.gpu;
    const resolve = (id: BufferId): GPUBuffer => {
      const planned: PlanBuffer = this.plan.buffers[id]!;
      return planned.life === 'state' ? state.get(planned.name)! : this.#buffers[id]!;
    };
    const groups = new Map<Dispatch, GPUBindGroup>();
    for (const [dispatch, offset] of this.#paramOffsets) {
      const { kernel, buffers, label } = dispatch;
      const entries: GPUBindGroupEntry[] = Object.keys(kernel.bindings).map((name, i) => ({
        binding: i + 1,
        resource: { buffer: resolve(buffers[name]!) },
      }));
      const size = uniformBytes(kernel);
      if (size > 0) {
        entries.push({ binding: 0, resource: { buffer: this.#params!, offset, size } });
      }
      const { layout } = this.#compiled.get(kernel.source)!;
      groups.set(dispatch, device.createBindGroup({ label, layout, entries }));
    }
    return { groups, resolve };
  }

  /** Uploads an input, before the commands that read it are submitted. */
  upload(name: string, data: Float32Array | Int32Array): void {
    if (data.byteLength === 0) return;
    this.plan.buffers.forEach((buffer, id) => {
      if (buffer.life !== 'input' || buffer.name !== name) return;
      const { queue } = this.#share.gpu.device;
      const bytes = data.buffer as ArrayBuffer;
      queue.writeBuffer(this.#buffers[id]!, 0, bytes, data.byteOffset, data.byteLength);
    });
  }

  /**
   * Records the plan. `split` is called where so much work has been recorded that it should be
   * submitted; it gives the encoder to go on with.
   */
  record(
    encoder: GPUCommandEncoder,
    bound: Bound,
    split?: () => GPUCommandEncoder,
  ): GPUCommandEncoder {
    let pass: GPUComputePassEncoder | undefined;
    let current = encoder;
    let flops = 0;
    const endPass = (): void => {
      pass?.end();
      pass = undefined;
    };
    const dispatch = (item: Dispatch, turn: number): void => {
      if (item.workgroups.includes(0)) return;
      flops += item.flops;
      if (split && flops > SUBMIT_FLOPS) {
        endPass();
        current = split();
        flops = item.flops;
      }
      pass ??= current.beginComputePass();
      pass.setPipeline(this.#compiled.get(item.kernel.source)!.pipeline);
      pass.setBindGroup(0, bound.groups.get(item)!);
      if (item.kernel.stepped) pass.setBindGroup(1, this.#share.turns, [turn * UNIFORM_ALIGNMENT]);
      pass.dispatchWorkgroups(...item.workgroups);
    };
    for (const command of this.plan.commands) {
      if (command.kind === 'copy') {
        endPass();
        current.copyBufferToBuffer(
          bound.resolve(command.from),
          0,
          bound.resolve(command.to),
          0,
          command.size,
        );
      } else if (command.kind === 'loop') {
        for (let turn = 0; turn < command.steps; turn++) {
          const items = turn % 2 === 0 ? command.even : command.odd;
          for (const item of items) dispatch(item, command.first + turn);
        }
      } else {
        dispatch(command, 0);
      }
    }
    endPass();
    return current;
  }

  destroy(): void {
    for (const buffer of this.#own) buffer.destroy();
  }
}

/** A plan bound to the buffers of one caller. */
export interface Bound {
  readonly groups: ReadonlyMap<Dispatch, GPUBindGroup>;
  readonly resolve: (id: BufferId) => GPUBuffer;
}
