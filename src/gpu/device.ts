// Finds and keeps a GPUDevice. Knows no model.
import { environment } from '../environment.ts';
import { RnnError } from '../errors.ts';
import { within } from './deadline.ts';

/** What a device offers beyond the defaults is asked for, up to what the adapter has. */
const WANTED_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupStorageSize',
  'maxStorageBuffersPerShaderStage',
] as const;

const WANTED_FEATURES = ['shader-f16', 'subgroups'] as const;

/** The limits that every device has: https://www.w3.org/TR/webgpu/#limits */
const DEFAULT_LIMITS = {
  maxBufferSize: 268435456,
  maxStorageBufferBindingSize: 134217728,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupStorageSize: 16384,
  maxStorageBuffersPerShaderStage: 8,
} as const;

/** How a device was lost. */
export interface Loss {
  /** As WebGPU has it. */
  readonly reason: GPUDeviceLostReason;
  /** The words of the browser; the reason where it has none. */
  readonly message: string;
}

/** A device with what is known of it. Several models may share one. */
export class Gpu {
  readonly device: GPUDevice;
  /** False for a device of the app, which is never destroyed here. */
  readonly owned: boolean;
  /** How the device was lost; undefined while it works. */
  loss: Loss | undefined;
  /** Resolves when the device is lost. It never rejects. */
  readonly lost: Promise<void>;
  /** Rejects the calls under way. A reaction on `lost` itself for each would stay as long as the device. */
  readonly #pending = new Set<(error: RnnError) => void>();
  /** Who wants to know of the loss, in the order they asked. */
  readonly #listeners = new Set<() => void>();
  #ranOutOfMemory = false;

