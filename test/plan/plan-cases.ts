// Models whose plans are kept as text: one for each choice of the planner.
import type { Graph, RecurrentAttributes, ValueInfo } from '../../src/graph.ts';
import { dense, gru, lstm, rnn, sequential, bidirectional } from '../../src/layers.ts';
import type { Layer } from '../../src/layers.ts';
import { streamGraph } from '../../src/backends/stateful-graph.ts';
import { DEFAULT_PROFILE, type DeviceProfile } from '../../src/plan/select/device-profile.ts';
import { makePlan } from '../../src/plan/index.ts';
import { specializeGraph } from '../../src/plan/specialize/infer.ts';
import type { PlanOptions } from '../../src/plan/lowering.ts';
import type { Plan } from '../../src/plan/types.ts';
import { sizeOf, tensor, type Tensor } from '../../src/tensor.ts';

/** A model, the shapes it is planned for, and the device. */
export interface PlanCase {
  /** Name of the file that keeps the plan. */
  readonly name: string;
  readonly graph: Graph;
  readonly dims: Readonly<Record<string, readonly number[]>>;
  /** What differs from a GPU with the limits of every WebGPU device. */
  readonly device?: Partial<DeviceProfile>;
  readonly options?: PlanOptions;
  /** Whether it is planned as one step of a stream. */
  readonly stream?: boolean;
}

const zeros = (...dims: number[]): Tensor<'float32'> =>
  tensor(new Float32Array(sizeOf(dims)), dims);

/** The weights of a layer of `G` gates. */
const weights = (G: number, H: number, I = H, D = 1) => ({
  W: zeros(D, G * H, I),
  R: zeros(D, G * H, H),
  B: zeros(D, 2 * G * H),
});
const lstmOf = (H: number, I = H): Layer => lstm(weights(4, H, I));
const gruOf = (H: number, resetAfter: boolean): Layer => gru({ ...weights(3, H), resetAfter });
/** Time first, as ONNX has it. */
const stack = (...layers: Layer[]): Graph => sequential(layers, { layout: 0 });

/** One `Recurrent` node with everything that the builders cannot say. */
function recurrentGraph(
  { H, I, O = H }: { H: number; I: number; O?: number },
  given: Partial<RecurrentAttributes>,
  extra: readonly ('lengths' | 'initialH' | 'initialC' | 'P' | 'mask' | 'projection' | 'weights')[],
  outputs: readonly string[] = ['Y'],
): Graph {
  const has = (name: (typeof extra)[number]): boolean => extra.includes(name);
  const D = given.direction === 'bidirectional' ? 2 : 1;
  const activations = ['Sigmoid', 'Tanh', 'Tanh'];
  const attributes = {
    cell: 'lstm',
    direction: 'forward',
    hidden: H,
    layout: 0,
    activations: Array.from({ length: D }, () => activations).flat(),
    alphas: Array.from({ length: 3 * D }, () => Number.NaN),
    betas: Array.from({ length: 3 * D }, () => Number.NaN),
    clip: 0,
    coupled: false,
    resetAfter: false,
    maskedOutput: 'zero',
    ...given,
  } satisfies RecurrentAttributes;
  const constants = new Map<string, Tensor>();
  const inputs: ValueInfo[] = [{ name: 'X', type: 'float32', dims: ['T', 'B', I] }];
  const constant = (name: string, present: boolean, ...dims: number[]): string => {
    if (present) constants.set(name, zeros(...dims));
    return present ? name : '';
  };
  const input = (name: string, present: boolean, info: Omit<ValueInfo, 'name'>): string => {
    if (present) inputs.push({ name, ...info });
    return present ? name : '';
  };
  const weight = (name: string, ...dims: number[]): string =>
    has('weights') ? input(name, true, { type: 'float32', dims }) : constant(name, true, ...dims);
  const names = [
    'X',
    weight('W', D, 4 * H, I),
    weight('R', D, 4 * H, O),
    weight('B', D, 8 * H),
    input('lengths', has('lengths'), { type: 'int32', dims: ['B'] }),
    input('h', has('initialH'), { type: 'float32', dims: [D, 'B', O] }),
    input('c', has('initialC'), { type: 'float32', dims: [D, 'B', H] }),
    constant('P', has('P'), D, 3 * H),
    input('mask', has('mask'), { type: 'bool', dims: ['T', 'B'] }),
    constant('projection', has('projection'), D, O, H),
  ];
  const slots = ['Y', 'Y_h', 'Y_c'].map((name) => (outputs.includes(name) ? name : ''));
  return {
    name: 'recurrent',
    inputs,
    outputs: outputs.map((name) => ({ name, type: 'float32', dims: [] })),
    constants,
    nodes: [{ op: 'Recurrent', name: 'layer', inputs: names, outputs: slots, attributes }],
  };
}

/** Convolution, two GRUs with a residual connection, attention over time: fusing, views, folds. */
function mixedGraph(): Graph {
  const { W, R, B } = weights(3, 16);
  const base = sequential([gru({ W, R, B }), gru({ W, R, B })], { layout: 1 });
  const [y] = base.nodes.at(-1)!.outputs;
  const node = (op: string, inputs: string[], attributes = {}) => ({
    op,
    name: op.toLowerCase(),
    inputs,
    outputs: [`${op}:0`],
    attributes,
  });
  return {
    ...base,
    name: 'mixed',
    inputs: [{ name: 'X', type: 'float32', dims: ['batch', 'time', 16] }],
    constants: new Map([
      ...base.constants,
      ['scores', zeros(16, 1)],
      ['axes', tensor(BigInt64Array.of(1n), [1])],
    ]),
    nodes: [
      ...base.nodes,
      node('Add', [y!, 'X']),
      node('Tanh', ['Add:0']),
      node('MatMul', ['Tanh:0', 'scores']),
      node('Softmax', ['MatMul:0'], { axis: 1 }),
      node('Mul', ['Softmax:0', 'Add:0']),
      node('ReduceSum', ['Mul:0', 'axes'], { keepdims: 0 }),
    ],
    outputs: [{ name: 'ReduceSum:0', type: 'float32', dims: ['batch', 16] }],
  };
}

