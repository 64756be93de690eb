// What a user holds to run a model step by step.
import { RnnError } from './errors.ts';
import type { ValueInfo } from './graph.ts';
import type { Feeds, GpuTensor, StreamSession, Tensors } from './backends/backend.ts';
import { checkOptions } from './backends/check-options.ts';
import { disposeWhenCollected, forgetCollected } from './backends/finalize.ts';
import type { ChunkRule, StreamedGraph } from './backends/stateful-graph.ts';
import { asSteps, joinSteps, splitFeeds, stepAt, stepsFrom } from './backends/step-tensors.ts';
import type { TracedResults } from './backends/trace.ts';
import { tracedCall } from './backends/traced-call.ts';
import type { Tensor } from './tensor.ts';

/** Options of one `run` or `step`. */
export interface CallOptions {
  /** Ends the call with the reason of the signal, `AbortError` by default. */
  readonly signal?: AbortSignal;
  /** Names of the outputs to compute; all of them when left out. */
  readonly outputs?: readonly string[];
}

/** Asks a `run` or `step` for a look inside. */
export interface TraceOptions {
  /** Names of the recurrent layers to trace: of nodes of the graph, as `inspect` lists them. */
  readonly trace: readonly string[];
}

/**
 * The recurrent state of a stream: tensors by name. It survives `structuredClone` and
 * `JSON.parse(JSON.stringify(state))`, so that it can be stored and sent.
 */
export type StreamState = Readonly<Record<string, Tensor>>;

/** The names of {@link CallOptions}, for checks. */
export const CALL_OPTIONS = { signal: true, outputs: true } as const;

/** No options: a call in an audio thread does not look through them. */
export const NO_OPTIONS = {} as const;

/** What a call takes that ends before anybody could abort it. */
export const SYNC_OPTIONS = { outputs: true } as const;

/** Options of {@link Model.runSync} and {@link Stream.stepSync}. */
export type SyncOptions = Pick<CallOptions, 'outputs'>;

/** The names of the options of a step. */
export const STEP_OPTIONS = { ...CALL_OPTIONS, trace: true } as const;

/** Where the outputs of a `run` or `step` go. */
export interface OutputOption {
  /** `'cpu'` (default) reads them back; `'gpu'` leaves each in a buffer of its own, which is the caller's. */
  readonly output?: 'cpu' | 'gpu';
}

/** The names of the options of a `run` or `step`, for checks. */
export const RUN_OPTIONS = { ...CALL_OPTIONS, output: true, trace: true } as const;

/**
 * Whether the outputs of a call stay on the GPU.
 *
 * @throws RnnError `INVALID_ARGUMENT` for another place, and for a trace of such outputs
 */
export function staysOnGpu({ output, trace }: OutputOption & Partial<TraceOptions>): boolean {
  if (output !== undefined && output !== 'cpu' && output !== 'gpu') {
    const what = `got '${String(output)}', expected 'cpu' or 'gpu'`;
    throw new RnnError('INVALID_ARGUMENT', 'options.output', what);
  }
  if (output === 'gpu' && trace !== undefined) {
    const what = 'got a trace of outputs that stay on the GPU, expected one of the two';
    throw new RnnError('INVALID_ARGUMENT', 'options.trace', what);
  }
  return output === 'gpu';
}

/** The error for what only a model on a GPU has. */
export const needsGpu = (path: string): RnnError =>
  new RnnError(
    'INVALID_ARGUMENT',
    path,
    `needs the webgpu backend, got a model on another one: load with device: 'webgpu'`,
  );

/** @throws RnnError `INVALID_ARGUMENT` for a name that is no output */
export function outputNames(
  all: readonly ValueInfo[],
  wanted: readonly string[] | undefined,
): readonly string[] {
  const names = all.map(({ name }) => name);
  if (wanted !== undefined && !Array.isArray(wanted)) {
    const what = `got ${JSON.stringify(wanted)}, expected a list of ${names.join(', ')}`;
    throw new RnnError('INVALID_ARGUMENT', 'options.outputs', what);
  }
  const wrong = wanted?.findIndex((name) => !names.includes(name)) ?? -1;
  if (wrong >= 0) {
    throw new RnnError(
      'INVALID_ARGUMENT',
      `options.outputs[${wrong}]`,
      `got '${wanted![wrong]}', expected one of ${names.join(', ')}`,
    );
  }
  return wanted ?? names;
}

/** @internal @throws RnnError `SHAPE_MISMATCH` for a chunk that ends within a stride */
export function checkChunk({ multiple, time }: ChunkRule, feeds: Feeds): void {
  if (multiple === 1) return;
  for (const [name, axis] of time) {
    const size = feeds[name]?.dims?.[axis];
    if (size === undefined || size % multiple === 0) continue;
    const what = `steps of a chunk, got ${size}, expected a multiple of ${multiple}`;
    throw new RnnError('SHAPE_MISMATCH', `feeds.${name}.dims[${axis}]`, what);
  }
}

