// Bytes → a stream that computes without promises. Everything is imported statically: an audio thread cannot load more code.
import type { StreamSession } from '../backends/backend.ts';
import { checkOptions } from '../backends/check-options.ts';
import { streamGraph } from '../backends/stateful-graph.ts';
import { sessionOf } from '../backends/wasm/wasm-session.ts';
import { RnnError } from '../errors.ts';
import { isGraphSource, validateGraph, type Graph } from '../graph.ts';
import { importOnnx } from '../import/onnx/index.ts';
import { STREAM_OPTIONS, type StreamOptions } from '../load-options.ts';
import { registerOperators, simplify } from '../operators.ts';
import { refuseMissingOperators } from '../ops/missing.ts';
import { compileKernelsAtOnce } from './kernels.ts';
import type { WorkletModel } from './protocol.ts';

/** A model in the audio thread. */
export interface LoadedModel {
  readonly graph: Graph;
  readonly stream: StreamSession;
  /** Inputs and outputs of the graph that are state of the stream. */
  readonly state: ReadonlySet<string>;
  readonly dispose: () => void;
}

function read(model: WorkletModel): Graph {
  if (isGraphSource(model as Graph)) return model as Graph;
  if (model instanceof Uint8Array) return importOnnx(model);
  if (model instanceof ArrayBuffer) return importOnnx(new Uint8Array(model));
  const what = `got ${Object.prototype.toString.call(model)}, expected the bytes of an ONNX file, or a Graph`;
  throw new RnnError('INVALID_ARGUMENT', 'options.model', what);
}

/**
 * Loads a model in the calling thread.
 *
 * @throws RnnError as `loadModel` and `model.stream` do, and `UNSUPPORTED_FEATURE` without WebAssembly with SIMD
 */
export function loadInThread(source: WorkletModel, options: StreamOptions = {}): LoadedModel {
  checkOptions(options, STREAM_OPTIONS);
  const imported = read(source);
  validateGraph(imported);
  registerOperators();
  refuseMissingOperators(imported);
  const graph = simplify(imported);
  const session = sessionOf(graph, compileKernelsAtOnce());
  const streamed = streamGraph(graph, options);
  const stream = session.stream(streamed, options.batch ?? 1);
  const state = new Set(Object.entries(options.state ?? {}).flat());
  return { graph, stream, state, dispose: () => session.dispose() };
}
