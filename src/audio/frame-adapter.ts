// Between the blocks of an audio graph and the frames of a model: another rate, another length, a fixed delay.
import { Resampler, ratioOf } from './resampler.ts';
import { SampleRing } from './ring.ts';

/** Computes a frame in place: finds the input in it and leaves the output. */
export type ComputeFrame = (frame: Float32Array) => void;

/** What an adapter is between. */
export interface FrameAdapterOptions {
  /** Hz of the blocks. */
  readonly blockRate: number;
  /** Hz of the frames. */
  readonly frameRate: number;
  /** Samples of a frame, at its rate. */
  readonly hop: number;
  /** Samples of a block; other lengths must be multiples of it. */
  readonly block: number;
  /** Samples of a block at most. */
  readonly maxBlock: number;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Samples of silence before the first frame, so that every block finds its samples: the least for equal rates. */
function leadOf({ blockRate, frameRate, hop, block }: FrameAdapterOptions): number {
  const [p, q] = ratioOf(blockRate, frameRate);
  // After n samples there are at least n · p / q at the other rate, all but hop - 1 of them in whole frames.
  return p === q ? hop - gcd(hop, block) : Math.ceil(((hop - 1) * q) / p);
}

/** Cuts blocks into frames, and frames into blocks. It allocates only when it is made, but for views. */
export class FrameAdapter {
  /** Samples at the rate of the blocks by which the output lags, if the frames add nothing; may be no whole number. */
  readonly latency: number;
  readonly #toFrames: Resampler | undefined;
  readonly #toBlocks: Resampler | undefined;
  readonly #input: SampleRing;
  readonly #output: SampleRing;
  readonly #frame: Float32Array;
  readonly #compute: ComputeFrame;

  /** @throws RnnError `LIMIT_EXCEEDED` for rates whose ratio has no short form */
  constructor(options: FrameAdapterOptions, compute: ComputeFrame) {
    const { blockRate, frameRate, hop, maxBlock } = options;
    const lead = leadOf(options);
    const ratio = frameRate / blockRate;
    const resampled = Math.ceil(maxBlock * ratio) + 1;
    this.#compute = compute;
    this.#frame = new Float32Array(hop);
    this.#input = new SampleRing(hop + resampled);
    this.#output = new SampleRing(lead + maxBlock + Math.ceil((hop + 1) / ratio) + 1);
    this.#output.pushSilence(lead);
    if (ratio === 1) this.latency = lead;
    else {
      this.#toFrames = new Resampler(blockRate, frameRate, maxBlock);
      this.#toBlocks = new Resampler(frameRate, blockRate, hop);
      this.latency = lead + this.#toFrames.delay + this.#toBlocks.delay / ratio;
    }
  }

  /** Takes a block, computes the frames that it completes, and fills `output`, which is as long. */
  process(input: Float32Array, output: Float32Array): void {
    const samples = this.#toFrames ? this.#toFrames.push(input) : input;
    this.#input.push(samples);
    while (this.#input.size >= this.#frame.length) {
      this.#input.pull(this.#frame);
      this.#compute(this.#frame);
      this.#output.push(this.#toBlocks ? this.#toBlocks.push(this.#frame) : this.#frame);
    }
    this.#output.pull(output);
  }
}
