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
export type RnnErrorCode = (typeof CODES)[number];

const CODES = [
  'NO_WEBGPU',
  'NO_ADAPTER',
  'DEVICE_LOST',
  'OUT_OF_MEMORY',
  'LIMIT_EXCEEDED',
  'FETCH_FAILED',
  'INVALID_MODEL',
  'INVALID_ARGUMENT',
  'UNSUPPORTED_OPERATOR',
  'UNSUPPORTED_FEATURE',
  'SHAPE_MISMATCH',
  'DISPOSED',
  'TIMEOUT',
  'INTERNAL',
] as const;

/** An {@link RnnError} as plain data, for `postMessage` and JSON. */
export interface RnnErrorData {
  /** Tells it from other errors. */
  readonly name: 'RnnError';
  /** As in {@link RnnError.code}. */
  readonly code: RnnErrorCode;
  /** As in {@link RnnError.path}. */
  readonly path: string;
  /** The whole message, path included. */
  readonly message: string;
  /** Where it was thrown, where the engine tells. */
  readonly stack?: string;
}

/**
 * The one error class of this package. An aborted call is the exception: it rejects with the
 * `reason` of its signal, an `AbortError` by default, as `fetch` does.
 *
 * `postMessage` turns any error of a class of its own into a plain Error: send {@link RnnError.toJSON} and
 * take it with {@link RnnError.from}.
 */
export class RnnError extends Error {
  static {
    // Minifiers rename classes; stacks and consoles read these.
    Object.defineProperty(this, 'name', { value: 'RnnError' });
    Object.defineProperty(this.prototype, 'name', { value: 'RnnError', writable: true });
  }

  /** Stable, for `switch`. */
  readonly code: RnnErrorCode;
  /** Where it went wrong, for example `graph.nodes[3].hidden` or `feeds.X`; empty when nowhere. */
  readonly path: string;

  /** The message reads `path: what, got …, expected …`. */
  constructor(code: RnnErrorCode, path: string, message: string, options?: ErrorOptions) {
    super(path === '' ? message : `${path}: ${message}`, options);
    this.code = code;
    this.path = path;
  }

  /**
   * The error again in another realm.
   *
   * @param data what {@link RnnError.toJSON} gave, or any error: one that is no RnnError becomes `INTERNAL`
   *   with it as the cause
   */
  static from(data: unknown): RnnError {
    if (data instanceof RnnError) return data;
    const { name, code, path, message, stack } = Object(data) as Partial<RnnErrorData>;
    const isData = name === 'RnnError' && typeof path === 'string' && CODES.includes(code!);
    if (!isData) return new RnnError('INTERNAL', '', String(message ?? data), { cause: data });
    const error = new RnnError(code!, path, '');
    Object.defineProperty(error, 'message', { value: String(message), configurable: true });
    if (stack !== undefined)
      Object.defineProperty(error, 'stack', { value: stack, writable: true });
    return error;
  }

  /** The error as plain data. The cause, which may be anything, is left out. */
  toJSON(): RnnErrorData {
    const { code, path, message, stack } = this;
    return { name: 'RnnError', code, path, message, ...(stack !== undefined && { stack }) };
  }
}
