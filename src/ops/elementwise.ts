// Elementwise operators of two inputs and more, which broadcast.
import { formatDims, type DataType } from '../tensor.ts';
import {
  define,
  defineEach,
  invalid,
  mismatch,
  type Call,
  type Kind,
  type Output,
} from './define.ts';
import { broadcastDims, broadcastTo } from './indexing.ts';
import { sameDims } from './shapes.ts';
import { storing } from './value.ts';

/** Refuses inputs of different element types. */
export function sameType(call: Call, slots: readonly number[], kind: Kind): DataType {
  const { type } = call.input(slots[0]!, kind);
  for (const slot of slots) {
    const other = call.input(slot).type;
    if (other !== type) throw invalid(call.at(slot), 'element type', other, type);
  }
  return type;
}

/** `f` of the elements of the inputs `slots`, two or three, broadcast to one shape. */
export function broadcasting(
  call: Call,
  slots: readonly number[],
  type: DataType,
  f: (a: number, b: number, c: number) => number,
): Output {
  const shapes = slots.map((slot) => call.input(slot).dims);
  const dims = broadcastDims(shapes, `${call.path}.inputs`);
  const store = storing(type);
  const fill = (out: Float64Array): void => {
    const [a, b, c] = slots.map((slot, i) => broadcastTo(call.data(slot), shapes[i]!, dims));
    for (let i = 0; i < out.length; i++)
      out[i] = store(f(a![i]!, b![i]!, c === undefined ? 0 : c[i]!));
  };
  return { dims, fill };
}

const modulo = (a: number, b: number): number => a - b * Math.floor(a / b);

type Binary = (a: number, b: number) => number;

// Inputs accepted, the function, and the type of the result where it is not that of the inputs.
type BinaryRow = readonly [Kind, Binary, 'bool'?];

// Integers: storing() cuts the fraction off and makes of a division by zero, and of the remainder of one, zero, on
// the GPU as well. ONNX leaves both open. -2^31 / -1 wraps to -2^31 as int32.
const BINARY = {
  Add: ['number', (a, b) => a + b],
  Sub: ['number', (a, b) => a - b],
  Mul: ['number', (a, b) => a * b],
  Div: ['number', (a, b) => a / b],
  Equal: ['any', (a, b) => Number(a === b), 'bool'],
  Less: ['number', (a, b) => Number(a < b), 'bool'],
  LessOrEqual: ['number', (a, b) => Number(a <= b), 'bool'],
  Greater: ['number', (a, b) => Number(a > b), 'bool'],
  GreaterOrEqual: ['number', (a, b) => Number(a >= b), 'bool'],
  And: ['bool', (a, b) => a & b],
  Or: ['bool', (a, b) => a | b],
  Xor: ['bool', (a, b) => a ^ b],
} satisfies Record<string, BinaryRow>;

const binary = defineEach(BINARY, (name, [kind, f, result]: BinaryRow) =>
  define(name, [2, 2], (call) => [broadcasting(call, [0, 1], sameType(call, [0, 1], kind), f)], {
    resultType: () => result ?? 0,
  }),
);

// Any number of inputs, folded from the left.
const VARIADIC = {
  Min: ['number', Math.min],
  Max: ['number', Math.max],
  Sum: ['float', (a, b) => a + b],
  Mean: ['float', (a, b) => a + b],
} satisfies Record<string, BinaryRow>;

const variadic = defineEach(VARIADIC, (name, [kind, f]: BinaryRow) =>
  define(name, [1, Infinity], (call) => {
    const slots = [...call.inputs.keys()];
    sameType(call, slots, kind);
    const shapes = slots.map((slot) => call.input(slot).dims);
    const dims = broadcastDims(shapes, `${call.path}.inputs`);
    const fill = (out: Float64Array): void => {
      const all = slots.map((slot) => broadcastTo(call.data(slot), shapes[slot]!, dims));
      const count = name === 'Mean' ? all.length : 1;
      for (let i = 0; i < out.length; i++) {
        out[i] = all.map((values) => values[i]!).reduce((a, b) => f(a, b)) / count;
      }
    };
    return [{ dims, fill }];
  }),
);

/** Elementwise operators of two inputs and more. */
export const elementwise = [
  ...binary,
  ...variadic,
  define('Pow', [2, 2], (call) => {
    call.input(1, 'number');
    return [broadcasting(call, [0, 1], call.input(0, 'number').type, Math.pow)];
  }),
  define('Mod', [2, 2], (call) => {
    const type = sameType(call, [0, 1], 'number');
    // With fmod the result has the sign of a, like %; without, that of b.
    const params = { fmod: call.flag('fmod', false) };
    const f: Binary = params.fmod ? (a, b) => a % b : modulo;
    return { params, outputs: [broadcasting(call, [0, 1], type, f)] };
  }),
  define(
    'Where',
    [3, 3],
    (call) => {
      call.input(0, 'bool');
      const type = sameType(call, [1, 2], 'any');
      return [broadcasting(call, [0, 1, 2], type, (condition, a, b) => (condition === 0 ? b : a))];
    },
    { resultType: () => 1 },
  ),
  define('PRelu', [2, 2], (call) => {
    const type = sameType(call, [0, 1], 'number');
    const output = broadcasting(call, [0, 1], type, (x, slope) => (x < 0 ? slope * x : x));
    const { dims } = call.input(0);
    if (!sameDims(output.dims, dims)) {
      const expected = `a slope that broadcasts to ${formatDims(dims)}`;
      throw mismatch(call.at(1), 'shape', call.input(1).dims, expected);
    }
    return [output];
  }),
  define('Clip', [1, 3], (call) => {
    const { type, dims } = call.input(0, 'number');
    for (const slot of [1, 2]) {
      const limit = call.optional(slot);
      if (limit === undefined) continue;
      if (limit.type !== type) throw invalid(call.at(slot), 'element type', limit.type, type);
      if (limit.dims.some((dim) => dim !== 1)) {
        throw mismatch(call.at(slot), 'shape', limit.dims, 'a scalar');
      }
    }
    const fill = (out: Float64Array): void => {
      const min = call.host(1)?.data[0] ?? -Infinity;
      const max = call.host(2)?.data[0] ?? Infinity;
      call.data(0).forEach((x, i) => (out[i] = Math.min(Math.max(x, min), max)));
    };
    return [{ dims, fill }];
  }),
];
