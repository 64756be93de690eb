// What the snippets of the documents take for granted, by name.

/** TypeScript of a module that declares them for all snippets. */
export const AMBIENT = `
import type { Model, Stream, Tensor } from 'webgpu-rnn';
declare global {
  const model: Model, first: Model, second: Model;
  const stream: Stream;
  /** A frame of sound, and frames as they arrive. */
  const frame: Float32Array;
  const recording: AsyncIterable<Float32Array>;
  const sequence: Tensor[];
  /** Of a model that has lost its device. */
  const recovered: Promise<void>;
  const sr: Tensor;
  const X: Tensor;
  /** Weights of layers. */
  const W: Tensor, R: Tensor, B: Tensor, V: Tensor, b: Tensor;
  /** Trained weights of a shape. */
  const weight: (...dims: number[]) => Tensor;
  /** Files. */
  const bytes: ArrayBuffer;
  const json: Uint8Array;
  /** Of a renderer. */
  const microphoneBuffer: GPUBuffer;
  const draw: (levels: GPUBuffer, dims: readonly number[]) => void;
  const render: (encoder: GPUCommandEncoder, levels: GPUBuffer) => void;
  /** Sound. */
  const context: AudioContext;
  const workletUrl: string;
  const microphone: AudioNode;
}
`;
