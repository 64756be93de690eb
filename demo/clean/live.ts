// Sound through the audio thread while it is heard: one context, its graph, and what becomes of its blocks.
import { createRnnNode, type BlockStatistics, type RnnNode, type Starved } from 'webgpu-rnn';
import { contextFor, openMicrophone } from '../shared/microphone.ts';
import { SoundError } from '../shared/sound-file.ts';
import { addModule, PROCESSOR, type Denoiser } from './model.ts';
import { RATE, type Samples } from './sample.ts';
import { columnOf, sizeAt } from './spectrum.ts';

/** Which of the two is heard. */
export type Heard = 'cleaned' | 'original';

/** What a live sound tells. */
export interface LiveEvents {
  starved(event: Starved): void;
  recovered(): void;
  failed(error: Error): void;
}

const FADE = 0.01; // seconds from one to the other
/** Blocks are held up for so long, in ms: above any deadline, and more than the queue of a sound card holds. */
const STRAIN = 60;
const PATIENCE = 8000; // ms that a device for sound may take to open

/** Sound at its way through the model. */
export class Live {
  readonly context: AudioContext;
  readonly node: RnnNode;
  /** What the browser calls the microphone; undefined for the sample. */
  readonly label: string | undefined;
  readonly #stream: MediaStream | undefined;
  readonly #gains: Readonly<Record<Heard, GainNode>>;
  readonly #volume: GainNode;
  readonly #analysers: readonly AnalyserNode[];
  readonly #window: Float32Array<ArrayBuffer>;
  readonly #delay: DelayNode;
  #source: AudioNode;
  #strain: AudioWorkletNode | undefined;

  private constructor(
    context: AudioContext,
    source: AudioNode,
    node: RnnNode,
    stream: MediaStream | undefined,
  ) {
    [this.context, this.node, this.#source, this.#stream] = [context, node, source, stream];
    this.label = stream?.getAudioTracks()[0]?.label;
    const gain = (value: number) => new GainNode(context, { gain: value });
    this.#gains = { cleaned: gain(1), original: gain(0) };
    this.#volume = gain(stream ? 0 : 1); // a microphone next to a loudspeaker would howl
    // The original is as late as the output of the model, so that a change from one to the other moves nothing.
    const delay = new DelayNode(context, { delayTime: node.latency, maxDelayTime: 2 });
    const size = sizeAt(context.sampleRate);
    this.#window = new Float32Array(size);
    this.#analysers = [0, 1].map(() => new AnalyserNode(context, { fftSize: size }));
    const [before, after] = this.#analysers as [AnalyserNode, AnalyserNode];
    for (const to of [node.node, delay]) source.connect(to);
    node.node.connect(this.#gains.cleaned).connect(this.#volume);
    delay.connect(this.#gains.original).connect(this.#volume);
    delay.connect(before);
    node.node.connect(after);
    this.#volume.connect(context.destination);
    this.#delay = delay;
  }

  /** Begins. Must be called in a click or key press: browsers are silent without. @throws SoundError, RnnError */
  static async open(
    source: Samples | 'microphone',
    denoiser: Denoiser,
    events: LiveEvents,
  ): Promise<Live> {
    const { sampleRate } = denoiser.fit;
    const isSample = source !== 'microphone';
    const stream = isSample ? undefined : await openMicrophone();
    const made = stream
      ? contextFor(stream, sampleRate)
      : { context: new AudioContext({ sampleRate }), source: undefined };
    const { context } = made;
    try {
      await addModule(context, denoiser.fit);
      const node = await createRnnNode(context, {
        processor: PROCESSOR,
        model: denoiser.model,
        onStarved: (event) => events.starved(event),
        onRecovered: () => events.recovered(),
        onError: (error) => events.failed(error),
      });
      const from = made.source ?? loopOf(context, source as Samples);
      stream
        ?.getAudioTracks()[0]!
        .addEventListener('ended', () =>
          events.failed(new SoundError('MICROPHONE_LOST', 'its track has ended')),
        );
      const live = new Live(context, from, node, stream);
      await running(context);
      return live;
    } catch (error) {
      for (const track of stream?.getTracks() ?? []) track.stop();
      void context.close();
      throw error;
    }
  }

  /** Puts another sample in the place of the one that is heard. */
  replace(samples: Samples): void {
    this.#source.disconnect();
    this.#source = loopOf(this.context, samples);
    for (const to of [this.node.node, this.#delay]) this.#source.connect(to);
  }

  /** Lets one of the two be heard. */
  hear(heard: Heard): void {
    const { currentTime } = this.context;
    for (const [name, { gain }] of Object.entries(this.#gains)) {
      gain.setTargetAtTime(name === heard ? 1 : 0, currentTime, FADE / 3);
    }
  }

  /** Whether the loudspeaker is on. */
  set audible(on: boolean) {
    this.#volume.gain.setTargetAtTime(on ? 1 : 0, this.context.currentTime, FADE / 3);
  }

  /** Holds up the next block, so that it misses its deadline. */
  strain(): void {
    this.#strain ??= new AudioWorkletNode(this.context, 'strain', { numberOfInputs: 0 });
    this.#strain.port.postMessage(STRAIN, []);
  }

  /** Levels in dB of the latest sound before and after the model. */
  columns(): [before: Float32Array, after: Float32Array] {
    const [before, after] = this.#analysers.map((analyser) => {
      analyser.getFloatTimeDomainData(this.#window);
      return columnOf(this.#window, this.context.sampleRate);
    });
    return [before!, after!];
  }

  /** How long blocks took. The answer comes while the context runs. */
  statistics(): Promise<BlockStatistics> {
    return this.node.statistics();
  }

  /** Ends the sound; the light of the microphone goes out. */
  close(): void {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.node.dispose();
    void this.context.close().catch(() => undefined); // it may be closed already
  }
}

/** Waits until a context runs. Firefox waits without an end where there is no device. @throws SoundError */
async function running(context: AudioContext): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const what = `its context is ${context.state} after ${PATIENCE / 1000} s`;
    timer = setTimeout(() => reject(new SoundError('OUTPUT_ABSENT', what)), PATIENCE);
  });
  try {
    await Promise.race([context.resume(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A source that begins anew whenever the samples end. */
function loopOf(context: AudioContext, samples: Samples): AudioNode {
  const buffer = new AudioBuffer({ length: samples.length, sampleRate: RATE });
  buffer.copyToChannel(samples, 0);
  const source = new AudioBufferSourceNode(context, { buffer, loop: true });
  source.start();
  return source;
}
