// A source becomes a graph, and the graph a model on a backend.
import { abortable, checkSignal } from './backends/abort.ts';
import type { Session } from './backends/backend.ts';
import { checkOptions } from './backends/check-options.ts';
import type { CpuOptions } from './backends/wasm/session.ts';
import type { RecoveringSession } from './backends/webgpu/recovering-session.ts';
import { RnnError } from './errors.ts';
import type { Lease } from './gpu/device.ts';
import { isGraphSource, validateGraph, type Graph } from './graph.ts';
import type { ModelSource } from './import/source.ts';
import { checkDevice, LOAD_OPTIONS, recoveryOf, type LoadOptions } from './load-options.ts';
import { Model } from './model.ts';
import { refuseMissingOperators, usesOnlyRecurrence } from './ops/missing.ts';
import type { PlanOptions } from './plan/lowering.ts';
import { planOptionsOf } from './plan/options.ts';

// Each backend is a chunk of its own, so that a page loads only the one it computes on.

/** Begins to look for a device, which takes as long as reading a file. Where it fails, makeSession says so. */
function beginWebGpu(own: GPUDevice | undefined, timeout: number | undefined): Promise<Lease> {
  const lease = import('./backends/webgpu/recovering-session.ts').then(
    ({ DEFAULT_TIMEOUT, leaseDevice }) => leaseDevice(own, timeout ?? DEFAULT_TIMEOUT),
  );
  lease.catch(() => undefined);
  return lease;
}

async function webgpuSession(
  graph: Graph,
  plan: PlanOptions,
  lease: Promise<Lease>,
  options: LoadOptions,
): Promise<RecoveringSession> {
  const { limits, timeout, signal, onDeviceLost } = options;
  const { RecoveringSession } = await import('./backends/webgpu/recovering-session.ts');
  // Weakly: the callback may refer to the model, which must be collectable while its session is not.
  const listener = onDeviceLost && new WeakRef(onDeviceLost);
  return RecoveringSession.create(graph, plan, await abortable(lease, signal), {
    limits,
    timeout,
    ...recoveryOf(options),
    tell: (loss) => listener?.deref()?.(loss),
  });
}

/** The listeners of models, for as long as these live. */
const listeners = new WeakMap<Model, LoadOptions['onDeviceLost']>();

async function referenceSession(graph: Graph, { limits }: CpuOptions): Promise<Session> {
  const { ReferenceSession } = await import('./backends/reference/session.ts');
  return new ReferenceSession(graph, limits);
}

async function wasmSession(graph: Graph, options: CpuOptions): Promise<Session> {
  const backend = await import('./backends/wasm/wasm-session.ts');
  return backend.wasmSession(graph, options);
}

async function jsSession(graph: Graph, options: CpuOptions): Promise<Session> {
  const backend = await import('./backends/wasm/js-session.ts');
  return backend.jsSession(graph, options);
}

/** The best of the CPU's backends, for `'auto'` without an adapter. */
async function cpuSession(
  graph: Graph,
  reason: string,
  options: CpuOptions,
): Promise<{ session: Session; reason: string }> {
  try {
    return { session: await wasmSession(graph, options), reason };
  } catch (error) {
    if (!(error instanceof RnnError) || error.code !== 'UNSUPPORTED_FEATURE') throw error;
    return { session: await jsSession(graph, options), reason: `${reason}; ${error.message}` };
  }
}

/** Options that say how a GPU computes; with one of them `'auto'` takes a GPU where there is one. */
const GPU_OPTIONS = [
  'weights',
  'arithmetic',
  'tune',
  'recurrentKernel',
  'wavefront',
  'subgroups',
  'selfCheck',
] as const satisfies readonly (keyof LoadOptions)[];

/** The backends that need no adapter, by the name that asks for them. */
const WITHOUT_ADAPTER = new Map<LoadOptions['device'], typeof wasmSession>([
  ['wasm', wasmSession],
  ['js', jsSession],
  ['reference', referenceSession],
]);

