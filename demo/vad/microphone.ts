// Opens the microphone and hands over its sound, 512 samples at 16 kHz at a time.
// oxlint-disable-next-line import/default -- the query makes it a URL
import captureUrl from './capture.worklet.ts?worker&url';
import { SAMPLE_RATE } from './framing.ts';
import { SoundError } from './sound-file.ts';

/** What a microphone tells the page. */
export interface MicrophoneEvents {
  samples(samples: Float32Array): void;
  /** It was unplugged, or its permission withdrawn. */
  lost(): void;
}

const CODES: Readonly<Record<string, string>> = {
  NotAllowedError: 'MICROPHONE_DENIED',
  SecurityError: 'MICROPHONE_DENIED',
  NotFoundError: 'MICROPHONE_ABSENT',
  OverconstrainedError: 'MICROPHONE_ABSENT',
  NotReadableError: 'MICROPHONE_BUSY',
  AbortError: 'MICROPHONE_BUSY',
};

async function askForStream(): Promise<MediaStream> {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new SoundError('MICROPHONE_INSECURE', 'this page may not ask for a microphone');
  }
  try {
    // What the network hears should be what the room sounds like: no clean-up on the way.
    const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (cause) {
    const { name, message } = cause as Error;
    throw new SoundError(CODES[name] ?? 'MICROPHONE_FAILED', message || name, { cause });
  }
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
    const stream = await askForStream();
    let context = new AudioContext({ sampleRate: SAMPLE_RATE });
    let source: MediaStreamAudioSourceNode;
    try {
      source = context.createMediaStreamSource(stream);
    } catch {
      // Firefox joins only what has one rate. The worklet resamples then.
      void context.close();
      context = new AudioContext();
      source = context.createMediaStreamSource(stream);
    }
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
