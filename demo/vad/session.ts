// The state of the page: which sound, which model, what runs. Knows nothing of the document.
import { Detector } from './detector.ts';
import { FRAME_SECONDS, framesIn } from './framing.ts';
import type { Device, Failure, Placement } from './messages.ts';
import type { Run } from './runs.ts';
import { judge, listen, play } from './runs.ts';
import { Track } from './track.ts';

/** Where the sound comes from. */
export type Source = 'recording' | 'microphone' | 'file';

/** Samples that can be judged again and again. */
export type Samples = Float32Array<ArrayBuffer>;

/** What a session tells. */
export interface SessionEvents {
  /** How far the model or a sound has come, 0 to 1; undefined when nothing is on its way. */
  progress(fraction: number | undefined, what: string): void;
  /** The model has arrived and is being made ready. */
  compiling(): void;
  /** The model has judged its first frame. */
  ready(placement: Placement): void;
  /** The GPU went away, and another one is being asked for. */
  lost(failure: Failure): void;
  /** The model goes on where it was, perhaps on another adapter. */
  recovered(placement: Placement): void;
  /** New sound, new verdicts, or none any more: the track is to be drawn again. */
  moved(): void;
  /** What can be done has changed. */
  changed(): void;
  /** A run began. `label` is what the browser calls the microphone. */
  started(label: string | undefined): void;
  /** All of a sound has been judged, or it was stopped. */
  finished(): void;
  failed(failure: Failure): void;
}

/** One detector, one sound at a time. */
export class Session {
  /** The outline and the verdicts of the sound at hand. */
  track: Track;
  /** Where the model runs; undefined until it is ready. */
  placement: Placement | undefined;
  /** The sound that is on its way. */
  run: Run | undefined;
  /** Whether the microphone waits for permission. */
  opening = false;
  readonly #events: SessionEvents;
  readonly #detector: Detector;
  readonly #samples: Partial<Record<Source, Samples>> = {};
  #source: Source = 'recording';
  #threshold: number;

  constructor(threshold: number, events: SessionEvents) {
    this.#events = events;
    this.#threshold = threshold;
    this.track = new Track(threshold);
    this.#detector = new Detector({
      loading: (loaded, total) => {
        // The rest of the bar is for the shaders, whose end nobody knows.
        if (total) events.progress((0.9 * loaded) / total, 'Loading the model');
      },
      compiling: () => events.compiling(),
      ready: (placement) => {
        this.placement = placement;
        events.progress(undefined, '');
        events.ready(placement);
        events.changed();
      },
      lost: (failure) => events.lost(failure),
      recovered: (adapter) => {
        if (!this.placement) return; // it is being loaded
        this.placement = { ...this.placement, adapter };
        events.recovered(this.placement);
      },
      judged: (probabilities, times) => {
        this.track.judge(probabilities, times);
        events.moved();
        if (this.run?.kind !== 'judge') return;
        events.progress(this.track.judged / framesIn(this.samples!.length), 'Judging');
      },
      done: () => this.#finish(),
      failed: (during, failure) => {
        if (during === 'load' || failure.code === 'DEVICE_LOST') this.placement = undefined;
        this.fail(failure);
      },
    });
  }

  get source(): Source {
    return this.#source;
  }

  /** Samples of the chosen source; undefined for the microphone, and until they are there. */
  get samples(): Samples | undefined {
    return this.#samples[this.#source];
  }

  /** Seconds by which verdicts trail the sound; undefined unless sound is heard. */
  get late(): number | undefined {
    if (!this.run || this.run.kind === 'judge') return undefined;
    return Math.max(0, this.#detector.behind - 1) * FRAME_SECONDS; // one is always under way
  }

  set threshold(threshold: number) {
    this.#threshold = threshold;
    this.track.setThreshold(threshold);
    this.#events.moved();
  }

  /** Loads the model, in place of the one before. */
  load(url: string, device: Device): void {
    this.#abandon();
    this.placement = undefined;
    this.#detector.load(url, device);
    this.#events.progress(0, 'Loading the model');
    this.#events.changed();
  }

  /** Takes another source; its sound has not been judged. */
  choose(source: Source): void {
    this.#source = source;
    this.clear();
  }

  /** Keeps the samples of a source. */
  provide(source: Source, samples: Samples): void {
    this.#samples[source] = samples;
    if (this.#source === source && !this.run) this.clear();
  }

  /** Stops, and forgets all verdicts. */
  clear(): void {
    this.#abandon();
    this.#detector.begin();
    this.track = new Track(this.#threshold);
    if (this.samples) this.track.hear(this.samples);
    this.#events.moved();
    this.#events.changed();
  }

  /** Begins a run. It ends by itself, except for the microphone. */
  async start(kind: Run['kind']): Promise<void> {
    if (this.run || this.opening || !this.placement) return;
    this.#detector.begin();
    const { samples } = this;
    if (kind === 'listen') {
      await this.#listen();
    } else if (samples) {
      this.track.forget(this.#threshold);
      this.run = kind === 'play' ? play(samples, this.#detector) : judge(samples, this.#detector);
      this.#events.started(undefined);
    }
    this.#events.moved();
    this.#events.changed();
  }

  async #listen(): Promise<void> {
    this.opening = true;
    this.track = new Track(this.#threshold);
    this.#events.changed();
    const heard = (samples: Float32Array): void => {
      this.track.hear(samples);
      this.#events.moved();
    };
    const lost = (): void =>
      this.fail({ code: 'MICROPHONE_LOST', path: '', message: 'its track has ended' });
    try {
      const run = await listen(this.#detector, heard, lost);
      // Another source may have been chosen while the browser asked.
      if (this.#source !== 'microphone') return run.stop();
      this.run = run;
      this.#events.started(run.label);
    } catch (error) {
      this.fail(error as Failure);
    } finally {
      this.opening = false;
    }
  }

  /** Ends the run. What has been heard from the microphone is still judged. */
  stop(): void {
    const { run } = this;
    if (!run) return;
    run.stop();
    if (run.kind === 'listen') {
      this.#detector.end(); // `done` follows
    } else {
      this.#detector.begin();
      this.#finish();
    }
  }

  /** Ends everything with a failure. */
  fail({ code, path, message }: Failure | (Error & Partial<Failure>)): void {
    this.#abandon();
    this.#events.failed({ code: code ?? 'Error', path: path ?? '', message });
    this.#events.changed();
  }

  #abandon(): void {
    this.run?.stop();
    this.run = undefined;
    this.#events.progress(undefined, '');
  }

  #finish(): void {
    this.#abandon();
    this.#events.moved();
    this.#events.finished();
    this.#events.changed();
  }
}
