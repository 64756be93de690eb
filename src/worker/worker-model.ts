// A model that computes in a worker, as a page holds it.
import type { BackendName, Tensors } from '../backends/backend.ts';
import { checkOptions } from '../backends/check-options.ts';
import type { WarmUpRange } from '../backends/warm-up-range.ts';
import { RnnError } from '../errors.ts';
import { isGpuTensor } from '../feeds.ts';
import type { ValueInfo } from '../graph.ts';
import type { ModelSource } from '../import/source.ts';
import { LOAD_OPTIONS, recoveryOf, type LoadOptions, type StreamOptions } from '../load-options.ts';
import { CALL_OPTIONS, type CallOptions, type StreamState } from '../stream.ts';
import type { Tensor } from '../tensor.ts';
import { Requests, type SendOptions } from './connection.ts';
import type { About, Connect } from './protocol.ts';
import { spawnWorker } from './spawn.ts';

/** A worker of `node:worker_threads`, as far as it is needed. */
export interface NodeWorker {
  /** Sends a message. */
  postMessage(message: unknown, transfer: readonly MessagePort[]): void;
  /** Hears of errors. */
  on(type: 'error', listener: (error: Error) => void): unknown;
}

/** Options of {@link createWorkerModel}: those of `loadModel`, and where to compute. */
export interface WorkerModelOptions extends Omit<LoadOptions, 'device' | 'cells'> {
  /** As for `loadModel`; a GPUDevice cannot be sent to a worker. */
  readonly device?: 'auto' | 'webgpu' | 'wasm' | 'js' | 'reference';
  /**
   * A worker of the app that imports `webgpu-rnn/worker`, a port to one, or one of `node:worker_threads` that calls
   * `serveModels`; several models may share it, and it is left
   * running. Default: a worker of this package for this model, which ends with it.
   */
  readonly worker?: Worker | MessagePort | NodeWorker;
  /** Whether to move the bytes of the model to the worker instead of copying them. Default false. */
  readonly transfer?: boolean;
}

/** Options of a call of a model in a worker. */
export interface WorkerCallOptions extends CallOptions {
  /** Whether to move the arrays of the feeds to the worker instead of copying them; they are empty afterwards. */
  readonly transfer?: boolean;
}

const WORKER_CALL_OPTIONS = { ...CALL_OPTIONS, transfer: true } as const;
// Functions cannot be sent, and the steps of cells are such.
const { cells: _, ...SHARED } = LOAD_OPTIONS;
const OPTIONS = { ...SHARED, worker: true, transfer: true } as const;

function buffersOf(values: Iterable<unknown>): Transferable[] {
  const buffers = new Set<Transferable>();
  for (const value of values) {
    if (value instanceof ArrayBuffer) buffers.add(value);
    else if (ArrayBuffer.isView(value)) buffers.add(value.buffer as ArrayBuffer);
  }
  return [...buffers];
}

/** @throws RnnError `INVALID_ARGUMENT` for tensors on a GPU, which belong to their thread, and unknown options */
function sending(feeds: Tensors, options: WorkerCallOptions): SendOptions {
  const { output } = (options ?? {}) as { readonly output?: unknown };
  if (output === 'gpu') {
    const what = `got 'gpu', but tensors on the GPU of a worker cannot leave it`;
    throw new RnnError('INVALID_ARGUMENT', 'options.output', what);
  }
  const onGpu = Object.keys(feeds ?? {}).find((name) => isGpuTensor(feeds[name]));
  if (onGpu !== undefined) {
    const what = 'got a tensor on the GPU, which cannot be sent to a worker, expected numbers';
    throw new RnnError('INVALID_ARGUMENT', `feeds.${onGpu}`, what);
  }
  checkOptions(options, WORKER_CALL_OPTIONS);
  const { signal, transfer = false } = options;
  const data = Object.values(feeds ?? {}).map((value: Partial<Tensor> | null) => value?.data);
  return { signal, transfer: transfer ? buffersOf(data) : [] };
}

