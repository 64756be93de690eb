// The kernels that the planner chooses for a layer, with what is needed to judge them.
import { gru, lstm, sequential } from '../../src/layers.ts';
import { registerKernels } from '../../src/kernels.ts';
import { registerOperators } from '../../src/operators.ts';
import { makePlan } from '../../src/plan/index.ts';
import type { RequestedOptions } from '../../src/plan/options.ts';
import { planOptionsOf } from '../../src/plan/options.ts';
import type { DeviceProfile } from '../../src/plan/select/device-profile.ts';
import { specializeGraph } from '../../src/plan/specialize/infer.ts';
import { dispatchesOf, selectedOf } from '../../src/plan/types.ts';
import { sizeOf, tensor, type Tensor } from '../../src/tensor.ts';

/** A layer of H units and inputs over B rows and T time steps. */
export interface LayerShape {
  readonly cell: 'lstm' | 'gru';
  readonly H: number;
  readonly B: number;
  readonly T: number;
}

/** A kernel of a plan. */
export interface ChosenKernel {
  /** `recurrent-step-0`. */
  readonly name: string;
  /** The candidate that was selected for the layer, `step-split-k`. */
  readonly candidate: string;
  readonly wgsl: string;
  readonly workgroups: readonly number[];
}

/** Time steps that plans are made for: long enough that none of them is a single step. */
const STEPS = 64;

/** `lstm-h128-b16`. */
export const nameOf = ({ cell, H, B }: LayerShape): string => `${cell}-h${H}-b${B}`;

/** Hidden units. An LSTM of 32 and a GRU of 40 are the widest that keep their weights in registers. */
const HIDDEN = [32, 40, 64, 128, 256, 512, 1024];

/** Every layer of the table. */
export const allLayers = (): readonly LayerShape[] =>
  (['lstm', 'gru'] as const).flatMap((cell) =>
    HIDDEN.flatMap((H) => [1, 16, 64].map((B) => ({ cell, H, B, T: STEPS }))),
  );

const zeros = (...dims: number[]): Tensor<'float32'> =>
  tensor(new Float32Array(sizeOf(dims)), dims);

let registered = false;

/**
 * The kernels that a device would run for a layer, each once, in the order of the plan.
 *
 * @throws RnnError `INVALID_ARGUMENT` for options that there are not
 */
export function chosenKernels(
  { cell, H, B, T }: LayerShape,
  device: DeviceProfile,
  options: RequestedOptions = {},
): readonly ChosenKernel[] {
  if (!registered) {
    registerOperators();
    registerKernels();
    registered = true;
  }
  const G = cell === 'lstm' ? 4 : 3;
  const given = { W: zeros(1, G * H, H), R: zeros(1, G * H, H), B: zeros(1, 2 * G * H) };
  const layer = cell === 'lstm' ? lstm(given) : gru({ ...given, resetAfter: true });
  const graph = sequential([layer], { layout: 0 });
  const call = { dims: new Map([[graph.inputs[0]!.name, [T, B, H]]]), host: new Map() };
  const plan = makePlan(specializeGraph(graph, call), {
    outputs: graph.outputs.map(({ name }) => name),
    feedback: new Map(),
    device,
    options: planOptionsOf(options),
  });
  const [candidate = ''] = Object.values(selectedOf(plan));
  const found = new Map<string, ChosenKernel>();
  for (const { kernel, workgroups } of dispatchesOf(plan)) {
    const { name, source } = kernel;
    if (!found.has(source)) found.set(source, { name, candidate, wgsl: source, workgroups });
  }
  return [...found.values()];
}
