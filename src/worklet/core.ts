// The work of a processor, without the audio thread around it: blocks in, blocks out, messages both ways.
import { BlockTimes } from '../audio/block-times.ts';
import { FrameAdapter } from '../audio/frame-adapter.ts';
import { Starvation } from '../audio/starvation.ts';
import { Stft } from '../audio/stft.ts';
import { RnnError } from '../errors.ts';
import type { RnnFrame, RnnFrameModel, RnnProcessorDefinition } from './definition.ts';
import { loadInThread, type LoadedModel } from './load.ts';
import { plainFrame } from './plain-frame.ts';
import type { FromProcessor, RnnProcessorOptions, ToProcessor } from './protocol.ts';

/** What the audio thread offers. */
export interface ProcessorScope {
  /** Hz of the context. */
  readonly sampleRate: number;
  /** Samples of a render quantum. */
  readonly quantum: number;
  readonly post: (message: FromProcessor) => void;
}

/** Seconds. A pause lets the thread catch up; the model is heard again once its state has something to go on. */
const [PAUSE, MAX_PAUSE, WARM, FADE] = [0.25, 8, 0.1, 0.01];

/** The best clock of an audio thread. Few have more than `Date.now`, in whole milliseconds. */
function bestClock(): { readonly now: () => number; readonly resolution: number } {
  const { performance: clock } = globalThis as { performance?: Performance };
  if (typeof clock?.now === 'function') return { now: () => clock.now(), resolution: 0.1 };
  return { now: Date.now, resolution: 1 };
}

/** See the top of the file. */
export class ProcessorCore {
  readonly #definition: RnnProcessorDefinition;
  readonly #post: ProcessorScope['post'];
  readonly #adapter: FrameAdapter;
  readonly #stft: Stft | undefined;
  readonly #times: BlockTimes;
  readonly #starvation: Starvation;
  readonly #now: () => number;
  readonly #deadline: number;
  readonly #frame: { -readonly [K in keyof RnnFrame]: RnnFrame[K] };
  /** What a frame is made of: samples, or the parts of a spectrum; and copies of its input. */
  readonly #parts: readonly Float32Array[];
  readonly #kept: readonly Float32Array[];
  readonly #fade: number;
  #loaded: LoadedModel | undefined;
  #compute: ((frame: RnnFrame) => void) | undefined;
  /** Blocks since the start. */
  #block = 0;
  #isBypassed = false;
  #isDisposed = false;
  /** Whether the input is heard. */
  #isDry = false;
  /** Samples of context from input to output; may be no whole number. */
  readonly latency: number;

