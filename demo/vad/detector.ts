// The page's side of the worker: sound goes in, probabilities come out.
import { framesIn } from './framing.ts';
import type { Answer, Device, Failure, Placement, Request } from './messages.ts';

/** What a detector tells the page. */
export interface DetectorEvents {
  loading(loaded: number, total: number | undefined): void;
  compiling(): void;
  ready(placement: Placement): void;
  /** The GPU went away; sound is kept until the model goes on, or fails. */
  lost(failure: Failure): void;
  recovered(adapter: string): void;
  judged(probabilities: Float32Array, times: Float32Array): void;
  done(): void;
  failed(during: 'load' | 'judge', failure: Failure): void;
}

/** A model in a worker, and the piece of sound that it is judging. */
export class Detector {
  readonly #worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  readonly #events: DetectorEvents;
  #session = 0;
  #samples = 0;
  #judged = 0;

  constructor(events: DetectorEvents) {
    this.#events = events;
    this.#worker.addEventListener('message', ({ data }: MessageEvent<Answer>) => this.#hear(data));
    this.#worker.addEventListener('error', ({ message }) => {
      const failure = { code: 'WORKER', path: '', message: message || 'the worker did not start' };
      events.failed('load', failure);
    });
  }

  /** Frames that have been given and not judged. */
  get behind(): number {
    return framesIn(this.#samples) - this.#judged;
  }

  /** Loads the model, in place of the one before. */
  load(url: string, device: Device): void {
    this.begin();
    this.#send({ type: 'load', url: new URL(url, document.baseURI).href, device });
  }

  /** Begins a new piece of sound: the network forgets, and answers to the last one are dropped. */
  begin(): void {
    this.#session++;
    this.#samples = 0;
    this.#judged = 0;
    this.#send({ type: 'begin', session: this.#session });
  }

  /** The next samples. They are copied. */
  push(samples: Float32Array): void {
    this.#samples += samples.length;
    const copy = samples.slice();
    this.#send({ type: 'samples', session: this.#session, samples: copy }, [copy.buffer]);
  }

  /** The sound is over: `done` follows when all of it has been judged. */
  end(): void {
    this.#send({ type: 'end', session: this.#session });
  }

  #send(message: Request, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  #hear(message: Answer): void {
    const events = this.#events;
    switch (message.type) {
      case 'loading':
        return events.loading(message.loaded, message.total);
      case 'compiling':
        return events.compiling();
      case 'ready':
        return events.ready(message.placement);
      case 'lost':
        return events.lost(message.failure);
      case 'recovered':
        return events.recovered(message.adapter);
      case 'failed':
        return events.failed(message.during, message.failure);
      case 'judged':
        if (message.session !== this.#session) return;
        this.#judged += message.probabilities.length;
        return events.judged(message.probabilities, message.times);
      case 'done':
        if (message.session === this.#session) events.done();
        return;
      default:
        message satisfies never;
    }
  }
}
