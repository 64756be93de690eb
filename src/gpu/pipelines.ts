// Compiles each WGSL source once per device, asynchronously. Knows no model.
import type { Kernel } from '../../shaders/kernel.ts';
import { RnnError } from '../errors.ts';
import { within } from './deadline.ts';

/** A pipeline with what is needed to bind it. */
export interface Compiled {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** The pipelines of one device. */
export class Pipelines {
  readonly #device: GPUDevice;
  readonly #timeout: number;
  readonly #cache = new Map<string, Promise<Compiled>>();
  readonly #done = new Set<string>();
  readonly #iterationLayout: GPUBindGroupLayout;

  /** @param timeout milliseconds for each kernel */
  constructor(device: GPUDevice, timeout: number) {
    this.#device = device;
    this.#timeout = timeout;
    this.#iterationLayout = device.createBindGroupLayout({
      label: 'iteration',
      entries: [
        {
          binding: 0,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: 'uniform', hasDynamicOffset: true, minBindingSize: 4 },
        },
      ],
    });
  }

  /** Sources compiled so far: a new length of a sequence must not change it. */
  get size(): number {
    return this.#cache.size;
  }

  /** Whether a kernel has been compiled, so that nobody has to wait for it. */
  has({ source }: Kernel): boolean {
    return this.#done.has(source);
  }

  /** Layout of group 1 of kernels that read the number of the iteration, at a dynamic offset. */
  get iterationLayout(): GPUBindGroupLayout {
    return this.#iterationLayout;
  }

  /** The pipeline of a kernel; a compile in flight is shared. A failed one is not kept. */
  get(kernel: Kernel): Promise<Compiled> {
    const cached = this.#cache.get(kernel.source);
    if (cached) return cached;
    const what = `compiling the kernel ${kernel.name}`;
    const made = within(this.#compile(kernel), this.#timeout, what);
    this.#cache.set(kernel.source, made);
    made.then(
      () => this.#done.add(kernel.source),
      () => this.#cache.delete(kernel.source),
    );
    return made;
  }

  async #compile(kernel: Kernel): Promise<Compiled> {
    const device = this.#device;
    const { name, bindings, uniforms, readsIteration, source } = kernel;
    const visibility = GPUShaderStage.COMPUTE;
    const entries: GPUBindGroupLayoutEntry[] = Object.values<string>(bindings).map((type, i) => ({
      binding: i + 1,
      visibility,
      buffer: { type: type.startsWith('read ') ? 'read-only-storage' : 'storage' },
    }));
    if (Object.keys(uniforms).length > 0) {
      entries.push({ binding: 0, visibility, buffer: { type: 'uniform' } });
    }
    // The scope keeps a bad shader from also raising an uncaptured error; the compile rejects.
    device.pushErrorScope('validation');
    const layout = device.createBindGroupLayout({ label: name, entries });
    const module = device.createShaderModule({ label: name, code: source });
    const made = device.createComputePipelineAsync({
      label: name,
      layout: device.createPipelineLayout({
        label: name,
        bindGroupLayouts: readsIteration ? [layout, this.#iterationLayout] : [layout],
      }),
      compute: { module, entryPoint: 'main' },
    });
    made.catch(() => undefined);
    await device.popErrorScope();
    try {
      return { pipeline: await made, layout };
    } catch (cause) {
      const { messages } = await module.getCompilationInfo();
      const lines = source.split('\n');
      const notes = messages
        .filter(({ type }) => type === 'error')
        .map((m) => `${m.lineNum}:${m.linePos} ${m.message}\n  ${lines[m.lineNum - 1] ?? ''}`);
      const what = notes.join('\n') || String((cause as Error).message);
      throw new RnnError('INTERNAL', `kernel ${name}`, `did not compile: ${what}`, { cause });
    }
  }
}