  /** @throws RnnError for a definition that fits no sound, and as `loadModel` and `model.stream` do for the model */
  constructor(
    definition: RnnProcessorDefinition,
    options: RnnProcessorOptions,
    scope: ProcessorScope,
  ) {
    const { sampleRate, hop, spectrum, clock } = definition;
    this.#definition = definition;
    this.#post = scope.post;
    this.#stft = spectrum && new Stft(spectrum, hop);
    const blockRate = Math.round(scope.sampleRate);
    const { quantum } = scope;
    this.#adapter = new FrameAdapter(
      { blockRate, frameRate: sampleRate, hop, block: quantum, maxBlock: quantum },
      (frame) => this.#make(frame),
    );
    this.latency = this.#adapter.latency + ((this.#stft?.latency ?? 0) * blockRate) / sampleRate;
    const { now, resolution } = clock ? { now: clock, resolution: 0 } : bestClock();
    this.#now = now;
    this.#deadline = options.deadline ?? (1000 * hop) / sampleRate;
    this.#times = new BlockTimes(resolution, this.#deadline);
    const frames = (seconds: number): number => Math.ceil((seconds * sampleRate) / hop);
    this.#starvation = new Starvation({
      pause: frames(PAUSE),
      maxPause: frames(MAX_PAUSE),
      warm: frames(WARM),
    });
    this.#fade = Math.min(hop, Math.ceil(FADE * sampleRate));
    const none = new Float32Array(0);
    const { re, im } = this.#stft ?? { re: none, im: none };
    this.#frame = { samples: this.#stft ? none : new Float32Array(hop), re, im, block: -1 };
    this.#parts = this.#stft ? [re, im] : [this.#frame.samples];
    this.#kept = this.#parts.map((part) => part.slice());
    this.#load(options);
  }

  /** Loads the model and computes a block of silence, after which nothing has to be made any more. */
  #load(options: RnnProcessorOptions): void {
    const { spectrum, hop, stream, frame } = this.#definition;
    const loaded = loadInThread(options.model, stream);
    this.#loaded = loaded;
    const { inputs, outputs } = loaded.graph;
    const names = outputs.map(({ name }) => name);
    const model: RnnFrameModel = {
      inputs,
      outputs,
      step: (feeds) => loaded.stream.stepSync!(feeds, names),
      post: (data) => this.#post({ type: 'message', data }),
    };
    const count = spectrum ? spectrum.size / 2 + 1 : hop;
    this.#compute = frame
      ? (block) => frame(block, model)
      : plainFrame(model, this.#definition, count, loaded.state);
    this.#compute(this.#frame);
    for (const part of this.#parts) part.fill(0);
    loaded.stream.reset();
  }

  /** Takes a quantum of input and gives one of output, which is as long. Nothing is thrown: errors are posted. */
  process(input: Float32Array, output: Float32Array): void {
    this.#adapter.process(input, output);
  }

  /** Makes the output of a frame, in place of its input. */
  #make(samples: Float32Array): void {
    const [stft, mode] = [this.#stft, this.#starvation.mode];
    if (stft) stft.analyse(samples);
    else this.#frame.samples.set(samples);
    const wasDry = this.#isDry;
    if (!this.#compute || mode === 'bypass' || (this.#isBypassed && wasDry)) {
      if (this.#starvation.mode === 'bypass' && this.#starvation.bypassed()) this.#restart();
    } else {
      this.#kept.forEach((kept, i) => kept.set(this.#parts[i]!));
      const isMade = this.#model(this.#compute);
      this.#isDry = !isMade || this.#isBypassed || this.#starvation.mode !== 'run';
      if (!isMade || (wasDry && this.#isDry)) {
        this.#parts.forEach((part, i) => part.set(this.#kept[i]!));
      } else if (!stft && wasDry !== this.#isDry) this.#crossfade();
      // Without that, the windows of spectra overlap, and fade.
    }
    if (stft) stft.synthesise(samples);
    else samples.set(this.#frame.samples);
    this.#block++;
  }

  /** Computes a frame, and says whether there was no error. */
  #model(compute: (frame: RnnFrame) => void): boolean {
    const [block, deadline] = [this.#block, this.#deadline];
    this.#frame.block = block;
    const begin = this.#now();
    try {
      compute(this.#frame);
    } catch (error) {
      this.#fail(error);
      return false;
    }
    const elapsed = this.#now() - begin;
    const verdict = this.#starvation.computed(this.#times.add(elapsed));
    if (verdict === 'starved') {
      this.#post({ type: 'starved', elapsed, deadline, block, pause: this.#starvation.pause });
    } else if (verdict === 'recovered') this.#post({ type: 'recovered', block });
    return true;
  }

  /** In the frame in which the two change places, what is heard goes from one to the other. */
  #crossfade(): void {
    const [samples, dry] = [this.#frame.samples, this.#kept[0]!];
    for (let k = 0; k < samples.length; k++) {
      const part = Math.min(1, (k + 1) / this.#fade);
      const model = this.#isDry ? 1 - part : part;
      samples[k] = dry[k]! + model * (samples[k]! - dry[k]!);
    }
  }

  #restart(): void {
    try {
      this.#loaded!.stream.reset();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Posts an error; the input is heard from then on. */
  #fail(error: unknown): void {
    this.#compute = undefined;
    this.#isDry = true;
    this.#post({ type: 'error', error: RnnError.from(error).toJSON() });
  }

  /** Whether the node needs no more output. */
  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  /** Does what the node asks for. */
  handle(message: ToProcessor): void {
    switch (message.type) {
      case 'statistics':
        this.#post({ type: 'statistics', id: message.id, statistics: this.#times.statistics() });
        break;
      case 'bypass':
        this.#isBypassed = message.on;
        break;
      case 'reset':
        if (this.#compute) this.#restart();
        break;
      case 'dispose':
        this.#compute = undefined;
        this.#isDry = true;
        this.#isDisposed = true;
        this.#loaded?.dispose();
        this.#loaded = undefined;
    }
  }
}
