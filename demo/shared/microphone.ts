// Asks for the microphone, and joins it to an audio context.
import { SoundError } from './sound-file.ts';

const CODES: Readonly<Record<string, string>> = {
  NotAllowedError: 'MICROPHONE_DENIED',
  SecurityError: 'MICROPHONE_DENIED',
  NotFoundError: 'MICROPHONE_ABSENT',
  OverconstrainedError: 'MICROPHONE_ABSENT',
  NotReadableError: 'MICROPHONE_BUSY',
  AbortError: 'MICROPHONE_BUSY',
};

/** Asks for a microphone, as the room sounds. @throws SoundError */
export async function openMicrophone(): Promise<MediaStream> {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new SoundError('MICROPHONE_INSECURE', 'this page may not ask for a microphone');
  }
  try {
    // What a network hears should be what the room sounds like: no clean-up on the way.
    const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (cause) {
    const { name, message } = cause as Error;
    throw new SoundError(CODES[name] ?? 'MICROPHONE_FAILED', message || name, { cause });
  }
}

/** A context for a microphone, and the microphone as its source. */
export interface MicrophoneContext {
  /** At the rate that was asked for, where the browser can. */
  readonly context: AudioContext;
  readonly source: MediaStreamAudioSourceNode;
}

/** Makes a context for a microphone, at this rate or, in Firefox, which joins only what has one rate, at the microphone's. */
export function contextFor(stream: MediaStream, sampleRate: number): MicrophoneContext {
  const context = new AudioContext({ sampleRate });
  try {
    return { context, source: context.createMediaStreamSource(stream) };
  } catch {
    void context.close();
    const own = new AudioContext();
    return { context: own, source: own.createMediaStreamSource(stream) };
  }
}
