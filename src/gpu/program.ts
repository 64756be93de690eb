// Makes a plan real on a device, once: buffers, pipelines, bind groups. Then records it into command
// buffers as often as it is wanted. Knows no model.
import { uniformBytes } from '../../shaders/kernel.ts';
import { RnnError } from '../errors.ts';
import { dispatchesOf, kernelsOf } from '../plan/types.ts';
import type { BufferId, Dispatch, MakeWeight, Plan, PlanBuffer } from '../plan/types.ts';
import type { Compiled } from './pipelines.ts';
import { createFilled, STORAGE, UNIFORM_ALIGNMENT } from './model-resources.ts';
import type { ModelResources } from './model-resources.ts';

/** About 8 ms on a weak GPU. Longer submits stall the page that shares it. */
export const SUBMIT_FLOPS = 4e9;

/** Buffers of a stream by the name of the input they stand for. */
export type StateBuffers = ReadonlyMap<string, GPUBuffer>;

/** A plan on a device. */
export class Program {
  readonly plan: Plan;
  readonly #resources: ModelResources;
  readonly #compiled = new Map<string, Compiled>();
  #buffers: readonly (GPUBuffer | undefined)[] = [];
  readonly #own: GPUBuffer[] = [];
  readonly #weights: string[] = [];
  #params: GPUBuffer | undefined;
  readonly #paramOffsets = new Map<Dispatch, number>();
  readonly #constants = new Map<string, GPUBuffer>();
  #isLent = false;

  /**
   * @throws RnnError `OUT_OF_MEMORY` when the buffers do not fit, with nothing left behind;
   *   `INTERNAL` when a kernel does not compile on this device
   */
  static async create(resources: ModelResources, plan: Plan): Promise<Program> {
    const { device } = resources.gpu;
    const program = new Program(resources, plan);
    const compiling = Promise.all(
      [...kernelsOf(plan).values()].map(async (kernel) => {
        program.#compiled.set(kernel.source, await resources.pipelines.get(kernel));
      }),
    );
    compiling.catch(() => undefined); // it is waited for below, after what may throw before
    // While the kernels compile, weights are packed and uploaded.
    device.pushErrorScope('validation');
    device.pushErrorScope('out-of-memory');
    let thrown: unknown;
    try {
      program.#fill();
    } catch (error) {
      thrown = error; // the scopes must be popped all the same
    }
    const scopes = Promise.all([device.popErrorScope(), device.popErrorScope()]);
    try {
      const [memory, validation] = await resources.wait(scopes, 'the check of new buffers');
      if (memory) {
        const bytes = plan.buffers.reduce((sum, { size }) => sum + size, 0);
        throw resources.gpu.outOfMemory(bytes, memory.message);
      }
      if (thrown) throw thrown;
      if (validation) {
        const what = `the device refused a buffer or a bind group: ${validation.message}`;
        throw new RnnError('INTERNAL', 'device', what);
      }
      await resources.gpu.guard(compiling);
      if (resources.destroyed)
        throw new RnnError('DISPOSED', 'model', 'disposed of during the call');
      return program;
    } catch (error) {
      program.destroy();
      throw error;
    }
  }

  private constructor(resources: ModelResources, plan: Plan) {
    this.plan = plan;
    this.#resources = resources;
  }

