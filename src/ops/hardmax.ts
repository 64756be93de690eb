// Hardmax: 1 at the first largest element along an axis, and 0 elsewhere.
// https://onnx.ai/onnx/operators/onnx__Hardmax.html
import { integers, tensorOf, type ControlOperator } from './control.ts';
import { Attributes } from './define.ts';
import { axisOf } from './shapes.ts';

/** Hardmax. */
export const hardmax: ControlOperator = {
  name: 'Hardmax',
  resultType: () => 0,
  advice: 'export it with a known rank',
  run: (call) => {
    const { node, path, flow } = call;
    const x = tensorOf(call, 0);
    const { type, dims } = x;
    const axis = axisOf(new Attributes(node, path).int('axis', -1), dims.length, `${path}.axis`);
    const place = flow.apply('ArgMax', [x], { axis, keepdims: 0 });
    const depth = integers(flow, [dims[axis]!], []);
    const values = flow.literal({ type, dims: [2], data: Float64Array.of(0, 1) });
    return [flow.apply('OneHot', [place, depth, values], { axis })];
  },
};
