// Between floats and the integers that stand for them: x = (q - zero point) · scale.
// https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html, __DequantizeLinear
import { roundHalfToEven } from '../float16.ts';
import type { DataType } from '../tensor.ts';
import { onnxType } from './unary.ts';
import { define, invalid, mismatch, unsupported, type Call } from './define.ts';
import { splitDims } from './indexing.ts';
import { axisOf, sameDims } from './shapes.ts';

/** The numbers that a quantised type has. */
export const QUANTIZED_RANGE: Readonly<
  Partial<Record<DataType, readonly [min: number, max: number]>>
> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65_535],
  int16: [-32_768, 32_767],
};

/**
 * The axis along which each element has a scale of its own; undefined for one scale of all. Checks the shapes of
 * the scale and the zero point.
 */
function scaleAxis(call: Call): { readonly axis: number | undefined } {
  const { dims } = call.input(0);
  const scale = call.input(1, 'float').dims;
  const zero = call.optional(2)?.dims;
  if (call.int('block_size', 0) !== 0) {
    throw unsupported(`${call.path}.block_size`, 'scales by blocks', call.int('block_size'), 0);
  }
  if (zero && !sameDims(zero, scale)) throw mismatch(call.at(2), 'shape', zero, scale);
  if (scale.length === 0 || (scale.length === 1 && scale[0] === 1)) return { axis: undefined };
  const axis = axisOf(call.int('axis', 1), dims.length, `${call.path}.axis`);
  if (!sameDims(scale, [dims[axis]!])) {
    throw mismatch(call.at(1), 'shape', scale, `a scalar or [${dims[axis]}]`);
  }
  return { axis };
}

/** Calls `visit` with each element, its scale and its zero point. */
function forEachScaled(
  call: Call,
  axis: number | undefined,
  visit: (x: number, scale: number, zero: number, i: number) => void,
): void {
  const [x, scales] = [call.data(0), call.data(1)];
  const zeros = call.optional(2) ? call.data(2) : undefined;
  const [, size, inner] = axis === undefined ? [1, 1, 1] : splitDims(call.input(0).dims, axis);
  x.forEach((value, i) => {
    const k = axis === undefined ? 0 : Math.floor(i / inner) % size;
    visit(value, scales[k]!, zeros?.[k] ?? 0, i);
  });
}

const dequantize = define(
  'DequantizeLinear',
  [2, 3],
  (call) => {
    const { type, dims } = call.input(0, 'integer');
    const zero = call.optional(2);
    if (zero && zero.type !== type) throw invalid(call.at(2), 'element type', zero.type, type);
    const params = scaleAxis(call);
    const fill = (out: Float64Array): void =>
      forEachScaled(call, params.axis, (x, scale, zeroPoint, i) => {
        out[i] = (x - zeroPoint) * scale;
      });
    return { params, outputs: [{ dims, fill }] };
  },
  { resultType: () => 1 },
);

const quantize = define(
  'QuantizeLinear',
  [2, 3],
  (call) => {
    const { dims } = call.input(0, 'float');
    const type =
      call.optional(2)?.type ?? quantizedType(call.node.attributes['output_dtype'], call.path);
    const range = QUANTIZED_RANGE[type];
    if (range === undefined) {
      const names = Object.keys(QUANTIZED_RANGE).join(', ');
      throw unsupported(call.at(2), 'element type of a QuantizeLinear', type, names);
    }
    const [min, max] = range;
    const { axis } = scaleAxis(call);
    const fill = (out: Float64Array): void =>
      forEachScaled(call, axis, (x, scale, zeroPoint, i) => {
        // In float32, as ONNX Runtime divides: a quotient half-way between two integers decides.
        const level = roundHalfToEven(Math.fround(x / scale)) + zeroPoint;
        out[i] = Math.min(Math.max(level, min), max);
      });
    return { params: { axis, min, max }, outputs: [{ dims, fill }] };
  },
  {
    resultType: ({ inputs, attributes, name }) =>
      inputs[2] ? 2 : quantizedType(attributes['output_dtype'], name),
  },
);

/** The type of an `output_dtype`; uint8 where there is none. */
const quantizedType = (given: unknown, path: string): DataType =>
  given === undefined || given === 0 ? 'uint8' : onnxType(given, `${path}.output_dtype`);

/** QuantizeLinear and DequantizeLinear. */
export const quantizers = [quantize, dequantize];