/** {@link Stream} of a model in a worker: all of it is a promise. Calls take effect in the order they are made. */
export class WorkerStream {
  /** Names of the state tensors, as in {@link WorkerStream.snapshot}. */
  readonly stateNames: readonly string[];
  readonly #requests: Requests;
  readonly #number: number;
  readonly #fork: (from: number) => Promise<WorkerStream>;

  /** @internal */
  constructor(
    requests: Requests,
    number: number,
    stateNames: readonly string[],
    fork: (from: number) => Promise<WorkerStream>,
  ) {
    this.#requests = requests;
    this.#number = number;
    this.#fork = fork;
    this.stateNames = stateNames;
  }

  /**
   * As `stream.step`.
   *
   * @throws RnnError as `stream.step` does, with code and path; the reason of the signal
   */
  async step(feeds: Tensors, options: WorkerCallOptions = {}): Promise<Record<string, Tensor>> {
    const send = sending(feeds, options);
    const { outputs } = options;
    const request = { type: 'step', stream: this.#number, feeds, outputs } as const;
    return (await this.#requests.send(request, send)) as Record<string, Tensor>;
  }

  /**
   * As `stream.warmUp`.
   *
   * @throws RnnError as `stream.warmUp` does
   */
  async warmUp(feeds: Tensors, options: WorkerCallOptions = {}): Promise<void> {
    const send = sending(feeds, options);
    const { outputs } = options;
    await this.#requests.send({ type: 'warmUpStep', stream: this.#number, feeds, outputs }, send);
  }

  /**
   * As `stream.steps`, of the latest call of this stream that was answered: how many steps there are in the state. After a loss of
   * the GPU, from when `onDeviceLost` is told, it is the number of the checkpoint.
   */
  get steps(): number {
    return this.#requests.steps.get(this.#number) ?? 0;
  }

  /** Back to the initial state, after the steps called before. */
  async reset(): Promise<void> {
    await this.#requests.send({ type: 'reset', stream: this.#number });
  }

  /** The state after the steps called before; it fits streams of the model in any thread. */
  async snapshot(): Promise<StreamState> {
    return (await this.#requests.send({ type: 'snapshot', stream: this.#number })) as StreamState;
  }

  /**
   * Takes a state from `snapshot`.
   *
   * @throws RnnError as `stream.restore` does
   */
  async restore(state: StreamState): Promise<void> {
    await this.#requests.send({ type: 'restore', stream: this.#number, state });
  }

  /** A second stream that goes on from the state of this one, independently. */
  fork(): Promise<WorkerStream> {
    return this.#fork(this.#number);
  }

  /** Frees the state, after the calls made before. Further calls reject with `DISPOSED`. */
  async dispose(): Promise<void> {
    await this.#requests.send({ type: 'disposeStream', stream: this.#number });
  }
}

/** A model that computes in a worker. Made by {@link createWorkerModel}. Calls may overlap: they queue in order. */
export class WorkerModel {
  /** Name, element type and shape of each input; a free dimension is a string. */
  readonly inputs: readonly ValueInfo[];
  /** Name, element type and shape of each output, where the file tells. */
  readonly outputs: readonly ValueInfo[];
  readonly #requests: Requests;
  readonly #end: () => void;
  #streams = 0;
  #isDisposed = false;

  /** @internal */
  constructor(requests: Requests, end: () => void) {
    const { inputs, outputs } = requests.about!;
    [this.inputs, this.outputs, this.#requests, this.#end] = [inputs, outputs, requests, end];
  }

  get #about(): About {
    return this.#requests.about!;
  }

  /** What computed the latest call that was answered. */
  get backend(): BackendName {
    return this.#about.backend;
  }

  /** Why this backend, in a sentence. */
  get reason(): string {
    return this.#about.reason;
  }

  /** Vendor and name of the adapter, or the instruction set. */
  get adapter(): string {
    return this.#about.adapter;
  }

  /**
   * As `model.run`.
   *
   * @throws RnnError as `model.run` does, with code and path; the reason of the signal
   */
  async run(feeds: Tensors, options: WorkerCallOptions = {}): Promise<Record<string, Tensor>> {
    const send = sending(feeds, options);
    const request = { type: 'run', feeds, outputs: options.outputs } as const;
    return (await this.#requests.send(request, send)) as Record<string, Tensor>;
  }

  /**
   * As `model.warmUp`.
   *
   * @throws RnnError as `model.warmUp` does
   */
  async warmUp(feeds: Tensors | WarmUpRange, options: WorkerCallOptions = {}): Promise<void> {
    const send = sending(feeds as Tensors, options);
    await this.#requests.send({ type: 'warmUp', feeds, outputs: options.outputs }, send);
  }

  /**
   * As `model.stream`, but a promise.
   *
   * @throws RnnError as `model.stream` does
   */
  async stream(options: StreamOptions = {}): Promise<WorkerStream> {
    const stream = this.#streams++;
    return this.#made(stream, await this.#requests.send({ type: 'stream', stream, options }));
  }

  #made(number: number, names: unknown): WorkerStream {
    const fork = async (from: number): Promise<WorkerStream> => {
      const stream = this.#streams++;
      return this.#made(stream, await this.#requests.send({ type: 'fork', stream, from }));
    };
    return new WorkerStream(this.#requests, number, names as readonly string[], fork);
  }

  /** Frees the model, and ends its worker unless it is one of the app. Calls that wait and further calls reject with `DISPOSED`. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    const freed = this.#requests.send({ type: 'dispose' });
    const end = (): void => this.#end();
    void freed.then(end, end);
    this.#requests.close(new RnnError('DISPOSED', 'model', 'the model has been disposed of'));
  }

  /** Same as {@link WorkerModel.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** A source that means the same in a worker: relative addresses are those of the page. */
function portable(source: ModelSource): ModelSource {
  const address = typeof source === 'string' || source instanceof URL ? String(source) : undefined;
  if (address === undefined) return source;
  const base = typeof document === 'undefined' ? undefined : document.baseURI;
  return base === undefined ? address : new URL(address, base).href;
}

function transferOf(source: ModelSource): Transferable[] {
  if (typeof source !== 'object' || source === null) return [];
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return buffersOf([source]);
  const isFiles = Object.getPrototypeOf(source) === Object.prototype && !('nodes' in source);
  return isFiles ? buffersOf(Object.values(source)) : [];
}

/** See `createWorkerModel` in worker-model.ts of src. */
export async function connectModel(
  source: ModelSource,
  options: WorkerModelOptions,
): Promise<WorkerModel> {
  checkOptions(options, OPTIONS);
  const { worker: own, transfer = false, signal, onProgress, onDeviceLost, ...load } = options;
  if (typeof load.device === 'object') {
    const what =
      'got a GPUDevice, which cannot be sent to a worker; expected the name of a backend';
    throw new RnnError('INVALID_ARGUMENT', 'options.device', what);
  }
  recoveryOf(options); // refuses a listener that is none
  signal?.throwIfAborted();
  const worker = own ?? spawnWorker();
  const end = (): void => {
    if (own === undefined) (worker as Worker).terminate();
  };
  const { port1, port2 } = new MessageChannel();
  const requests = new Requests(port1, onDeviceLost);
  const failed = (event: object): void => {
    const why = (event as { message?: string }).message || 'it could not be loaded';
    requests.fail(new RnnError('INTERNAL', 'worker', `the worker has failed: ${why}`));
  };
  const connect: Connect = { webgpuRnn: 'connect', port: port2 };
  if ('addEventListener' in worker) {
    worker.addEventListener('error', failed);
    worker.postMessage(connect, [port2]);
  } else {
    worker.on('error', failed);
    worker.postMessage(connect, [port2]);
  }
  try {
    await requests.send(
      {
        type: 'load',
        source: portable(source),
        options: load,
        losses: onDeviceLost !== undefined,
      },
      { signal, onProgress, transfer: transfer ? transferOf(source) : [] },
    );
  } catch (error) {
    end();
    throw error;
  }
  return new WorkerModel(requests, end);
}
