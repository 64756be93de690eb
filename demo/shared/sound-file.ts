// Decodes a sound file to samples.

const MAX_BYTES = 200e6; // decoded sound takes far more room than a file does
const MAX_SECONDS = 3600;

/** A sound that cannot be used; `code` as in the problems.ts of a page. */
export class SoundError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SoundError';
    this.code = code;
  }
}

/** Samples of a file in any format that this browser plays, at a rate in Hz, its channels mixed. */
export async function readSound(file: Blob, rate: number): Promise<Float32Array<ArrayBuffer>> {
  if (file.size > MAX_BYTES) {
    const size = `${Math.round(file.size / 1e6)} MB`;
    throw new SoundError('FILE_TOO_LONG', `got ${size}, at most ${MAX_BYTES / 1e6} MB`);
  }
  // decodeAudioData resamples to the rate of its context, so one of this rate does all the work.
  const context = new OfflineAudioContext(1, 1, rate);
  let sound: AudioBuffer;
  try {
    sound = await context.decodeAudioData(await file.arrayBuffer());
  } catch (cause) {
    const { message } = cause as Error;
    throw new SoundError('FILE_UNREADABLE', message || 'this browser cannot decode it', { cause });
  }
  if (sound.duration > MAX_SECONDS) {
    const minutes = `${Math.round(sound.duration / 60)} minutes`;
    throw new SoundError('FILE_TOO_LONG', `got ${minutes}, at most ${MAX_SECONDS / 60}`);
  }
  const samples = new Float32Array(sound.getChannelData(0));
  for (let channel = 1; channel < sound.numberOfChannels; channel++) {
    sound.getChannelData(channel).forEach((sample, i) => (samples[i]! += sample));
  }
  return samples.map((sample) => sample / sound.numberOfChannels);
}

/** Samples of a file that came with the page. */
export async function fetchSound(url: string, rate: number): Promise<Float32Array<ArrayBuffer>> {
  const response = await fetch(url);
  if (!response.ok) {
    const { status, statusText } = response;
    throw new SoundError('RECORDING_MISSING', `${url} answered ${status} ${statusText}`.trim());
  }
  return readSound(await response.blob(), rate);
}
