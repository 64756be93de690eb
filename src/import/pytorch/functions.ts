// The functions between layers as nodes of a graph.
import type { GraphBuilder } from '../../graph-builder.ts';
import type { Attribute, ValueInfo } from '../../graph.ts';
import type { PyTorchActivation } from './architecture.ts';

type Function = readonly [op: string, attributes?: Readonly<Record<string, Attribute>>];

const TABLE = {
  relu: ['Relu'],
  leakyRelu: ['LeakyRelu', { alpha: 0.01 }],
  elu: ['Elu', { alpha: 1 }],
  selu: ['Selu'],
  gelu: ['Gelu', { approximate: 'none' }],
  silu: ['Swish'],
  mish: ['Mish'],
  tanh: ['Tanh'],
  sigmoid: ['Sigmoid'],
  hardSigmoid: ['HardSigmoid', { alpha: 1 / 6, beta: 0.5 }], // ONNX's own default is the 0.2 of Keras 2
  softplus: ['Softplus'],
  softsign: ['Softsign'],
  softmax: ['Softmax', { axis: -1 }],
  logSoftmax: ['LogSoftmax', { axis: -1 }],
} as const satisfies Record<PyTorchActivation, Function>;

/** By name: the operator and its attributes. */
export const FUNCTIONS: ReadonlyMap<string, Function> = new Map<string, Function>(
  Object.entries(TABLE),
);

/** `activation(x)`, or x where there is none. */
export function applyFunction(
  builder: GraphBuilder,
  x: ValueInfo,
  activation: PyTorchActivation | undefined,
  stem: string,
  alpha?: number,
): ValueInfo {
  if (activation === undefined) return x;
  const [op, attributes = {}] = TABLE[activation] as Function;
  const own = alpha === undefined ? attributes : { ...attributes, alpha };
  return { ...x, name: builder.node(op, `${stem}/${activation}`, [x.name], own) };
}