  constructor(device: GPUDevice, owned: boolean) {
    this.device = device;
    this.owned = owned;
    this.lost = device.lost.then(({ reason, message }) => {
      this.loss = { reason: reason ?? 'unknown', message: message || reason || 'unknown' };
      for (const reject of this.#pending) reject(this.lostError());
      this.#pending.clear();
      // Before any call that waits has seen its rejection.
      for (const listener of this.#listeners) listener();
      this.#listeners.clear();
    });
  }

  /**
   * Calls `listener` once, when the device is lost, or soon where it is lost already.
   *
   * @returns what takes that back
   */
  onLost(listener: () => void): () => void {
    this.#listeners.add(listener);
    const takeBack = (): boolean => this.#listeners.delete(listener);
    if (this.loss) queueMicrotask(() => takeBack() && listener());
    return takeBack;
  }

  /** What the browser tells of the adapter: nothing, in older ones and for some devices of an app. */
  get info(): Partial<GPUAdapterInfo> {
    return (this.device.adapterInfo as GPUAdapterInfo | undefined) ?? {};
  }

  /** A limit of the device, or the one that every device has. */
  limit(name: keyof typeof DEFAULT_LIMITS): number {
    const limits = this.device.limits as Partial<GPUSupportedLimits> | undefined;
    return limits?.[name] ?? DEFAULT_LIMITS[name];
  }

  /** The adapter in words; where the browser hides its name, by what is known of it. */
  get description(): string {
    const { vendor, architecture, device, description, isFallbackAdapter } = this.info;
    const words = [vendor, architecture, device, description].filter(Boolean).join(' ');
    const kind = isFallbackAdapter ? 'software adapter' : 'GPU';
    if (words !== '') return isFallbackAdapter ? `${words} (${kind})` : words;
    const mebibytes = Math.round(this.limit('maxBufferSize') / 2 ** 20);
    const invocations = this.limit('maxComputeInvocationsPerWorkgroup');
    return `${kind} without a name, buffers of ${mebibytes} MiB, workgroups of ${invocations}`;
  }

  /** What computes: a GPU, or one of the drivers that do with a CPU. */
  get kind(): 'gpu' | 'swiftshader' | 'llvmpipe' {
    const { vendor, architecture } = this.info;
    if (architecture === 'swiftshader') return 'swiftshader';
    return vendor === 'mesa' && architecture === 'software' ? 'llvmpipe' : 'gpu';
  }

  /** The error of an allocation that failed. A loss that follows says that it does. */
  outOfMemory(bytes: number, message: string): RnnError {
    this.#ranOutOfMemory = true;
    return new RnnError('OUT_OF_MEMORY', 'device', `no room for ${bytes} bytes: ${message}`);
  }

  /** @throws RnnError `DEVICE_LOST` once the device is gone */
  check(): void {
    if (this.loss) throw this.lostError();
  }

  /** The error of every call on a lost device. */
  lostError(cause?: unknown): RnnError {
    return new RnnError(
      'DEVICE_LOST',
      'device',
      `the GPU device was lost (${this.loss?.message ?? 'no reason given'})` +
        `${this.#ranOutOfMemory ? ' after it ran out of memory' : ''}`,
      cause === undefined ? undefined : { cause },
    );
  }

  /**
   * `work`, or DEVICE_LOST as soon as the device is lost, whichever comes first. After a loss
   * WebGPU resolves error scopes with null and queue promises with success, so only the loss counts.
   * Where waiting would take a core, the thread sleeps meanwhile.
   */
  async guard<T>(work: Promise<T>): Promise<T> {
    work.catch(() => undefined); // where the check throws, nobody else waits for it
    this.check();
    let loss: ((error: RnnError) => void) | undefined;
    const lost = new Promise<never>((_, reject) => {
      loss = reject;
      this.#pending.add(reject);
    });
    try {
      const first = Promise.race([work, lost]);
      environment.restWhile?.(first);
      const result = await first;
      this.check();
      return result;
    } catch (error) {
      // A rejection of the work itself may be how the loss shows first; the reason follows.
      if (!(error instanceof RnnError) && isAbort(error)) await settle(this.lost);
      throw this.loss ? this.lostError(error) : error;
    } finally {
      this.#pending.delete(loss!);
    }
  }
}

const isAbort = (error: unknown): boolean => (error as Error | null)?.name === 'AbortError';

// Dawn rejects a pending mapAsync shortly before it resolves `lost`; a browser in the same task.
const settle = (lost: Promise<void>): Promise<void> =>
  Promise.race([lost, new Promise<void>((resolve) => setTimeout(resolve, 100))]);

/** A new device of the best adapter. @throws RnnError `NO_WEBGPU` or `NO_ADAPTER` */
export async function requestDevice(): Promise<GPUDevice> {
  const gpu = await environment.gpu();
  if (!gpu) {
    const secure = (globalThis as { isSecureContext?: boolean }).isSecureContext;
    throw new RnnError(
      'NO_WEBGPU',
      'device',
      secure === false
        ? 'WebGPU needs a secure page: serve it over https or from localhost'
        : 'this environment has no WebGPU; in Node import webgpu-rnn/node and install webgpu',
    );
  }
  const best = { powerPreference: 'high-performance' } as const;
  // Devices of OpenGL ES have the limits and the features that kernels need, but no others:
  // https://www.w3.org/TR/webgpu/#dom-gpurequestadapteroptions-featurelevel
  const adapter =
    (await gpu.requestAdapter(best)) ??
    (await gpu.requestAdapter({ ...best, featureLevel: 'compatibility' }));
  if (!adapter) {
    throw new RnnError('NO_ADAPTER', 'device', 'WebGPU is there but offers no adapter');
  }
  const requiredLimits = Object.fromEntries(
    WANTED_LIMITS.map((limit) => [limit, adapter.limits[limit] as number | undefined]).filter(
      ([, value]) => value !== undefined, // a limit that this browser does not know
    ),
  );
  const requiredFeatures = WANTED_FEATURES.filter((feature) => adapter.features.has(feature));
  try {
    return await adapter.requestDevice({ requiredLimits, requiredFeatures, label: 'webgpu-rnn' });
  } catch (cause) {
    throw new RnnError('NO_ADAPTER', 'device', 'the adapter refused a device', { cause });
  }
}

interface Shared {
  readonly gpu: Promise<Gpu>;
  users: number;
}

let shared: Shared | undefined;

/** After a loss, the next model gets a new device, and so do those that make themselves again. */
function forget(one: Shared): void {
  if (shared === one) shared = undefined;
}

function requestShared(): Shared {
  const one: Shared = {
    gpu: requestDevice().then((device) => {
      const gpu = new Gpu(device, true);
      gpu.onLost(() => forget(one));
      return gpu;
    }),
    users: 0,
  };
  return one;
}

/** A lease of a device: `release` gives it back, and destroys it when it was the last and ours. */
export interface Lease {
  readonly gpu: Gpu;
  release(): void;
}

/** How often a device may be lost before its first use. */
const MAX_LOSSES = 3;

/**
 * The device that all models share unless they bring their own.
 *
 * @param borrowed a device of the app
 * @param timeout milliseconds to wait for a device
 * @param attempts how many devices to ask for where one is lost before its first use
 * @throws RnnError `NO_WEBGPU`, `NO_ADAPTER`, `TIMEOUT`, or `DEVICE_LOST` for a device that is lost already
 */
export async function leaseDevice(
  borrowed: GPUDevice | undefined,
  timeout: number,
  attempts = MAX_LOSSES,
): Promise<Lease> {
  if (borrowed) {
    const gpu = new Gpu(borrowed, false);
    // The promise of a loss is answered within a task.
    await Promise.race([gpu.lost, new Promise((resolve) => setTimeout(resolve))]);
    gpu.check();
    return { gpu, release: () => undefined };
  }
  for (let attempt = 1; ; attempt++) {
    const lease = await leaseShared(timeout);
    if (!lease.gpu.loss) return lease;
    lease.release();
    if (attempt >= attempts) throw lease.gpu.lostError();
  }
}

async function leaseShared(timeout: number): Promise<Lease> {
  const local = (shared ??= requestShared());
  local.users++;
  let held = true;
  const release = (): void => {
    if (!held) return;
    held = false;
    if (--local.users > 0) return;
    forget(local);
    // One that arrives when everyone has stopped waiting goes at once.
    local.gpu.then(
      ({ device }) => device.destroy(),
      () => undefined,
    );
  };
  try {
    const gpu = await within(local.gpu, timeout, 'the request of a GPU device');
    if (gpu.loss) forget(local);
    return { gpu, release };
  } catch (error) {
    forget(local); // a request that hangs must not be waited for again
    release();
    throw error;
  }
}
