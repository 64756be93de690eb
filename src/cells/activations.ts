// Activation functions that act on one number, in float64 and in WGSL.
// Sources: https://onnx.ai/onnx/operators/onnx__LSTM.html and https://keras.io/api/layers/activations/

/** One activation: `f(x)` with two optional parameters. */
export interface Activation {
  /** Defaults of alpha and beta; absent where the function takes none. */
  readonly alpha?: number;
  readonly beta?: number;
  /** The function in float64. */
  readonly f: (x: number, alpha: number, beta: number) => number;
  /** The function as a WGSL expression of an f32 named by `x`; alpha and beta arrive as literals. */
  readonly wgsl: (x: string, alpha: string, beta: string) => string;
  /** Functions of `shaders/math.wgsl` that the expression calls. */
  readonly calls?: readonly string[];
}

const sigmoid = (x: number): number =>
  x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));

const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;

/** Every activation by name. ONNX names first, then those that only Keras has inside a layer. */
export const ACTIVATIONS = {
  Relu: {
    f: (x) => Math.max(x, 0),
    wgsl: (x) => `orNan(max(${x}, 0.0), ${x})`,
    calls: ['orNan'],
  },
  Tanh: { f: (x) => Math.tanh(x), wgsl: (x) => `safeTanh(${x})`, calls: ['safeTanh'] },
  Sigmoid: { f: sigmoid, wgsl: (x) => `sigmoid(${x})`, calls: ['sigmoid'] },
  Affine: {
    alpha: 1,
    beta: 0,
    f: (x, alpha, beta) => alpha * x + beta,
    wgsl: (x, alpha, beta) => `(${alpha} * ${x} + ${beta})`,
  },
  LeakyRelu: {
    alpha: 0.01,
    f: (x, alpha) => (x < 0 ? alpha * x : x),
    wgsl: (x, alpha) => `select(${x}, ${alpha} * ${x}, ${x} < 0.0)`,
  },
  ThresholdedRelu: {
    alpha: 1,
    f: (x, alpha) => (x > alpha ? x : 0),
    wgsl: (x, alpha) => `select(0.0, ${x}, ${x} > ${alpha})`,
  },
  ScaledTanh: {
    alpha: 1,
    beta: 1,
    f: (x, alpha, beta) => alpha * Math.tanh(beta * x),
    wgsl: (x, alpha, beta) => `(${alpha} * safeTanh(${beta} * ${x}))`,
    calls: ['safeTanh'],
  },
  HardSigmoid: {
    alpha: 0.2,
    beta: 0.5,
    f: (x, alpha, beta) => Math.min(Math.max(alpha * x + beta, 0), 1),
    wgsl: (x, alpha, beta) => `orNan(clamp(${alpha} * ${x} + ${beta}, 0.0, 1.0), ${x})`,
    calls: ['orNan'],
  },
  Elu: {
    alpha: 1,
    f: (x, alpha) => (x < 0 ? alpha * Math.expm1(x) : x),
    wgsl: (x, alpha) =>
      `orNan(select(${x}, ${alpha} * (exp(min(${x}, 0.0)) - 1.0), ${x} < 0.0), ${x})`,
    calls: ['orNan'],
  },
  Softsign: { f: (x) => x / (1 + Math.abs(x)), wgsl: (x) => `(${x} / (1.0 + abs(${x})))` },
  Softplus: {
    f: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
    wgsl: (x) => `softplus(${x})`,
    calls: ['softplus'],
  },
  Selu: {
    alpha: SELU_ALPHA,
    beta: SELU_SCALE,
    f: (x, alpha, beta) => beta * (x <= 0 ? alpha * Math.expm1(x) : x),
    wgsl: (x, alpha, beta) =>
      `orNan(${beta} * select(${x}, ${alpha} * (exp(min(${x}, 0.0)) - 1.0), ${x} <= 0.0), ${x})`,
    calls: ['orNan'],
  },
  Exp: {
    f: (x) => Math.exp(x),
    wgsl: (x) => `orNan(exp(${x}), ${x})`,
    calls: ['orNan'],
  },
  Relu6: {
    f: (x) => Math.min(Math.max(x, 0), 6),
    wgsl: (x) => `orNan(clamp(${x}, 0.0, 6.0), ${x})`,
    calls: ['orNan'],
  },
  Swish: {
    alpha: 1,
    f: (x, alpha) => x * sigmoid(alpha * x),
    wgsl: (x, alpha) => `(${x} * sigmoid(${alpha} * ${x}))`,
    calls: ['sigmoid'],
  },
  HardSwish: {
    f: (x) => x * Math.min(Math.max(x / 6 + 0.5, 0), 1),
    wgsl: (x) => `(${x} * clamp(${x} / 6.0 + 0.5, 0.0, 1.0))`,
  },
  Mish: {
    f: (x) => x * Math.tanh(Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
    wgsl: (x) => `(${x} * safeTanh(softplus(${x})))`,
    calls: ['safeTanh', 'softplus'],
  },
} as const satisfies Record<string, Activation>;

/** Names of the activations, spelt as in the ONNX specification. */
export type ActivationName = keyof typeof ACTIVATIONS;

/** The activation called `name` in any case, as ONNX files write it; undefined when unknown. */
export function findActivation(name: string): ActivationName | undefined {
  const wanted = name.toLowerCase();
  return (Object.keys(ACTIVATIONS) as ActivationName[]).find((key) => key.toLowerCase() === wanted);
}
