// The worker's side: loads a model for each port that it is given, and answers requests in their order.
import { RnnError } from '../errors.ts';
import { loadModel } from '../load-model.ts';
import type { Model } from '../model.ts';
import type { Stream } from '../stream.ts';
import type { Tensors } from '../backends/backend.ts';
import type { Tensor } from '../tensor.ts';
import type { DeviceLoss } from '../load-options.ts';
import type { About, Connect, FromWorker, Outcome, Request, Steps, ToWorker } from './protocol.ts';

const aboutOf = ({ inputs, outputs, backend, reason, adapter }: Model): About => ({
  inputs,
  outputs,
  backend,
  reason,
  adapter,
});

/** The buffers of results, which nobody needs here any more. */
function buffersOf(result: unknown): ArrayBuffer[] {
  const buffers = Object.values((result ?? {}) as Record<string, Partial<Tensor>>).flatMap(
    (value) => (ArrayBuffer.isView(value?.data) ? [value.data.buffer as ArrayBuffer] : []),
  );
  return [...new Set(buffers)];
}

/** One model of a page. */
class Connection {
  readonly #port: MessagePort;
  readonly #running = new Map<number, AbortController>();
  readonly #streams = new Map<number, Stream>();
  #model: Model | undefined;
  #losses = 0;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  start(): void {
    const port = this.#port;
    port.addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
      if ('abort' in data) this.#running.get(data.id)?.abort();
      else void this.#answer(data.id, data.request);
    });
    port.start();
  }

  async #answer(id: number, request: Request): Promise<void> {
    const controller = new AbortController();
    this.#running.set(id, controller);
    let outcome: Outcome;
    let buffers: ArrayBuffer[] = [];
    try {
      const result = await this.#do(id, request, controller.signal);
      const isOurs =
        request.type === 'run' || request.type === 'step' || request.type === 'snapshot';
      if (isOurs) buffers = buffersOf(result);
      outcome = { result, about: this.#model && aboutOf(this.#model) };
    } catch (error) {
      outcome = { error: RnnError.from(error).toJSON() };
    }
    this.#running.delete(id);
    const of = 'stream' in request ? [request.stream] : [];
    this.#port.postMessage(
      { id, ...outcome, steps: this.#steps(of) } satisfies FromWorker,
      buffers,
    );
    if (request.type === 'dispose') this.#port.close();
  }

  /** `steps` of the streams among `numbers` that there are. */
  #steps(numbers: Iterable<number>): Steps {
    return [...numbers].flatMap((number) => {
      const stream = this.#streams.get(number);
      return stream ? [[number, stream.steps] as const] : [];
    });
  }

  /** Tells of a loss, and how it ends. */
  #lost({ reason, message, recovered }: DeviceLoss): void {
    const number = this.#losses++;
    const tell = (news: object): void =>
      this.#port.postMessage(
        { ...news, steps: this.#steps(this.#streams.keys()) } as FromWorker,
        [],
      );
    tell({ lost: number, loss: { reason, message } });
    recovered.then(
      () => tell({ recovered: number }),
      (error: unknown) => tell({ recovered: number, error: RnnError.from(error).toJSON() }),
    );
  }

  get #loaded(): Model {
    if (this.#model) return this.#model;
    throw new RnnError('DISPOSED', 'model', 'the model has been disposed of');
  }

  #stream(number: number): Stream {
    const stream = this.#streams.get(number);
    if (stream) return stream;
    throw new RnnError('DISPOSED', 'stream', 'the stream has been disposed of');
  }

  /** Begins at once, so that calls take effect in the order of their messages. */
  async #do(id: number, request: Request, signal: AbortSignal): Promise<unknown> {
    switch (request.type) {
      case 'load': {
        const onProgress = (progress: object): void =>
          this.#port.postMessage({ id, progress } as FromWorker, []);
        this.#model = await loadModel(request.source, {
          ...request.options,
          ...(request.losses && { onDeviceLost: (loss) => this.#lost(loss) }),
          signal,
          onProgress,
        });
        return undefined;
      }
      case 'run':
        return this.#loaded.run(request.feeds, callOptions(request, signal));
      case 'warmUp':
        return this.#loaded.warmUp(request.feeds as Tensors, callOptions(request, signal));
      case 'stream': {
        const stream = this.#loaded.stream(request.options);
        this.#streams.set(request.stream, stream);
        return stream.stateNames;
      }
      case 'fork': {
        const stream = this.#stream(request.from).fork();
        this.#streams.set(request.stream, stream);
        return stream.stateNames;
      }
      case 'step':
        return this.#stream(request.stream).step(request.feeds, callOptions(request, signal));
      case 'warmUpStep':
        return this.#stream(request.stream).warmUp(request.feeds, callOptions(request, signal));
      case 'reset':
        return this.#stream(request.stream).reset();
      case 'snapshot':
        return this.#stream(request.stream).snapshot();
      case 'restore':
        return this.#stream(request.stream).restore(request.state as never);
      case 'disposeStream':
        this.#streams.get(request.stream)?.dispose();
        this.#streams.delete(request.stream);
        return undefined;
      case 'dispose':
        this.#model?.dispose();
        this.#model = undefined;
        this.#streams.clear();
        return undefined;
    }
  }
}

const callOptions = (
  { outputs }: { readonly outputs: readonly string[] | undefined },
  signal: AbortSignal,
) => ({ signal, ...(outputs && { outputs }) });

/** Whatever receives messages. */
interface Receiver {
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void;
}

/**
 * Runs models for `createWorkerModel` on the other side. A worker that imports `webgpu-rnn/worker` does so by itself; this is
 * for others, such as `parentPort` of `node:worker_threads`.
 *
 * @param scope where the messages of the other side arrive
 * @example
 * ```ts
 * import { parentPort } from 'node:worker_threads';
 * import { serveModels } from 'webgpu-rnn/worker';
 * serveModels(parentPort);
 * ```
 */
export function serveModels(scope: unknown): void {
  const listen = (data: unknown): void => {
    const message = data as Partial<Connect> | undefined;
    if (message?.webgpuRnn === 'connect') new Connection(message.port!).start();
  };
  const { on } = scope as { on?: (type: 'message', listener: (data: unknown) => void) => void };
  if (typeof on === 'function') on.call(scope, 'message', listen); // an EventEmitter of Node
  else (scope as Receiver).addEventListener('message', ({ data }) => listen(data));
}
