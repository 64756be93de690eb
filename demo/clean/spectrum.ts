// Columns of a spectrogram: levels in dB of sound up to 8 kHz.

/** Rows of a spectrogram, lowest frequency first. */
export const ROWS = 128;
/** Hz of the highest row. */
export const TOP = 8000;
/** Quieter is drawn as silence. */
export const QUIET = -85;

/** A transform of a power of two of numbers, in place. */
function transform(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j]!, re[i]!];
      [im[i], im[j]] = [im[j]!, im[i]!];
    }
  }
  for (let half = 1; half < n; half *= 2) {
    for (let k = 0; k < half; k++) {
      const [cos, sin] = [Math.cos((Math.PI * k) / half), -Math.sin((Math.PI * k) / half)];
      for (let a = k; a < n; a += 2 * half) {
        const b = a + half;
        const [x, y] = [re[b]! * cos - im[b]! * sin, re[b]! * sin + im[b]! * cos];
        [re[b], im[b]] = [re[a]! - x, im[a]! - y];
        [re[a], im[a]] = [re[a]! + x, im[a]! + y];
      }
    }
  }
}

/** Samples of a transform at a rate: about 32 ms. */
export const sizeAt = (sampleRate: number): number =>
  2 ** Math.round(Math.log2(0.032 * sampleRate));

/** Levels in dB of `ROWS` equal bands up to `TOP` Hz; a full-scale sine is at 0. */
export function columnOf(samples: ArrayLike<number>, sampleRate: number): Float32Array {
  const size = samples.length;
  const [re, im] = [new Float64Array(size), new Float64Array(size)];
  for (let i = 0; i < size; i++) re[i] = samples[i]! * Math.sin((Math.PI * i) / size) ** 2;
  transform(re, im);
  return Float32Array.from({ length: ROWS }, (_, row) => {
    const bin = (hz: number): number => (hz * size) / sampleRate;
    const from = Math.floor(bin((row * TOP) / ROWS));
    const to = Math.max(from + 1, Math.floor(bin(((row + 1) * TOP) / ROWS)));
    let max = 0;
    for (let k = from; k < to && k <= size / 2; k++) max = Math.max(max, re[k]! ** 2 + im[k]! ** 2);
    return Math.max(QUIET, 10 * Math.log10((16 * max) / size ** 2 + 1e-12));
  });
}

/** The columns of a whole sound. */
export function columnsOf(
  samples: Float32Array,
  sampleRate: number,
  count: number,
): Float32Array[] {
  const size = sizeAt(sampleRate);
  const padded = new Float32Array(samples.length + size);
  padded.set(samples, size / 2);
  return Array.from({ length: count }, (_, k) => {
    const at = Math.round((k * samples.length) / count);
    return columnOf(padded.subarray(at, at + size), sampleRate);
  });
}