async function makeSession(
  graph: Graph,
  options: LoadOptions,
  lease: Promise<Lease> | undefined,
): Promise<{ session: Session; reason: string }> {
  const { device = 'auto', limits } = options;
  const plan = planOptionsOf(options);
  const onCpu = { limits, weights: plan.weights };
  if (lease === undefined) {
    const make = WITHOUT_ADAPTER.get(device)!;
    return { session: await make(graph, onCpu), reason: 'asked for' };
  }
  if (typeof device !== 'string') {
    const session = await webgpuSession(graph, plan, lease, options);
    return { session, reason: 'the app brought its device' };
  }
  try {
    const session = await webgpuSession(graph, plan, lease, options);
    if (device === 'webgpu') return { session, reason: 'asked for' };
    const forGpu = GPU_OPTIONS.find((name) => options[name] !== undefined);
    if (forGpu) return { session, reason: `WebGPU is available, and '${forGpu}' is for GPUs` };
    const { makeAutoSession } = await import('./auto/index.ts');
    return await makeAutoSession(graph, session, (await lease).gpu, plan, limits);
  } catch (error) {
    const missing =
      error instanceof RnnError && (error.code === 'NO_WEBGPU' || error.code === 'NO_ADAPTER');
    if (device === 'webgpu' || !missing) throw error;
    return cpuSession(graph, error.message, onCpu);
  }
}

/** The graph of a source, checked and simplified. */
async function loadGraph(source: ModelSource, options: LoadOptions): Promise<Graph> {
  const { signal, limits, format, architecture, cells, onProgress, integrity, device } = options;
  let graph: Graph;
  if (isGraphSource(source)) {
    if (integrity !== undefined) {
      const what = 'got hashes for a graph made in code, expected none';
      throw new RnnError('INVALID_ARGUMENT', 'options.integrity', what);
    }
    graph = source;
  } else {
    const { importSource } = await import('./import/index.ts');
    const how = { signal, onProgress, limits, format, architecture, cells, integrity };
    graph = await importSource(source, how);
    checkSignal(signal);
  }
  validateGraph(graph);
  if (usesOnlyRecurrence(graph)) return graph;
  // The session will ask for them next.
  if (!WITHOUT_ADAPTER.has(device)) import('./kernels.ts').catch(() => undefined);
  const { registerOperators, simplify } = await import('./operators.ts');
  registerOperators();
  refuseMissingOperators(graph);
  graph = simplify(graph);
  checkSignal(signal);
  return graph;
}

/**
 * Loads a model and makes it ready to run.
 *
 * @param source URL or path, bytes, a Blob, `{ name: bytes }` for models of several files, or a
 *   {@link Graph} made in code. Bytes may be changed or transferred when the model is there; the arrays
 *   of a Graph are the model's from then on.
 * @throws RnnError `FETCH_FAILED` with the URL and its status, `INVALID_MODEL` with the path of the
 *   fault, `UNSUPPORTED_OPERATOR` naming the operator, its node and what there is, `LIMIT_EXCEEDED`,
 *   `UNSUPPORTED_FEATURE`, `NO_WEBGPU`, `NO_ADAPTER`, `TIMEOUT`, `DEVICE_LOST` for a device of the app
 *   that is lost; the reason of the signal when it is aborted
 * @example
 * ```ts
 * const model = await loadModel('/models/silero_vad.onnx');
 * ```
 */
export async function loadModel(source: ModelSource, options: LoadOptions = {}): Promise<Model> {
  checkOptions(options, LOAD_OPTIONS);
  const { signal, device, timeout } = options;
  checkDevice(device);
  if (source === undefined || source === null) {
    const what = `got ${String(source)}, expected a URL, a path, bytes, files by name, or a Graph`;
    throw new RnnError('INVALID_ARGUMENT', 'source', what);
  }
  checkSignal(signal);
  if (timeout !== undefined && !(timeout > 0)) {
    const what = `got ${String(timeout)}, expected milliseconds above 0`;
    throw new RnnError('INVALID_ARGUMENT', 'options.timeout', what);
  }
  recoveryOf(options); // refuses what is wrong
  const own = typeof device === 'object' ? device : undefined;
  const lease = WITHOUT_ADAPTER.has(device) ? undefined : beginWebGpu(own, timeout);
  try {
    const graph = await loadGraph(source, options);
    const { session, reason } = await makeSession(graph, options, lease);
    const model = new Model(graph, session, reason, options.limits);
    listeners.set(model, options.onDeviceLost);
    return model;
  } catch (error) {
    lease?.then(
      ({ release }) => release(),
      () => undefined, // there is nothing to give back
    );
    throw error;
  }
}
