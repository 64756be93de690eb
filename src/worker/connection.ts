// The page's side of a port: requests, their answers, aborts, and what happens when the worker fails.
import { RnnError } from '../errors.ts';
import type { Progress } from '../import/source.ts';
import type { LoadOptions } from '../load-options.ts';
import { LostDevices } from './lost-devices.ts';
import type { About, FromWorker, Request, Steps, ToWorker } from './protocol.ts';

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (reason: unknown) => void;
  readonly onProgress: ((progress: Progress) => void) | undefined;
}

/** How a request is sent. */
export interface SendOptions {
  readonly signal?: AbortSignal | undefined;
  readonly transfer?: Transferable[] | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Requests to one model. */
export class Requests {
  readonly #port: MessagePort;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  #failure: RnnError | undefined;
  /** What the model has said of itself with the latest answer. */
  about: About | undefined;
  /** `stream.steps` by the number of the stream, as of the latest message. */
  readonly steps = new Map<number, number>();
  readonly #losses: LostDevices;

  /** @param onDeviceLost is told of each loss */
  constructor(port: MessagePort, onDeviceLost?: LoadOptions['onDeviceLost']) {
    this.#port = port;
    this.#losses = new LostDevices(onDeviceLost);
    port.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => this.#take(data));
    port.addEventListener('messageerror', () => {
      this.fail(new RnnError('INTERNAL', 'worker', 'a message of the worker could not be read'));
    });
    port.start();
  }

  #count(steps: Steps): void {
    for (const [stream, count] of steps) this.steps.set(stream, count);
  }

  #take(data: FromWorker): void {
    if ('steps' in data) this.#count(data.steps);
    if (!('id' in data)) {
      this.#losses.take(data);
      return;
    }
    const waiting = this.#waiting.get(data.id);
    if ('progress' in data) {
      waiting?.onProgress?.(data.progress);
      return;
    }
    if ('about' in data && data.about) this.about = data.about;
    this.#waiting.delete(data.id);
    if ('error' in data) waiting?.reject(RnnError.from(data.error));
    else waiting?.resolve(data.result);
  }

  /** Rejects what waits, and all that comes. */
  fail(error: RnnError): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    this.#losses.fail(error);
    this.#port.close();
  }

  /** Rejects what waits and all that comes, but for the latest request. */
  close(error: RnnError): void {
    this.#failure = error;
    this.#losses.fail(error);
    for (const [id, { reject }] of this.#waiting) {
      if (id === this.#next - 1) continue;
      reject(error);
      this.#waiting.delete(id);
    }
  }

  /**
   * Sends a request.
   *
   * @throws RnnError what the worker threw, `DISPOSED`, or `INVALID_ARGUMENT` for what cannot be sent; the reason of the signal
   */
  async send(
    request: Request,
    { signal, transfer = [], onProgress }: SendOptions = {},
  ): Promise<unknown> {
    signal?.throwIfAborted();
    if (this.#failure) throw this.#failure;
    const id = this.#next++;
    const answered = new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, onProgress });
    });
    const abort = (): void => {
      this.#waiting.get(id)?.reject(signal!.reason);
      this.#waiting.delete(id);
      this.#port.postMessage({ id, abort: true } satisfies ToWorker, []);
    };
    try {
      this.#port.postMessage({ id, request } satisfies ToWorker, transfer);
    } catch (error) {
      this.#waiting.delete(id);
      const why = error instanceof Error ? error.message : String(error);
      const path = request.type === 'load' ? 'source' : request.type;
      const what = `a worker takes only what postMessage can copy: ${why}`;
      throw new RnnError('INVALID_ARGUMENT', path, what, { cause: error });
    }
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await answered;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }
}
