// One block of sound through a model, in the audio thread.
import { tensor, type RnnFrame, type RnnFrameModel } from 'webgpu-rnn/worklet';
import type { Fit } from './fit.ts';

/** What is added to magnitudes before their logarithm, as in scripts/train/denoiser.py. */
const FLOOR = 1e-3;

const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** Distance in memory between bins, and between real and imaginary parts. */
function stridesOf(dims: readonly number[]): { bin: number; part: number } {
  const strides = dims.map((_, axis) => product(dims.slice(axis + 1)));
  return {
    bin: strides[dims.findIndex((dim) => dim > 2)] ?? 1,
    part: strides[dims.indexOf(2)] ?? 1,
  };
}

/**
 * Makes the function that computes a block in place. The memory is made once.
 *
 * @throws Error in the function, for an output of another size
 */
export function frameOf(fit: Fit): (frame: RnnFrame, model: RnnFrameModel) => void {
  const { kind, dims, input, output, isLog } = fit;
  const numbers = new Float32Array(product(dims));
  const feeds = { [input]: tensor(numbers, [...dims]) };
  const { bin, part } = stridesOf(dims);
  const write = ({ samples, re, im }: RnnFrame): void => {
    if (kind === 'samples') return numbers.set(samples);
    for (let k = 0; k < re.length; k++) {
      if (kind === 'complex') {
        numbers[k * bin] = re[k]!;
        numbers[k * bin + part] = im[k]!;
      } else {
        const magnitude = Math.hypot(re[k]!, im[k]!);
        numbers[k] = isLog ? Math.log10(magnitude + FLOOR) : magnitude;
      }
    }
  };
  const read = ({ samples, re, im }: RnnFrame, data: Float32Array): void => {
    if (kind === 'samples') return samples.set(data);
    for (let k = 0; k < re.length; k++) {
      if (kind === 'complex') {
        re[k] = data[k * bin]!;
        im[k] = data[k * bin + part]!;
      } else {
        re[k]! *= data[k]!;
        im[k]! *= data[k]!;
      }
    }
  };
  return (frame, model) => {
    write(frame);
    const { data } = model.step(feeds)[output]!;
    if (data.length !== numbers.length) {
      throw new Error(`${output}: got ${data.length} numbers, expected ${numbers.length}`);
    }
    read(frame, data as Float32Array);
  };
}
