// The page's side of a processor of `registerRnnProcessor`.
import type { BlockStatistics } from '../audio/block-times.ts';
import { checkOptions } from '../backends/check-options.ts';
import { RnnError } from '../errors.ts';
import type {
  FromProcessor,
  Recovered,
  RnnProcessorOptions,
  Starved,
  ToProcessor,
  WorkletModel,
} from './protocol.ts';

/** Options of {@link createRnnNode}. */
export interface RnnNodeOptions {
  /** Name that `registerRnnProcessor` was called with. */
  readonly processor: string;
  /**
   * The bytes of an ONNX file, or a graph made of the package's layers and cells. They are copied into the audio thread, which
   * reads them there, so that sound of the same context may stop for some milliseconds meanwhile.
   */
  readonly model: WorkletModel;
  /**
   * Milliseconds that a block may take. Default: for an AudioContext the time until the next block is due, or `baseLatency` where
   * that is shorter, but a render quantum at least; for an OfflineAudioContext, which waits, Infinity.
   */
  readonly deadline?: number;
  /** Called when a block took too long and the input is heard instead of the model. */
  readonly onStarved?: (event: Starved) => void;
  /** Called when the model is heard again. */
  readonly onRecovered?: (event: Recovered) => void;
  /** Called when a block fails; the input is heard from then on. */
  readonly onError?: (error: RnnError) => void;
  /** Called with what `frame` of the processor posts. */
  readonly onMessage?: (data: unknown) => void;
}

const OPTIONS: Record<keyof RnnNodeOptions, true> = {
  processor: true,
  model: true,
  deadline: true,
  onStarved: true,
  onRecovered: true,
  onError: true,
  onMessage: true,
};

interface Waiting {
  readonly resolve: (statistics: BlockStatistics) => void;
  readonly reject: (error: RnnError) => void;
}

/** A node of an audio graph that runs a model. Made by {@link createRnnNode}. */
export class RnnNode {
  /** To connect. It has one channel. */
  readonly node: AudioWorkletNode;
  /** Seconds from input to output, all of resampling, frames and spectra; what the model itself adds is not known. */
  readonly latency: number;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  #isDisposed = false;

  /** @internal */
  constructor(node: AudioWorkletNode, latency: number) {
    this.node = node;
    this.latency = latency;
  }

  #send(message: ToProcessor): void {
    if (this.#isDisposed) throw new RnnError('DISPOSED', 'node', 'the node has been disposed of');
    this.node.port.postMessage(message, []);
  }

  /**
   * How long blocks took. The processor answers while its context runs.
   *
   * @throws RnnError `DISPOSED`
   */
  async statistics(): Promise<BlockStatistics> {
    const id = this.#next++;
    this.#send({ type: 'statistics', id });
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
  }

  /** @internal */
  answer(id: number, statistics: BlockStatistics): void {
    this.#waiting.get(id)?.resolve(statistics);
    this.#waiting.delete(id);
  }

  /**
   * Whether to hear the input, as late as the output of the model would be, with a crossfade; the model then computes nothing.
   *
   * @throws RnnError `DISPOSED`
   */
  bypass(on: boolean): void {
    this.#send({ type: 'bypass', on });
  }

  /**
   * The model begins anew.
   *
   * @throws RnnError `DISPOSED`
   */
  reset(): void {
    this.#send({ type: 'reset' });
  }

  /** Frees the model and disconnects the node. A second dispose does nothing. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#send({ type: 'dispose' });
    this.#isDisposed = true;
    this.node.disconnect();
    const error = new RnnError('DISPOSED', 'node', 'the node has been disposed of');
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  /** Same as {@link RnnNode.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** What a block may take: see {@link RnnNodeOptions}. Without a value the processor takes the time to the next block. */
function deadlineOf(context: BaseAudioContext): { deadline?: number } {
  if (!('baseLatency' in context)) return { deadline: Infinity };
  const { baseLatency } = context as AudioContext;
  const quantum = 128 / context.sampleRate;
  return baseLatency > 0 ? { deadline: 1000 * Math.max(quantum, baseLatency) } : {};
}

/** See `createRnnNode` in audio-node.ts. */
export async function makeRnnNode(
  context: BaseAudioContext,
  options: RnnNodeOptions,
): Promise<RnnNode> {
  checkOptions(options, OPTIONS);
  const { processor, model, deadline, onStarved, onRecovered, onError, onMessage } = options;
  if (deadline !== undefined && !(deadline > 0)) {
    const what = `got ${String(deadline)}, expected milliseconds above 0`;
    throw new RnnError('INVALID_ARGUMENT', 'options.deadline', what);
  }
  const processorOptions: RnnProcessorOptions = {
    model,
    ...(deadline === undefined ? deadlineOf(context) : { deadline }),
  };
  let node: AudioWorkletNode;
  try {
    node = new AudioWorkletNode(context, processor, {
      numberOfInputs: 1,
      numberOfOutputs: 1,
      outputChannelCount: [1],
      channelCount: 1,
      channelCountMode: 'explicit',
      processorOptions,
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const isClone = error instanceof DOMException && error.name === 'DataCloneError';
    const path = isClone ? 'options.model' : 'options.processor';
    throw new RnnError('INVALID_ARGUMENT', path, why, { cause: error });
  }
  return new Promise((resolve, reject) => {
    let made: RnnNode | undefined;
    const fail = (error: RnnError): void => {
      if (made) onError?.(error);
      else reject(error);
    };
    node.addEventListener('processorerror', () => {
      fail(new RnnError('INTERNAL', 'processor', 'the audio thread has thrown'));
    });
    node.port.addEventListener('message', ({ data }: MessageEvent<FromProcessor>) => {
      switch (data.type) {
        case 'ready':
          made = new RnnNode(node, data.latency / context.sampleRate);
          return resolve(made);
        case 'error':
          return fail(RnnError.from(data.error));
        case 'starved':
          return onStarved?.(data);
        case 'recovered':
          return onRecovered?.(data);
        case 'statistics':
          return made?.answer(data.id, data.statistics);
        case 'message':
          return onMessage?.(data.data);
      }
    });
    node.port.start();
  });
}
