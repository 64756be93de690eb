// NaN in the reference. ONNX Runtime is the arbiter where it says the same whatever the position.
import { describe, expect, it } from 'vitest';
import { lstm } from '../../src/cells/lstm.ts';
import { tensor } from '../../src/tensor.ts';
import { evaluateCase, expectLikeOnnxRuntime, list } from '../support/operator-case.ts';

const rows = (...values: number[]) => tensor(values, [1, values.length]);
const last = { axis: -1 };

describe('NaN', () => {
  // ONNX Runtime ignores NaN or not, depending on the axis and the position.
  it.each(['ArgMax', 'ArgMin'])('%s says where the first one is, as PyTorch and NumPy do', (op) => {
    const places = (select_last_index: number) =>
      [rows(3, NaN, 1, NaN), rows(NaN, 3, 1, 2), rows(1, 2, NaN, 5)].map((x) => {
        const attributes = { ...last, select_last_index };
        return evaluateCase({ op, inputs: [x], attributes })[0]!.data[0];
      });
    expect(places(0)).toEqual([1, 0, 2]);
    expect(places(1)).toEqual([3, 0, 2]);
  });

  it.each(['Relu', 'Tanh', 'Sigmoid', 'HardSigmoid', 'Elu', 'Softplus', 'ThresholdedRelu', 'Exp'])(
    '%s of NaN, as ONNX Runtime has it',
    (op) => expectLikeOnnxRuntime({ op, inputs: [rows(3, NaN, -1)] }, { nanEqual: true }),
  );

  it('Softmax, Max, Min and Clip of NaN, as ONNX Runtime has it', async () => {
    const scalar = (x: number) => tensor([x], []);
    for (const made of [
      { op: 'Softmax', inputs: [rows(3, NaN, -1)] },
      { op: 'Max', inputs: [rows(3, NaN, -1), rows(NaN, 1, 1)] },
      { op: 'Min', inputs: [rows(3, NaN, -1), rows(NaN, 1, 1)] },
      { op: 'Clip', inputs: [rows(3, NaN, -1), scalar(0), scalar(1)] },
    ]) {
      await expectLikeOnnxRuntime(made, { nanEqual: true });
    }
  });

  it('a window or a row with NaN has no other maximum, as in PyTorch', () => {
    const x = tensor([1, NaN, 3, NaN, 2, 5], [1, 1, 6]);
    const pool = { op: 'MaxPool', inputs: [x], attributes: { kernel_shape: [4] }, outputs: 2 };
    const [value, place] = evaluateCase(pool);
    expect([...value!.data]).toEqual([NaN, NaN, NaN]);
    expect([...place!.data]).toEqual([3, 3, 3]);
    const [max] = evaluateCase({ op: 'ReduceMax', inputs: [x, list([2])] });
    expect([...max!.data]).toEqual([NaN]);
  });

  it('of a cell state stays out of the gates of an LSTM without peepholes', () => {
    const gates = Object.fromEntries(lstm.gates.map((gate) => [gate, Float64Array.of(0)]));
    const { h, c } = lstm.step({
      x: gates,
      product: (gate) => gates[gate]!,
      state: { h: Float64Array.of(0), c: Float64Array.of(NaN) },
      parameters: {},
      act: [(x) => x, (x) => x, (x) => (x > 1 ? x : 0)],
      clip: (x) => x,
      variant: { coupled: false, peepholes: false, resetAfter: false },
    });
    expect(c).toEqual(Float64Array.of(NaN));
    expect(h).toEqual(Float64Array.of(0));
  });
});
