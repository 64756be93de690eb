// The package for audio worklets: runs a model in the audio thread, on the SIMD kernels of the CPU. One file without dynamic
// import, URL or fetch, none of which an audio thread has. The page makes the node with `createRnnNode` of `webgpu-rnn`.
import { RnnError } from './errors.ts';
import { checkDefinition, type RnnProcessorDefinition } from './worklet/definition.ts';
import { ProcessorCore } from './worklet/core.ts';
import type { FromProcessor, RnnProcessorOptions, ToProcessor } from './worklet/protocol.ts';

export { RnnError } from './errors.ts';
export type { RnnErrorCode, RnnErrorData } from './errors.ts';
export { tensor } from './tensor.ts';
export type { DataType, NestedValues, Tensor, TypedArray, TypedArrays, TypeOf } from './tensor.ts';
export type { SpectrumOptions, WindowName } from './audio/stft.ts';
export type { Tensors } from './backends/backend.ts';
export type {
  Attribute,
  DeclaredValue,
  Graph,
  Node,
  RecurrentAttributes,
  ValueInfo,
} from './graph.ts';
export type {
  Cell,
  CellName,
  CellParameter,
  CellPhase,
  CellReduction,
  CellVariant,
  StepInput,
  Vectors,
} from './cells/index.ts';
export type { StreamOptions } from './load-options.ts';
export type { RnnFrame, RnnFrameModel, RnnProcessorDefinition } from './worklet/definition.ts';
export type { RnnProcessorOptions, WorkletModel } from './worklet/protocol.ts';

// The global scope of audio worklets, which TypeScript's libraries leave out.
interface AudioScope {
  readonly sampleRate: number;
  /** Where it is missing, a quantum has 128 samples. */
  readonly renderQuantumSize?: number;
  readonly registerProcessor: (name: string, processor: new (options: never) => object) => void;
  readonly AudioWorkletProcessor: new () => { readonly port: MessagePort };
}

/**
 * Registers a processor that runs a recurrent model over sound, in a module that the page adds with
 * `audioWorklet.addModule`. It has one input and one output of one channel.
 *
 * A block that takes longer than its deadline is followed by the input, as late as the output of the model would be: the two
 * are crossfaded, the page is told, and after a pause the model begins anew. An error does the same, without an end.
 * Resampling, transforms and queues allocate nothing while sound runs; a step of the model allocates its results.
 *
 * @param name of the processor, for `createRnnNode`
 * @throws RnnError `INVALID_ARGUMENT` for a definition that is wrong in itself, and outside of an audio worklet
 * @example
 * ```ts
 * // denoise.worklet.ts, bundled by the app
 * import { registerRnnProcessor } from 'webgpu-rnn/worklet';
 *
 * registerRnnProcessor('denoise', { sampleRate: 16000, hop: 256, stream: { state: { h_out: 'h_in' } } });
 * ```
 */
export function registerRnnProcessor(name: string, definition: RnnProcessorDefinition): void {
  checkDefinition(definition);
  const scope = globalThis as unknown as AudioScope;
  if (typeof scope.registerProcessor !== 'function') {
    const what = 'got another thread, expected a module that audioWorklet.addModule has loaded';
    throw new RnnError('INVALID_ARGUMENT', 'registerRnnProcessor', what);
  }
  class RnnProcessor extends scope.AudioWorkletProcessor {
    readonly #core: ProcessorCore | undefined;
    readonly #silence: Float32Array;

    constructor({ processorOptions }: { readonly processorOptions: RnnProcessorOptions }) {
      super();
      const { sampleRate, renderQuantumSize: quantum = 128 } = scope;
      const post = (message: FromProcessor): void => this.port.postMessage(message, []);
      this.#silence = new Float32Array(quantum);
      try {
        this.#core = new ProcessorCore(definition, processorOptions, { sampleRate, quantum, post });
      } catch (error) {
        post({ type: 'error', error: RnnError.from(error).toJSON() });
        return;
      }
      const core = this.#core;
      this.port.addEventListener('message', ({ data }: MessageEvent<ToProcessor>) =>
        core.handle(data),
      );
      this.port.start();
      post({ type: 'ready', latency: core.latency });
    }

    process([input]: Float32Array[][], [output]: Float32Array[][]): boolean {
      const [from, to] = [input?.[0] ?? this.#silence, output?.[0]];
      // Without a model there is no node that waits for sound.
      if (!this.#core || this.#core.isDisposed) return false;
      if (to) this.#core.process(from, to);
      return true;
    }
  }
  scope.registerProcessor(name, RnnProcessor);
}
