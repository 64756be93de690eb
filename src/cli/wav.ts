// Sound in RIFF files, uncompressed. http://soundfile.sapp.org/doc/WaveFormat/

/** Sound between -1 and 1. */
export interface Sound {
  readonly rate: number;
  readonly channels: number;
  /** One channel after the other. */
  readonly samples: Float32Array;
}

type Sample = (view: DataView, at: number) => number;

// WAVE_FORMAT_PCM and WAVE_FORMAT_IEEE_FLOAT by their bits.
const FORMATS: ReadonlyMap<string, Sample> = new Map<string, Sample>([
  ['1:8', (view, at) => (view.getUint8(at) - 128) / 128],
  ['1:16', (view, at) => view.getInt16(at, true) / 2 ** 15],
  ['1:24', (view, at) => ((view.getInt8(at + 2) << 16) | view.getUint16(at, true)) / 2 ** 23],
  ['1:32', (view, at) => view.getInt32(at, true) / 2 ** 31],
  ['3:32', (view, at) => view.getFloat32(at, true)],
  ['3:64', (view, at) => view.getFloat64(at, true)],
]);

const EXTENSIBLE = 0xfffe; // the real format stands 24 bytes into the chunk

/** Reads a .wav file. */
export function readWav(bytes: Uint8Array, name: string): Sound {
  const fail = (what: string): Error => new Error(`${name}: ${what}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tag = (at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 12 || tag(0) !== 'RIFF' || tag(8) !== 'WAVE') throw fail('is no .wav file');
  let format: { sample: Sample; size: number; channels: number; rate: number } | undefined;
  for (let at = 12; at + 8 <= bytes.length;) {
    const start = at + 8;
    const size = view.getUint32(at + 4, true);
    if (tag(at) === 'fmt ') {
      if (size < 16 || start + size > bytes.length) throw fail('ends in its format');
      const code = view.getUint16(start, true);
      const real = code === EXTENSIBLE && size >= 26 ? view.getUint16(start + 24, true) : code;
      const bits = view.getUint16(start + 14, true);
      const sample = FORMATS.get(`${real}:${bits}`);
      const channels = view.getUint16(start + 2, true);
      if (!sample || channels === 0) throw fail(`format ${real} of ${bits} bits is not read`);
      format = { sample, size: bits / 8, channels, rate: view.getUint32(start + 4, true) };
    } else if (tag(at) === 'data') {
      if (!format) throw fail('has its sound before its format');
      const { sample, channels, rate } = format;
      // Recorders that never knew the length leave it at the largest number.
      const count = Math.floor(Math.min(size, bytes.length - start) / (format.size * channels));
      const samples = new Float32Array(count * channels);
      for (let i = 0; i < count; i++) {
        for (let c = 0; c < channels; c++) {
          samples[c * count + i] = sample(view, start + (i * channels + c) * format.size);
        }
      }
      return { rate, channels, samples };
    }
    at = start + size + (size % 2);
  }
  throw fail('has no sound');
}

/** Writes one channel of 16 bits; what is beyond -1 or 1 is cut. */
export function writeWav(samples: ArrayLike<number>, rate: number): Uint8Array {
  const bytes = new Uint8Array(44 + samples.length * 2);
  const view = new DataView(bytes.buffer);
  const text = (at: number, value: string): void => bytes.set(new TextEncoder().encode(value), at);
  text(0, 'RIFF');
  view.setUint32(4, bytes.length - 8, true);
  text(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channel
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * 2, true);
  view.setUint16(32, 2, true); // bytes a sample
  view.setUint16(34, 16, true);
  text(36, 'data');
  view.setUint32(40, samples.length * 2, true);
  for (let i = 0; i < samples.length; i++) {
    const value = Math.round(Math.max(-1, Math.min(1, samples[i]!)) * 32767);
    view.setInt16(44 + i * 2, value, true);
  }
  return bytes;
}
