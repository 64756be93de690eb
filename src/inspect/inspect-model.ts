// The work of `inspect`: read, look for what is missing, simplify as a load does, plan without a GPU.
import { RnnError } from '../errors.ts';
import { isGraph, isGraphSource, validateGraph, type Graph, type Node } from '../graph.ts';
import { importSource } from '../import/index.ts';
import type { ModelSource } from '../import/source.ts';
import type {
  InspectedCpu,
  InspectedLayer,
  InspectedPlan,
  InspectOptions,
  Inspection,
} from './types.ts';
import { registerKernels } from '../kernels.ts';
import { registerOperators, simplify } from '../operators.ts';
import { missingOperators } from '../ops/missing.ts';
import { DEFAULT_PROFILE } from '../plan/select/device-profile.ts';
import { formatPlan } from '../plan/format-plan.ts';
import { formatSelections } from '../plan/format-selections.ts';
import { hostInputsOf, refuseFloatShapeInputs } from '../plan/specialize/shape-inputs.ts';
import { makePlan, type PlanRequest } from '../plan/index.ts';
import type { PlanOptions } from '../plan/lowering.ts';
import { planOptionsOf } from '../plan/options.ts';
import { specializeGraph, type PlannedNode } from '../plan/specialize/infer.ts';
import { kernelsOf, runsOf } from '../plan/types.ts';
import type { Plan } from '../plan/types.ts';
import { checkSignal } from '../backends/abort.ts';
import type { Tensor } from '../tensor.ts';
import { inspectCpu } from './cpu.ts';
import { sumOf, weightsIn, weightsOf } from './parameters.ts';
import { shapesOf, valuesOf } from './sizes.ts';

/** Says what is in a model; see `inspect`. */
export async function inspectModel(
  source: ModelSource,
  options: InspectOptions,
): Promise<Inspection> {
  const plan = planOptionsOf(options);
  const file = await readGraph(source, options);
  validateGraph(file);
  registerOperators();
  registerKernels();
  const weights = weightsOf(file);
  const unsupported = missingOperators(file);
  const graph = unsupported.length > 0 ? file : simplify(file);
  const common = {
    name: file.name,
    inputs: file.inputs,
    outputs: file.outputs,
    parameters: sumOf(weights),
    bytes: [...weights].reduce((sum, [{ data }, n]) => sum + n * data.BYTES_PER_ELEMENT, 0),
    unsupported,
    hostInputs: [...hostInputsOf(graph)],
  };
  const planned = planOf(graph, options, common.hostInputs, unsupported.length > 0, plan);
  if (typeof planned === 'string') {
    const layers = listNodes(graph, 'graph');
    return { ...common, layers, plan: undefined, cpu: undefined, unplanned: planned };
  }
  return { ...common, ...planned, unplanned: undefined };
}

async function readGraph(source: ModelSource, options: InspectOptions): Promise<Graph> {
  const { format, architecture, cells, integrity, limits, signal, onProgress } = options;
  checkSignal(signal);
  if (isGraphSource(source)) return source;
  const how = { format, architecture, cells, integrity, limits, signal, onProgress };
  return importSource(source, how);
}

/** The nodes as they are written, branches after the node that chooses. */
function listNodes(
  graph: Graph,
  path: string,
  outer: ReadonlyMap<string, Tensor> = new Map(),
): InspectedLayer[] {
  const constants = new Map([...outer, ...graph.constants]);
  return graph.nodes.flatMap((node, i): InspectedLayer[] => {
    const where = `${path}.nodes[${i}]`;
    const weights = weightsIn(
      node,
      node.inputs.map((name) => constants.get(name)),
    );
    const branches = Object.entries(node.attributes).flatMap(([key, value]) =>
      isGraph(value) ? listNodes(value, `${where}.${key}`, constants) : [],
    );
    const layer = { ...head(node, where), parameters: sumOf(weights) };
    return [{ ...layer, shapes: [], kernels: [], dispatches: 0 }, ...branches];
  });
}

