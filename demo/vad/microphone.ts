// Opens the microphone and hands over its sound, 512 samples at 16 kHz at a time.
// oxlint-disable-next-line import/default -- the query makes it a URL
import captureUrl from './capture.worklet.ts?worker&url';
import { contextFor, openMicrophone } from '../shared/microphone.ts';
import { SoundError } from '../shared/sound-file.ts';
import { SAMPLE_RATE } from './framing.ts';

/** What a microphone tells the page. */
export interface MicrophoneEvents {
  samples(samples: Float32Array): void;
  /** It was unplugged, or its permission withdrawn. */
  lost(): void;
}

/** An open microphone. */
export class Microphone {
  readonly #stream: MediaStream;
  readonly #context: AudioContext;
  /** What the browser calls it. */
  readonly label: string;

  private constructor(stream: MediaStream, context: AudioContext) {
    this.#stream = stream;
    this.#context = context;
    this.label = stream.getAudioTracks()[0]!.label;
  }

  /** Asks for a microphone and begins. @throws SoundError */
  static async open(events: MicrophoneEvents): Promise<Microphone> {
    const stream = await openMicrophone();
    const { context, source } = contextFor(stream, SAMPLE_RATE);
    try {
      await context.audioWorklet.addModule(captureUrl);
    } catch (cause) {
      for (const track of stream.getTracks()) track.stop();
      throw new SoundError('MICROPHONE_FAILED', (cause as Error).message, { cause });
    }
    const capture = new AudioWorkletNode(context, 'capture', {
      numberOfOutputs: 0,
      channelCount: 1, // mixed by the browser
      channelCountMode: 'explicit',
    });
    capture.port.addEventListener('message', ({ data }) => events.samples(data as Float32Array));
    capture.port.start();
    source.connect(capture);
    stream.getAudioTracks()[0]!.addEventListener('ended', () => events.lost());
    await context.resume();
    return new Microphone(stream, context);
  }

  /** Closes the microphone; the light of the browser goes out. */
  close(): void {
    for (const track of this.#stream.getTracks()) track.stop();
    void this.#context.close().catch(() => undefined); // it may be closed already
  }
}