const SWIFTSHADER = { adapter: 'swiftshader', subgroupSize: 4 } as const;
const LLVMPIPE = {
  adapter: 'llvmpipe',
  subgroupSize: 8,
  maxComputeInvocationsPerWorkgroup: 1024,
  maxComputeWorkgroupStorageSize: 32768,
} as const;
const dense10 = (I: number): Layer =>
  dense({ W: zeros(10, I), b: zeros(10), activation: 'softmax' });

/** Every case, by the name of its file. */
export const PLAN_CASES: readonly PlanCase[] = [
  {
    name: 'lstm-256-dense',
    graph: stack(lstmOf(256), dense10(256)),
    dims: { X: [64, 1, 256] },
  },
  {
    name: 'lstm-256-batch-subgroups',
    graph: stack(lstmOf(256)),
    dims: { X: [16, 64, 256] },
    device: { subgroupSize: 32 },
  },
  { name: 'rnn-32-persistent', graph: stack(rnn(weights(1, 32))), dims: { X: [100, 2, 32] } },
  { name: 'gru-reset-before', graph: stack(gruOf(200, false)), dims: { X: [7, 3, 200] } },
  { name: 'gru-reset-after-persistent', graph: stack(gruOf(64, true)), dims: { X: [300, 1, 64] } },
  {
    name: 'lstm-bidirectional-lengths',
    graph: recurrentGraph(
      { H: 20, I: 7 },
      { direction: 'bidirectional' },
      ['lengths'],
      ['Y', 'Y_h'],
    ),
    dims: { X: [5, 3, 7], lengths: [3] },
  },
  {
    name: 'lstm-projection-peepholes-clip-mask',
    graph: recurrentGraph(
      { H: 300, I: 9, O: 100 },
      { clip: 3, coupled: true, maskedOutput: 'repeat' },
      ['initialH', 'initialC', 'P', 'mask', 'projection'],
      ['Y', 'Y_h', 'Y_c'],
    ),
    dims: { X: [6, 2, 9], h: [1, 2, 100], c: [1, 2, 300], mask: [6, 2] },
  },
  {
    name: 'lstm-weights-as-inputs',
    graph: recurrentGraph({ H: 12, I: 6 }, {}, ['weights']),
    dims: { X: [4, 1, 6], W: [1, 48, 6], R: [1, 48, 12], B: [1, 96] },
  },
  {
    name: 'lstm-stack-wavefront',
    graph: stack(lstmOf(64), lstmOf(64), lstmOf(64)),
    dims: { X: [128, 1, 64] },
  },
  {
    name: 'lstm-bidirectional-builder-int8',
    graph: stack(bidirectional(lstm(weights(4, 40)), lstm(weights(4, 40)), 'sum')),
    dims: { X: [10, 2, 40] },
    options: { weights: 'int8' },
  },
  {
    name: 'lstm-stream-step-f16',
    graph: stack(lstmOf(128), dense10(128)),
    dims: { X: [1, 1, 128] },
    options: { weights: 'f16', arithmetic: 'f16' },
    stream: true,
  },
  {
    name: 'gru-stream-step-subgroups',
    graph: stack(gruOf(96, false)),
    dims: { X: [1, 2, 96] },
    device: { subgroupSize: 32 },
    stream: true,
  },
  { name: 'mixed-attention', graph: mixedGraph(), dims: { X: [2, 9, 16] } },
  {
    name: 'swiftshader-baseline',
    graph: stack(lstmOf(128)),
    dims: { X: [64, 1, 128] },
    device: SWIFTSHADER,
    options: { tier: 'baseline' },
  },
  {
    name: 'swiftshader-optimized',
    graph: stack(lstmOf(128)),
    dims: { X: [64, 1, 128] },
    device: SWIFTSHADER,
  },
  {
    name: 'swiftshader-batch',
    graph: stack(lstmOf(256)),
    dims: { X: [16, 64, 256] },
    device: SWIFTSHADER,
  },
  {
    name: 'llvmpipe-batch-persistent',
    graph: stack(gruOf(128, true)),
    dims: { X: [64, 16, 128] },
    device: LLVMPIPE,
  },
];

/** The plan of a case. */
export function planOf({ graph, dims, device, options = {}, stream }: PlanCase): Plan {
  const streamed = stream ? streamGraph(graph, {}) : undefined;
  const shapes = new Map(Object.entries(dims));
  const slots = streamed?.slots ?? [];
  // Streamed cases have one forward layer as wide as its input.
  const [, rows, width] = dims['X']!;
  for (const { input } of slots) shapes.set(input, [1, rows!, width!]);
  const inputs = { dims: shapes, host: new Map() };
  return makePlan(specializeGraph(streamed?.graph ?? graph, inputs), {
    outputs: graph.outputs.map(({ name }) => name),
    feedback: new Map(slots.map(({ input, output }) => [input, output])),
    device: { ...DEFAULT_PROFILE, ...device },
    options,
  });
}