const head = ({ op, name, attributes }: Node, path: string) => ({ op, name, path, attributes });

/** The plan and what runs, or why there is none. */
function planOf(
  graph: Graph,
  options: InspectOptions,
  hostInputs: readonly string[],
  isMissing: boolean,
  plan: PlanOptions,
): { plan: InspectedPlan; cpu: InspectedCpu; layers: readonly InspectedLayer[] } | string {
  const dims = shapesOf(graph.inputs, options.dims ?? {});
  const values = valuesOf(graph.inputs, dims, options.values ?? {});
  if (isMissing) return 'operators are missing';
  const host = new Map([...values].filter(([name]) => hostInputs.includes(name)));
  const request: PlanRequest = {
    outputs: graph.outputs.map(({ name }) => name),
    feedback: new Map(),
    device: DEFAULT_PROFILE,
    options: plan,
  };
  try {
    refuseFloatShapeInputs(graph);
    const open = hostInputs.filter((name) => !values.has(name));
    if (open.length > 0) return `what runs depends on the numbers of ${open.join(', ')}`;
    const specialized = specializeGraph(graph, { dims, host }, options.limits);
    const made = makePlan(specialized, request);
    const cpu = inspectCpu(specialized, request);
    return { plan: summary(made, dims), cpu, layers: layersOf(made, specialized.list) };
  } catch (error) {
    if (error instanceof RnnError) return error.message; // these sizes do not fit; others may
    throw error;
  }
}

function summary(plan: Plan, dims: ReadonlyMap<string, readonly number[]>): InspectedPlan {
  const runs = runsOf(plan);
  const kernels: Record<string, number> = {};
  for (const { dispatch, times } of runs) {
    const { name } = dispatch.kernel;
    kernels[name] = (kernels[name] ?? 0) + times;
  }
  const weights = plan.buffers.filter(({ life }) => life === 'weight' || life === 'constant');
  return {
    inputs: Object.fromEntries(dims),
    outputs: Object.fromEntries(plan.outputs.map((output) => [output.name, output.dims])),
    kernels,
    dispatches: runs.reduce((sum, { times }) => sum + times, 0),
    flops: runs.reduce((sum, { dispatch, times }) => sum + dispatch.flops * times, 0),
    scratchBytes: plan.arena.reduce((sum, size) => sum + size, 0),
    weightBytes: weights.reduce((sum, { size }) => sum + size, 0),
    text: [formatPlan(plan), formatSelections(plan)].filter(Boolean).join('\n'),
    shaders: [...kernelsOf(plan).values()].map(({ name, source }) => ({ name, source })),
  };
}

function layersOf(plan: Plan, list: readonly PlannedNode[]): InspectedLayer[] {
  // Labels are a path, then the operator and its name. A loop runs a node again in every iteration, and
  // makes nodes of its own.
  const runs = new Map<string, ReturnType<typeof runsOf>>();
  for (const run of runsOf(plan)) {
    const key = run.dispatch.label.split(' ', 2).join(' ');
    const own = runs.get(key);
    if (own) own.push(run);
    else runs.set(key, [run]);
  }
  const keyOf = ({ path, node }: PlannedNode): string => `${path} ${node.op}`;
  const first = new Map(list.toReversed().map((item) => [keyOf(item), item]));
  const layers = list.filter((item) => first.get(keyOf(item)) === item);
  return layers.map((item) => {
    const { node, path, inputs, outputs } = item;
    const own = runs.get(keyOf(item)) ?? [];
    return {
      ...head(node, path),
      shapes: outputs.flatMap((output) => (output ? [output.dims] : [])),
      parameters: sumOf(
        weightsIn(
          node,
          inputs.map((input) => input?.tensor),
        ),
      ),
      kernels: [...new Set(own.map(({ dispatch }) => dispatch.kernel.name))],
      dispatches: own.reduce((sum, { times }) => sum + times, 0),
    };
  });
}
