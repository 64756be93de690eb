// What the load benchmark runs and what it measures, for its Node half and its browser half.

/** An input of a model: its numbers, or `size` equal ones. */
export interface Feed {
  readonly type: 'float32' | 'int64';
  readonly dims: readonly number[];
  readonly size?: number;
  readonly data?: readonly number[];
}

/** A model file and its inputs. */
export interface LoadCase {
  readonly name: string;
  readonly file: string;
  readonly bytes: number;
  readonly feeds: Readonly<Record<string, Feed>>;
}

/** Cost of one load and one run. Bytes are those beyond what the engine held before the load. */
export interface LoadCost {
  readonly loadMs: number;
  /** The first run: it uploads the weights and compiles, unless the load did so. */
  readonly firstRunMs: number;
  /** Peak resident bytes of all processes together. */
  readonly peakBytes: number;
  /** Resident bytes of all processes together after the run. */
  readonly keptBytes: number;
  /** Bytes of JavaScript after the run: heap and array buffers. */
  readonly jsKeptBytes: number;
  /** Sum of all outputs, to compare engines. */
  readonly sum: number;
}
