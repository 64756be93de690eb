// Checks the calls of one graph, and specializes the graph to their shapes: once for each shape.
import { checkIndices, type IndexCheck } from '../plan/specialize/index-checks.ts';
import { RnnError } from '../errors.ts';
import { checkFeeds, isGpuTensor, type Feeds } from '../feeds.ts';
import type { Graph, ValueInfo } from '../graph.ts';
import type { HostValue } from '../ops/operator.ts';
import { toHost } from '../ops/value.ts';
import { uploadArray, type DeviceArray } from '../plan/device-array.ts';
import { specializeGraph } from '../plan/specialize/infer.ts';
import type {
  CallShapes,
  EvaluatorOptions,
  LengthCheck,
  SpecializedGraph,
} from '../plan/specialize/infer.ts';
import { hostInputsOf, refuseFloatShapeInputs } from '../plan/specialize/shape-inputs.ts';

// An input whose numbers decide shapes is part of the key of a plan, so it should be small.
const MAX_HOST_INPUT = 1024;

/** Shapes whose checks are remembered. */
const MAX_SHAPES = 64;

/** Arrays for a device, by the name of their input. */
export type Uploads = readonly (readonly [name: string, data: DeviceArray])[];

/** Copies: a caller may reuse its arrays as soon as its call returns. */
export const ownedUploads = (uploads: Uploads): Uploads =>
  uploads.map(([name, data]) => [name, data.slice()] as const);

/** The shapes of a call that has been checked, with the graph specialized to them. */
export class CheckedCall {
  /** The same for calls that can use the same plan. */
  readonly key: string;
  readonly lengths: readonly LengthCheck[];
  readonly indices: readonly IndexCheck[];
  readonly #specialize: () => SpecializedGraph;
  #specialized: SpecializedGraph | undefined;

  constructor(key: string, specialize: () => SpecializedGraph) {
    this.key = key;
    this.#specialize = specialize;
    this.#specialized = specialize();
    this.lengths = this.#specialized.lengths;
    this.indices = this.#specialized.indices;
  }

  /** What plans are made from. */
  get specialized(): SpecializedGraph {
    return (this.#specialized ??= this.#specialize());
  }

  /** Frees the nodes and numbers of the specialized graph, when the last plan is made. */
  release(): void {
    this.#specialized = undefined;
  }
}

/** The sizes of an input that has no free dimension. */
function fixedDims({ dims }: ValueInfo): readonly number[] | undefined {
  const fixed = dims.filter((dim) => typeof dim === 'number');
  return fixed.length === dims.length ? fixed : undefined;
}

/** Checks calls of one graph. Makes no plan and touches no device. */
export class CallChecker {
  readonly #graph: Graph;
  readonly #options: EvaluatorOptions;
  readonly #host: ReadonlySet<string>;
  readonly #calls = new Map<string, CheckedCall>();
  readonly #takesGpu: boolean;

  /**
   * A graph from a file whose inputs have one shape is specialized at once, so that a load refuses
   * declarations that contradict the nodes. Otherwise the first call of a shape does.
   *
   * @param takesGpu whether feeds may be on the GPU
   * @throws RnnError `UNSUPPORTED_OPERATOR` where numbers that are no integers decide what runs,
   *   `INVALID_MODEL` for such declarations
   */
  constructor(graph: Graph, options: EvaluatorOptions, takesGpu = false) {
    this.#takesGpu = takesGpu;
    this.#graph = graph;
    this.#options = options;
    this.#host = hostInputsOf(graph);
    refuseFloatShapeInputs(graph);
    const dims = new Map<string, readonly number[]>();
    for (const input of graph.inputs) {
      const fixed = fixedDims(input);
      if (fixed) dims.set(input.name, fixed);
    }
    if (!graph.declared || this.#host.size > 0 || dims.size < graph.inputs.length) return;
    this.#callOf({ dims, host: new Map() });
  }

  /**
   * Indices and lengths that are on the GPU are not looked at; the kernels read nothing outside of their buffers.
   *
   * @throws RnnError for feeds that do not fit the graph, before any work is done
   */
  check(feeds: Feeds): CheckedCall {
    checkFeeds(this.#graph.inputs, feeds, this.#takesGpu);
    const call = this.#call(feeds);
    for (const check of call.indices) {
      const feed = feeds[check.input]!;
      if (!isGpuTensor(feed)) checkIndices(check, feed);
    }
    for (const { input, steps } of call.lengths) {
      const feed = feeds[input]!;
      if (isGpuTensor(feed)) continue;
      const { data } = feed;
      const wrong = Array.from(data as Int32Array).findIndex(
        (length) => length < 0 || length > steps,
      );
      if (wrong >= 0) {
        throw new RnnError(
          'SHAPE_MISMATCH',
          `feeds.${input}[${wrong}]`,
          `length, got ${data[wrong]}, expected 0 to ${steps}, the time steps of its sequence`,
        );
      }
    }
    return call;
  }

  /** The call of such shapes, which is made when they come for the first time. */
  #call(feeds: Feeds): CheckedCall {
    return this.#callOf(this.#shapesOf(feeds));
  }

  /** A call of some shapes, whatever is fed; it is not remembered. @throws RnnError where the graph refuses them */
  callAt(dims: ReadonlyMap<string, readonly number[]>): CheckedCall {
    const shapes = { dims, host: new Map<string, HostValue>() };
    return new CheckedCall('', () => specializeGraph(this.#graph, shapes, this.#options));
  }

  #callOf(shapes: CallShapes): CheckedCall {
    const key = JSON.stringify([
      [...shapes.dims.values()],
      ...[...shapes.host.values()].map(({ data }) => Array.from(data)),
    ]);
    let call = this.#calls.get(key);
    if (!call) {
      call = new CheckedCall(key, () => specializeGraph(this.#graph, shapes, this.#options));
      const [oldest] = this.#calls.keys();
      if (this.#calls.size >= MAX_SHAPES) this.#calls.delete(oldest!);
      this.#calls.set(key, call);
    }
    return call;
  }

  #shapesOf(feeds: Feeds): CallShapes {
    const dims = new Map<string, readonly number[]>();
    const host = new Map<string, HostValue>();
    for (const { name } of this.#graph.inputs) {
      const feed = feeds[name]!;
      dims.set(name, [...feed.dims]);
      if (!this.#host.has(name)) continue;
      if (isGpuTensor(feed)) {
        const what = 'decides shapes: got a tensor on the GPU, expected one with numbers';
        throw new RnnError('INVALID_ARGUMENT', `feeds.${name}`, what);
      }
      if (feed.data.length > MAX_HOST_INPUT) {
        throw new RnnError(
          'LIMIT_EXCEEDED',
          `feeds.${name}`,
          `has ${feed.data.length} elements; an input that decides shapes may have ${MAX_HOST_INPUT}`,
        );
      }
      host.set(name, toHost(feed, `feeds.${name}`));
    }
    return { dims, host };
  }

  /**
   * What is uploaded of some feeds: all but those on the GPU and those whose numbers are part of the plan.
   *
   * @throws RnnError `LIMIT_EXCEEDED` for integers beyond 32 bits
   */
  uploadsOf(feeds: Feeds): Uploads {
    return this.#graph.inputs.flatMap(({ name }) => {
      const feed = feeds[name];
      const isUploaded = feed !== undefined && !isGpuTensor(feed) && !this.#host.has(name);
      return isUploaded ? [[name, uploadArray(name, feed)] as const] : [];
    });
  }
}
