/**
 * What went wrong, for programs. The message of an {@link RnnError} says it for people.
 *
 * - `NO_WEBGPU`, `NO_ADAPTER`: WebGPU was required and is not there, or offers no adapter.
 * - `TIMEOUT`: the platform did not answer in time, see `timeout` of `loadModel`.
 * - `DEVICE_LOST`: the GPU went away. `OUT_OF_MEMORY`: it has no room.
 * - `LIMIT_EXCEEDED`: something is larger than a limit of the device or of the caller.
 * - `FETCH_FAILED`: a file could not be fetched or read; the network, the server or the disk is at fault.
 * - `INVALID_MODEL`, `INVALID_ARGUMENT`, `SHAPE_MISMATCH`: a file, an argument or a shape is wrong.
 * - `UNSUPPORTED_OPERATOR`: the model has an operation that this package or this backend lacks.
 * - `UNSUPPORTED_FEATURE`: an option needs a feature that the device was made without.
 * - `DISPOSED`: the model or the stream was disposed of.
 * - `INTERNAL`: a fault of this package or of the driver, such as a shader that does not compile.
 */
export type RnnErrorCode =
  | 'NO_WEBGPU'
  | 'NO_ADAPTER'
  | 'DEVICE_LOST'
  | 'OUT_OF_MEMORY'
  | 'LIMIT_EXCEEDED'
  | 'FETCH_FAILED'
  | 'INVALID_MODEL'
  | 'INVALID_ARGUMENT'
  | 'UNSUPPORTED_OPERATOR'
  | 'UNSUPPORTED_FEATURE'
  | 'SHAPE_MISMATCH'
  | 'DISPOSED'
  | 'TIMEOUT'
  | 'INTERNAL';

/**
 * The one error class of this package. An aborted call is the exception: it rejects with the
 * `reason` of its signal, an `AbortError` by default, as `fetch` does.
 */
export class RnnError extends Error {
  /** Stable, for `switch`. */
  readonly code: RnnErrorCode;
  /** Where it went wrong, for example `graph.nodes[3].hidden` or `feeds.X`; empty when nowhere. */
  readonly path: string;

  /** The message reads `path: what, got …, expected …`. */
  constructor(code: RnnErrorCode, path: string, message: string, options?: ErrorOptions) {
    super(path === '' ? message : `${path}: ${message}`, options);
    this.name = 'RnnError';
    this.code = code;
    this.path = path;
  }
}
