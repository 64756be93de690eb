// What it takes to translate one call of one layer.
import { RnnError } from '../../../errors.ts';
import type { Dim, GraphBuilder } from '../../../graph-builder.ts';
import type { ValueInfo } from '../../../graph.ts';
import type { Config, Json, LayerConfig } from './config.ts';
import type { Dialect } from './dialect.ts';
import type { Weights } from './weights.ts';

/** A value between two layers. Dimension 0 is the batch, dimension 1 of a sequence is time. */
export interface KerasTensor extends ValueInfo {
  /** [B, T] bool, false where a step does not count; Keras hands it along with the value. */
  readonly mask?: ValueInfo | undefined;
}

/** One call of a layer; a shared layer has several. */
export interface LayerCall {
  readonly builder: GraphBuilder;
  readonly dialect: Dialect;
  /** Its class without a prefix. */
  readonly className: string;
  readonly config: Config;
  /** The same as `config.path`. */
  readonly path: string;
  readonly weights: Weights;
  /** Name of the layer within the whole model: what its constants are called after. */
  readonly name: string;
  /** What its nodes are called after; differs from `name` from the second call on. */
  readonly stem: string;
  readonly inputs: readonly KerasTensor[];
  /** Mask of the sequence for a recurrent layer: its own, or one that lingers. */
  readonly mask: ValueInfo | undefined;
  /** What it is called with besides values: `use_causal_mask`. */
  readonly options: Json;
  /** Whether the model names a mask for this call, instead of the one that its input carries. */
  readonly masked: boolean;
  /** True inside TimeDistributed: every step is a sequence of its own, so nothing may be carried. */
  readonly detached: boolean;
  /** Translates a layer within this one. */
  readonly inner: (layer: LayerConfig, change: InnerCall) => readonly KerasTensor[];
}

/** What a wrapper changes for the layer within. */
export interface InnerCall {
  readonly part: 'wrapped' | 'forward' | 'backward';
  readonly inputs: readonly KerasTensor[];
  readonly detached?: boolean;
}

/** Appends the nodes of a layer and gives back its outputs. */
export type Translate = (call: LayerCall) => readonly KerasTensor[];

/** The one input of a layer. */
export function only(call: LayerCall): KerasTensor {
  const [input] = call.inputs;
  if (input === undefined || call.inputs.length !== 1) {
    throw misfit(call, `got ${call.inputs.length} inputs, expected one`);
  }
  return input;
}

/** The one input of a layer, when it has this many axes. */
export function onlyOfRank(call: LayerCall, rank: number): KerasTensor {
  const input = only(call);
  if (input.dims.length !== rank) {
    throw misfit(call, `got an input of shape ${showDims(input.dims)}, expected ${rank} axes`);
  }
  return input;
}

/** A dimension that must be known, because weights or constants depend on it. */
export function knownDim(call: LayerCall, input: ValueInfo, axis: number): number {
  const dim = input.dims.at(axis);
  if (typeof dim === 'number') return dim;
  throw misfit(
    call,
    `got an input of shape ${showDims(input.dims)}, expected a fixed size along axis ${axis}`,
  );
}

/** `[batch, 5]`, for messages. */
export const showDims = (dims: readonly Dim[]): string => `[${dims.join(', ')}]`;

/** The error for inputs that do not suit a layer. */
export function misfit(call: LayerCall, message: string): RnnError {
  return new RnnError('SHAPE_MISMATCH', call.path, `${call.className} ${message}`);
}

/** The error for an option that is understood but not offered. */
export function unsupported(call: LayerCall, key: string, message: string): RnnError {
  return new RnnError(
    'UNSUPPORTED_OPERATOR',
    `${call.path}.${key}`,
    `${call.className} ${message}`,
  );
}

/** A float32 value that goes on, with or without the mask of the one it came from. */
export function value(name: string, dims: readonly Dim[], mask?: ValueInfo): KerasTensor {
  return { name, type: 'float32', dims, mask };
}

/** What a layer makes of `x` that only moves its numbers about. */
export function moved(
  x: ValueInfo,
  name: string,
  dims: readonly Dim[],
  mask?: ValueInfo,
): KerasTensor {
  return { name, type: x.type, dims, mask };
}