/** The error for a synchronous call of what a GPU computes. */
export const notSynchronous = (path: string, other: string): RnnError =>
  new RnnError(
    'INVALID_ARGUMENT',
    path,
    `got a model on webgpu, whose results only come later, expected one on wasm or reference: use ` +
      `${other}, or load with device: 'wasm'`,
  );

/**
 * A model with a recurrent state of its own, kept on the device between steps. Made by
 * `model.stream()`. Calls may overlap: they take effect in the order they are made.
 *
 * @example
 * ```ts
 * const stream = model.stream({ state: { stateN: 'state' } });
 * for (const frame of frames) {
 *   const { output } = await stream.step({ input: tensor(frame, [1, 576]), sr });
 * }
 * ```
 */
export class Stream {
  readonly #session: StreamSession;
  readonly #outputs: readonly ValueInfo[];
  /** The model, which must not be collected before its streams. */
  readonly #owner: object;
  /** Names of the state tensors, as in {@link Stream.snapshot}. */
  readonly stateNames: readonly string[];

  readonly #streamed: StreamedGraph;

  /** @internal */
  constructor(
    session: StreamSession,
    outputs: readonly ValueInfo[],
    streamed: StreamedGraph,
    owner: object,
  ) {
    this.#session = session;
    this.#outputs = outputs;
    this.#streamed = streamed;
    this.#owner = owner;
    this.stateNames = streamed.slots.map(({ input }) => input);
    disposeWhenCollected(this, session, 'Stream');
  }

