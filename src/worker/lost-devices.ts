// The page's side of losses of the device: what its listener is told, and what becomes of the promises in it.
import { RnnError } from '../errors.ts';
import type { LoadOptions } from '../load-options.ts';
import type { DeviceNews } from './protocol.ts';

interface Recovery {
  readonly resolve: () => void;
  readonly reject: (error: RnnError) => void;
}

/** Losses of one model. */
export class LostDevices {
  readonly #listener: LoadOptions['onDeviceLost'];
  /** Losses without an end, by number. */
  readonly #open = new Map<number, Recovery>();

  constructor(listener: LoadOptions['onDeviceLost']) {
    this.#listener = listener;
  }

  /** Takes a message of the worker. */
  take(news: DeviceNews): void {
    if ('lost' in news) {
      const recovered = new Promise<void>((resolve, reject) => {
        this.#open.set(news.lost, { resolve, reject });
      });
      recovered.catch(() => undefined); // nobody has to wait for it
      try {
        this.#listener?.({ ...news.loss, recovered });
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
      return;
    }
    const found = this.#open.get(news.recovered);
    this.#open.delete(news.recovered);
    if (news.error) found?.reject(RnnError.from(news.error));
    else found?.resolve();
  }

  /** Rejects what waits for another device. */
  fail(error: RnnError): void {
    for (const { reject } of this.#open.values()) reject(error);
    this.#open.clear();
  }
}