  /** Makes the buffers and fills those that no call changes. */
  #fill(): void {
    const { plan } = this;
    const { device } = this.#resources.gpu;
    const keep = (buffer: GPUBuffer): GPUBuffer => {
      this.#own.push(buffer);
      return buffer;
    };
    const slots = plan.arena.map((size, i) =>
      keep(
        device.createBuffer({ label: `scratch ${i}`, size: Math.max(size, 16), usage: STORAGE() }),
      ),
    );
    this.#buffers = plan.buffers.map((buffer) => {
      const { label, size } = buffer;
      switch (buffer.life) {
        case 'weight': {
          const weight = this.#resources.acquireWeight(buffer.key, size, buffer.make);
          this.#weights.push(buffer.key);
          return weight;
        }
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

    // All parameters of the plan are fixed with it: one buffer, written once.
    let end = 0;
    for (const dispatch of dispatchesOf(plan)) {
      this.#paramOffsets.set(dispatch, end);
      end += Math.ceil(uniformBytes(dispatch.kernel) / UNIFORM_ALIGNMENT) * UNIFORM_ALIGNMENT;
    }
    if (end === 0) return;
    const view = new DataView(new ArrayBuffer(end));
    for (const [dispatch, offset] of this.#paramOffsets) {
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

  /**
   * State buffers for a stream, zeroed, by the name of their input.
   *
   * @returns as `ModelResources.allocate`
   */
  createState(): { readonly state: Map<string, GPUBuffer>; readonly room: Promise<void> } {
    const planned = this.plan.buffers.flatMap((buffer) =>
      buffer.life === 'state' ? [buffer] : [],
    );
    const { buffers, room } = this.#resources.allocate(
      planned.map(({ label, size }) => ({ label, size, usage: STORAGE() })),
    );
    return { state: new Map(planned.map(({ name }, i) => [name, buffers[i]!])), room };
  }

  /** Bind groups of every dispatch; they differ between streams in their state buffers only. */
  bind(state: StateBuffers): Bindings {
    const { device } = this.#resources.gpu;
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
    for (const id of this.buffersOf(name)) {
      const buffer = this.#buffers[id]; // none for a state, which is its stream's
      const { queue } = this.#resources.gpu.device;
      const bytes = data.buffer as ArrayBuffer;
      if (buffer) queue.writeBuffer(buffer, 0, bytes, data.byteOffset, data.byteLength);
    }
  }

  /** The buffers of an input, or of the state that it stands for. */
  buffersOf(name: string): readonly BufferId[] {
    return this.plan.buffers.flatMap((buffer, id) =>
      'name' in buffer && buffer.name === name ? [id] : [],
    );
  }

  /** A buffer with numbers of the host that the plan has no place for, made once. */
  constant(name: string, size: number, make: MakeWeight): GPUBuffer {
    let buffer = this.#constants.get(name);
    if (!buffer) {
      buffer = createFilled(this.#resources.gpu.device, name, size, make);
      this.#own.push(buffer);
      this.#constants.set(name, buffer);
    }
    return buffer;
  }

  /**
   * Records the plan. `split` is called where so much work has been recorded that it should be
   * submitted; it gives the encoder to go on with.
   */
  record(
    encoder: GPUCommandEncoder,
    bindings: Bindings,
    split?: () => GPUCommandEncoder,
  ): GPUCommandEncoder {
    let pass: GPUComputePassEncoder | undefined;
    let current = encoder;
    let flops = 0;
    const endPass = (): void => {
      pass?.end();
      pass = undefined;
    };
    const dispatch = (item: Dispatch, iteration: number): void => {
      if (item.workgroups.includes(0)) return;
      flops += item.flops;
      if (split && flops > SUBMIT_FLOPS) {
        endPass();
        current = split();
        flops = item.flops;
      }
      pass ??= current.beginComputePass();
      pass.setPipeline(this.#compiled.get(item.kernel.source)!.pipeline);
      pass.setBindGroup(0, bindings.groups.get(item)!);
      if (item.kernel.readsIteration)
        pass.setBindGroup(1, this.#resources.iterations, [iteration * UNIFORM_ALIGNMENT]);
      pass.dispatchWorkgroups(...item.workgroups);
    };
    for (const command of this.plan.commands) {
      if (command.kind === 'copy') {
        endPass();
        current.copyBufferToBuffer(
          bindings.resolve(command.from),
          0,
          bindings.resolve(command.to),
          0,
          command.size,
        );
      } else if (command.kind === 'loop') {
        for (let iteration = 0; iteration < command.steps; iteration++) {
          const items = iteration % 2 === 0 ? command.even : command.odd;
          for (const item of items) dispatch(item, command.first + iteration);
        }
      } else {
        dispatch(command, 0);
      }
    }
    endPass();
    return current;
  }

  /** Commands of the app use the buffers from now on, and nobody tells when they have been submitted. */
  lend(): void {
    this.#isLent = true;
  }

  /**
   * Frees its buffers as {@link destroy} does, for another program has its place. Those that have been lent are left
   * to the garbage collector, which frees them after the commands, and their weights stay with the model.
   */
  retire(): void {
    if (!this.#isLent) this.destroy();
  }

  /** Frees its buffers, and the weights that no other program uses. A second call does nothing. */
  destroy(): void {
    for (const buffer of this.#own.splice(0)) buffer.destroy();
    for (const key of this.#weights.splice(0)) this.#resources.releaseWeight(key);
  }
}

/** A plan bound to the buffers of one caller. */
export interface Bindings {
  readonly groups: ReadonlyMap<Dispatch, GPUBindGroup>;
  readonly resolve: (id: BufferId) => GPUBuffer;
}