  /**
   * Runs the next chunk of the sequence, of any number of time steps, and moves the state on.
   *
   * @param feeds tensors by input name, on a GPU as for {@link Model.run}; inputs that a state is fed back to
   *   may be left out, and replace the state where they are given
   * @returns tensors by output name
   * @throws RnnError as `run` does, `SHAPE_MISMATCH` also for a batch of another size than the state
   *   has, and for a chunk that ends within the steps of a strided convolution or pooling. The state is as
   *   before where a step fails or is aborted before its work is submitted, and where the device refuses
   *   the work. Once the work is submitted the state moves on, and {@link Stream.steps} counts it, even where its
   *   results cannot be read or the step is aborted then. `DEVICE_LOST` with the path `stream`, once after a
   *   loss of the GPU that took the state with it: the next step begins anew.
   */
  step(
    feeds: Feeds,
    options?: CallOptions & { readonly output?: 'cpu' },
  ): Promise<Record<string, Tensor>>;
  /** The same with outputs that stay on the GPU, each in a buffer that is the caller's to destroy. */
  step(
    feeds: Feeds,
    options: CallOptions & { readonly output: 'gpu' },
  ): Promise<Record<string, GpuTensor>>;
  /** The same with a look inside, as {@link Model.run} has it: the traced steps go on from the state. */
  step(
    feeds: Feeds,
    options: CallOptions & TraceOptions & { readonly output?: 'cpu' },
  ): Promise<TracedResults>;
  async step(
    feeds: Feeds,
    options: CallOptions & OutputOption & Partial<TraceOptions> = {},
  ): Promise<Record<string, Tensor> | Record<string, GpuTensor>> {
    checkOptions(options, RUN_OPTIONS);
    const outputs = outputNames(this.#outputs, options.outputs);
    checkChunk(this.#streamed.chunk, feeds);
    const { trace, signal } = options;
    if (staysOnGpu(options)) {
      if (!this.#session.stepOnGpu) throw needsGpu('options.output');
      return await this.#session.stepOnGpu(feeds, outputs, signal);
    }
    if (trace !== undefined) {
      const step = (all: readonly string[]): Promise<Record<string, Tensor>> =>
        this.#session.step(feeds, all, signal);
      return await tracedCall(this.#streamed.graph, trace, outputs, step);
    }
    // Waiting here, the call keeps the stream from being collected.
    return await this.#session.step(feeds, outputs, signal);
  }

  /**
   * {@link Stream.step} without a promise, for callers that cannot wait, such as audio worklets. It computes
   * in the calling thread.
   *
   * @throws RnnError as `step` does; `INVALID_ARGUMENT` on webgpu, whose results only come later
   * @example
   * ```ts
   * const { gain } = stream.stepSync({ frame: tensor(samples, [1, 1, 480]) });
   * ```
   */
  stepSync(feeds: Tensors, options: SyncOptions = NO_OPTIONS): Record<string, Tensor> {
    if (options !== NO_OPTIONS) checkOptions(options, SYNC_OPTIONS);
    checkChunk(this.#streamed.chunk, feeds);
    const outputs = outputNames(this.#outputs, options.outputs);
    if (this.#session.stepSync) return this.#session.stepSync(feeds, outputs);
    throw notSynchronous('stream.stepSync', 'step');
  }

  /**
   * Many steps in one call, for a sequence that is there already, such as a recording: the same numbers and the same state
   * as that many calls of {@link Stream.step}. WebGPU reads nothing back in between. On the CPU what does not depend on
   * the state is computed for many steps at once, where the batch dimension of the model is free and its rows are
   * independent; that saves the calls, and reads large weights less often.
   *
   * @param feeds inputs with an axis of steps in front, [steps, …]; those without are the same for all steps, and those of a
   *   state are for the first one
   * @returns outputs with an axis of steps in front
   * @throws RnnError as {@link Stream.step} does; `SHAPE_MISMATCH` also where no input has an axis of steps, or they have
   *   different numbers of steps. Steps before one that fails are in the state
   * @example
   * ```ts
   * const { output } = await stream.stepMany({ input: tensor(frames, [count, 1, 576]), sr });
   * ```
   */
  async stepMany(feeds: Tensors, options: CallOptions = {}): Promise<Record<string, Tensor>> {
    checkOptions(options, CALL_OPTIONS);
    const outputs = outputNames(this.#outputs, options.outputs);
    const { steps, same, each } = splitFeeds(this.#streamed.graph.inputs, feeds);
    checkChunk(this.#streamed.chunk, { ...same, ...stepAt(each, 0) });
    const session = this.#session;
    const { signal } = options;
    const states = new Set(this.stateNames);
    const later = Object.fromEntries(Object.entries(same).filter(([name]) => !states.has(name)));
    const parts: Promise<Record<string, Tensor>>[] = [];
    // All calls are made before any is waited for: what the caller does next comes after them.
    for (let at = 0; at < steps;) {
      const given = at === 0 ? same : later;
      const left = { steps: steps - at, same: given, each: stepsFrom(each, at, steps - at) };
      if (session.stepRows) parts.push(session.stepRows(left, outputs, signal));
      else if (session.stepMany)
        parts.push(session.stepMany(given, left.steps, left.each, outputs, signal));
      else {
        parts.push(
          session.step({ ...given, ...stepAt(each, at++) }, outputs, signal).then(asSteps),
        );
        continue;
      }
      break;
    }
    return joinSteps(await Promise.all(parts));
  }

  /**
   * Makes ready what steps of such feeds need, as `model.warmUp` does for runs, and leaves the state
   * as it is.
   *
   * @throws RnnError as {@link Stream.step} does
   */
  async warmUp(feeds: Feeds, options: CallOptions = {}): Promise<void> {
    checkOptions(options, CALL_OPTIONS);
    const outputs = outputNames(this.#outputs, options.outputs);
    checkChunk(this.#streamed.chunk, feeds);
    await this.#session.warmUp(feeds, outputs, options.signal);
  }

  /**
   * How many steps there are in the state that the next call goes on from: those that were submitted since the
   * stream began, or since it was last reset or restored. A step that waits is not among them, nor is one that
   * the device has refused. After a loss of the GPU it is the number of the checkpoint, so that the next step to
   * send is the one with this index; 0 where there is none.
   *
   * @example
   * ```ts
   * const stream = model.stream({ checkpoint: 10 });
   * while (stream.steps < frames.length) {
   *   try {
   *     await stream.step({ X: frames[stream.steps] });
   *   } catch (error) {
   *     if (!(error instanceof RnnError && error.code === 'DEVICE_LOST')) throw error;
   *     await recovered; // of the DeviceLoss that onDeviceLost was told of; rejects where there is no other GPU
   *   }
   * }
   * ```
   */
  get steps(): number {
    return this.#session.steps;
  }

  /** Back to the initial state, after the steps called before. */
  reset(): void {
    this.#session.reset();
  }

  /** The state after the steps called before; empty when there was none. @throws RnnError as `step` does */
  async snapshot(): Promise<StreamState> {
    return await this.#session.snapshot();
  }

  /**
   * Takes a state from `snapshot`, of this stream or another of the same model, or what JSON has made of
   * one.
   *
   * @throws RnnError `INVALID_ARGUMENT` or `SHAPE_MISMATCH` when it is the state of something else
   */
  restore(state: StreamState): void {
    this.#session.restore(state);
  }

  /** A second stream that goes on from the state of this one, independently. */
  fork(): Stream {
    return new Stream(this.#session.fork(), this.#outputs, this.#streamed, this.#owner);
  }

  /**
   * Frees the state, after the calls made before. Further calls reject with `DISPOSED`; a second dispose
   * does nothing.
   */
  dispose(): void {
    forgetCollected(this);
    this.#session.dispose();
  }

  /** Same as {@link Stream.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}
