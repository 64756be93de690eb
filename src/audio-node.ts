// A node of an audio graph that runs a model: the part that a page loads at once.
import { RnnError } from './errors.ts';
import type { RnnNode, RnnNodeOptions } from './worklet/node.ts';

/**
 * Makes a node that runs a model over sound in the audio thread. The page first adds a module of its own, in which
 * `registerRnnProcessor` of `webgpu-rnn/worklet` says what the model takes and gives.
 *
 * @returns the node, when the model is ready
 * @throws RnnError as `loadModel` and `model.stream` do for the model; `INVALID_ARGUMENT` for a processor that the context does not
 *   have, `UNSUPPORTED_FEATURE` where the audio thread has no WebAssembly with SIMD
 * @example
 * ```ts
 * await context.audioWorklet.addModule(new URL('./denoise.worklet.js', import.meta.url));
 * const denoise = await createRnnNode(context, { processor: 'denoise', model: bytes });
 * microphone.connect(denoise.node).connect(context.destination);
 * ```
 */
export async function createRnnNode(
  context: BaseAudioContext,
  options: RnnNodeOptions,
): Promise<RnnNode> {
  if (typeof AudioWorkletNode === 'undefined') {
    const what =
      'got an environment without AudioWorklet, expected a page served by https or from localhost';
    throw new RnnError('UNSUPPORTED_FEATURE', 'context', what);
  }
  const { makeRnnNode } = await import('./worklet/node.ts');
  return makeRnnNode(context, options);
}
