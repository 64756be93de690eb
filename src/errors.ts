/** What went wrong, for programs. The message of an {@link RnnError} says it for people. */
export type RnnErrorCode =
  | 'NO_WEBGPU'
  | 'NO_ADAPTER'
  | 'DEVICE_LOST'
  | 'OUT_OF_MEMORY'
  | 'LIMIT_EXCEEDED'
  | 'INVALID_MODEL'
  | 'INVALID_ARGUMENT'
  | 'UNSUPPORTED_OPERATOR'
  | 'SHAPE_MISMATCH'
  | 'DISPOSED'
  | 'TIMEOUT';

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

/** Ends a branch that the types rule out but a caller from JavaScript may still reach. */
export function unreachable(value: never, path: string): never {
  throw new RnnError('INVALID_ARGUMENT', path, `unexpected value ${String(value)}`);
}
