// Elementwise operators of one input.
import { ACTIVATIONS, type Activation } from '../cells/index.ts';
import { roundHalfToEven, toHalf } from '../float16.ts';
import { DATA_TYPES, type DataType } from '../tensor.ts';
import {
  define,
  defineEach,
  invalid,
  unsupported,
  type Call,
  type Kind,
  type Output,
} from './define.ts';
import { storing } from './value.ts';

type Unary = (x: number) => number;

/** `f` of each element of the first input. */
function mapping(call: Call, kind: Kind, f: Unary, result?: DataType): Output {
  const { type, dims } = call.input(0, kind);
  const store = storing(result ?? type);
  const fill = (out: Float64Array): void => call.data(0).forEach((x, i) => (out[i] = store(f(x))));
  return { dims, fill };
}

/** The error function, from a series whose terms have one sign, so that nothing cancels. */
export function erf(x: number): number {
  if (!(Math.abs(x) <= 6)) return Math.sign(x); // 1 - erf(6) is 2e-17; NaN stays NaN
  let sum = 0;
  let term = x;
  for (let n = 1; sum + term !== sum; n += 2) {
    sum += term;
    term *= (2 * x * x) / (n + 2);
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

type UnaryRow = readonly [Kind, Unary, DataType?];

const UNARY = {
  Sqrt: ['float', Math.sqrt],
  Log: ['float', Math.log],
  Abs: ['number', Math.abs],
  Neg: ['number', (x) => -x],
  Reciprocal: ['float', (x) => 1 / x],
  Erf: ['number', erf],
  Floor: ['float', Math.floor],
  Ceil: ['float', Math.ceil],
  Round: ['float', roundHalfToEven],
  Sign: ['number', Math.sign],
  Sin: ['float', Math.sin],
  Cos: ['float', Math.cos],
  Identity: ['any', (x) => x],
  Not: ['bool', (x) => 1 - x],
  IsNaN: ['float', (x) => Number(Number.isNaN(x)), 'bool'],
} satisfies Record<string, UnaryRow>;

const unary = defineEach(UNARY, (name, [kind, f, result]: UnaryRow) =>
  define(name, [1, 1], (call) => [mapping(call, kind, f, result)], {
    resultType: () => result ?? 0,
  }),
);

// What the layers call beta, the ONNX operator Selu calls gamma.
const activations = defineEach(ACTIVATIONS, (name, { f, ...defaults }: Activation) =>
  define(name, [1, 1], (call) => {
    const alpha = call.float('alpha', defaults.alpha ?? 0);
    const beta = call.float(name === 'Selu' ? 'gamma' : 'beta', defaults.beta ?? 0);
    const output = mapping(call, name === 'Relu' ? 'number' : 'float', (x) => f(x, alpha, beta));
    return { params: { alpha, beta }, outputs: [output] };
  }),
);

// TensorProto.DataType, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
const ONNX_TYPES: Readonly<Record<number, DataType>> = {
  1: 'float32',
  2: 'uint8',
  3: 'int8',
  4: 'uint16',
  5: 'int16',
  6: 'int32',
  7: 'int64',
  9: 'bool',
  10: 'float16',
  11: 'float64',
  12: 'uint32',
  13: 'uint64',
};

/** The element type that an attribute names, by its ONNX number or by our name. */
export function onnxType(given: unknown, path: string): DataType {
  const type = ONNX_TYPES[given as number] ?? DATA_TYPES.find((name) => name === given);
  if (type === undefined) throw invalid(path, 'element type', given, DATA_TYPES.join(', '));
  return type;
}

const castType = (to: unknown, path: string): DataType => onnxType(to, `${path}.to`);

/** Elementwise operators of one input. */
export const unaries = [
  ...unary,
  ...activations,
  // The only operator that rounds to half precision: all others compute float16 as float32.
  define(
    'Cast',
    [1, 1],
    (call) => {
      const to = castType(call.node.attributes['to'], call.path);
      const output = mapping(call, 'any', to === 'float16' ? toHalf : (x) => x, to);
      return { params: { to }, outputs: [output] };
    },
    { resultType: ({ attributes, name }) => castType(attributes['to'], name) },
  ),
  define('Gelu', [1, 1], (call) => {
    const params = { approximate: call.text('approximate', ['none', 'tanh']) };
    const inner = (x: number): number =>
      params.approximate === 'none'
        ? erf(x / Math.SQRT2)
        : Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3));
    return { params, outputs: [mapping(call, 'float', (x) => 0.5 * x * (1 + inner(x)))] };
  }),
  define('Celu', [1, 1], (call) => {
    const alpha = call.float('alpha', 1);
    const f: Unary = (x) => Math.max(x, 0) + Math.min(alpha * Math.expm1(x / alpha), 0);
    return { params: { alpha }, outputs: [mapping(call, 'float', f)] };
  }),
  define(
    'Dropout',
    [1, 3],
    (call) => {
      if ((call.host(2)?.data[0] ?? 0) !== 0) {
        throw unsupported(call.at(2), 'Dropout in training', 'true', 'false');
      }
      const output = mapping(call, 'any', (x) => x);
      return [output, { ...output, fill: (out) => out.fill(1) }];
    },
    { resultType: (_, slot) => (slot === 0 ? 0 : 'bool') },
  ),
];
