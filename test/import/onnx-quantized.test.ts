// DynamicQuantizeLSTM, which ONNX Runtime computes with inputs and states rounded to 8 bits, and the other
// operators of quantised models where the file is not as quantize_dynamic writes it.
import { describe, expect, it } from 'vitest';
import { importOnnx } from '../../src/import/onnx/index.ts';
import { loadModel } from '../../src/index.ts';
import { sizeOf, tensor, type Tensor } from '../../src/tensor.ts';
import { findDifference } from '../support/close.ts';
import { BACKENDS, loadOn } from '../support/onnx-backends.ts';
import { writeOnnx, type OnnxGraph } from '../support/onnx-writer.ts';
import { runOnnxRuntime } from '../support/onnxruntime.ts';
import { randomOf } from '../support/random.ts';

const random = randomOf(13);
const [T, B, I, H] = [6, 2, 5, 8];
const X = tensor(random.floats(T * B * I), [T, B, I]);
const floats = (dims: readonly number[], scale = 1): Tensor =>
  tensor(random.floats(sizeOf(dims), scale), dims);

interface Options {
  readonly directions: 1 | 2;
  readonly type: 'int8' | 'uint8';
  readonly perRow: boolean;
}

/** Weights [D, K, 4·H] in 8 bits with their scales and zero points, and the same as floats [D, 4·H, K]. */
function weights({ directions: D, type, perRow }: Options, K: number) {
  const rows = 4 * H;
  const base = type === 'int8' ? -128 : 0;
  const levels = Array.from({ length: D * K * rows }, () => base + random.int(0, 255));
  const each = perRow ? [D, rows] : [D];
  const scale = Array.from({ length: sizeOf(each) }, () => random.int(1, 9) / 2000);
  // ONNX Runtime has rows with a scale of their own for symmetric weights only.
  const zero = scale.map(() => (perRow && type === 'int8' ? 0 : base + 120 + random.int(0, 16)));
  const wide = new Float32Array(levels.length);
  for (let d = 0; d < D; d++)
    for (let k = 0; k < K; k++)
      for (let row = 0; row < rows; row++) {
        const at = perRow ? d * rows + row : d;
        const level = levels[(d * K + k) * rows + row]!;
        wide[(d * rows + row) * K + k] = Math.fround((level - zero[at]!) * Math.fround(scale[at]!));
      }
  return {
    quantized: tensor(levels, [D, K, rows], type),
    scale: tensor(scale, each),
    zero: tensor(zero, each, type),
    floats: tensor(wide, [D, rows, K]),
  };
}

function files(options: Options) {
  const { directions: D } = options;
  const [W, R] = [weights(options, I), weights(options, H)];
  const bias = floats([D, 8 * H]);
  const attributes = {
    hidden_size: H,
    direction: D === 2 ? 'bidirectional' : 'forward',
  };
  const io = {
    inputs: [{ name: 'X', type: 'float32', dims: ['T', 'B', I] }],
    outputs: ['Y', 'Y_h', 'Y_c'].map((name) => ({ name, type: 'float32' as const })),
  } as const;
  const outputs = ['Y', 'Y_h', 'Y_c'];
  const quantized: OnnxGraph = {
    ...io,
    nodes: [
      {
        op: 'DynamicQuantizeLSTM',
        domain: 'com.microsoft',
        inputs: ['X', 'W', 'R', 'B', '', '', '', '', 'Ws', 'Wz', 'Rs', 'Rz'],
        outputs,
        attributes,
      },
    ],
    initializers: {
      W: W.quantized,
      R: R.quantized,
      B: bias,
      Ws: W.scale,
      Wz: W.zero,
      Rs: R.scale,
      Rz: R.zero,
    },
  };
  const wide: OnnxGraph = {
    ...io,
    nodes: [{ op: 'LSTM', inputs: ['X', 'W', 'R', 'B'], outputs, attributes }],
    initializers: { W: W.floats, R: R.floats, B: bias },
  };
  return {
    quantized: writeOnnx(quantized, { domains: { 'com.microsoft': 1 } }),
    wide: writeOnnx(wide),
  };
}

describe.each<Options>([
  { directions: 1, type: 'int8', perRow: false },
  { directions: 2, type: 'uint8', perRow: false },
  { directions: 2, type: 'int8', perRow: true },
])('DynamicQuantizeLSTM $directions $type, a scale for each row: $perRow', (options) => {
  const { quantized, wide } = files(options);

  it.each(BACKENDS)('on %s is the LSTM of its weights', async (backend) => {
    const model = await loadOn(backend, quantized);
    const actual = await model.run({ X });
    const exact = await runOnnxRuntime(wide, { X });
    const rounded = await runOnnxRuntime(quantized, { X });
    for (const [name, { data, dims }] of Object.entries(actual)) {
      const numbers = (of: Tensor): Float32Array => of.data as Float32Array;
      // Float32 sums of some 13 products of order one, through 6 steps.
      const label = `${backend} ${name}`;
      const off = findDifference(data, numbers(exact[name]!), { atol: 1e-5, dims, label });
      expect(off).toBeUndefined();
      // ONNX Runtime rounds x and h to 1/255 of their range, 2, which is an error of 1/255 at most in each of I + H
      // factors of weights up to 0.6, random in sign: √13 · 0.6 / 255 ≈ 0.01 in a gate.
      const step = findDifference(data, numbers(rounded[name]!), { atol: 0.05, dims, label });
      expect(step).toBeUndefined();
    }
    model.dispose();
  });
});

describe('quantised operators refuse', () => {
  const product = (inputs: readonly string[], initializers: Readonly<Record<string, Tensor>>) =>
    writeOnnx({
      nodes: [{ op: 'MatMulInteger', inputs, outputs: ['y'] }],
      inputs: [{ name: 'a', type: 'uint8', dims: [2, 3] }],
      outputs: [{ name: 'y', type: 'int32' }],
      initializers,
    });
  const factor = tensor([1, 2, 3], [3, 1], 'uint8');

  it('a zero point of A for each row', async () => {
    const file = product(['a', 'b', 'z'], { b: factor, z: tensor([1, 2], [2], 'uint8') });
    const a = tensor([1, 2, 3, 4, 5, 6], [2, 3], 'uint8');
    const load = loadModel(file, { device: 'reference' });
    await expect(load.then((model) => model.run({ a }))).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
    });
  });

  it('a missing factor', () => {
    expect(() => importOnnx(product(['a', '', ''], {}))).toThrow(
      expect.objectContaining({ code: 'INVALID_MODEL', path: 'graph.nodes[0].inputs[1]' }),
    );
  });

  it('weights of an LSTM that the file does not hold', () => {
    const file = writeOnnx(
      {
        nodes: [
          {
            op: 'DynamicQuantizeLSTM',
            domain: 'com.microsoft',
            inputs: ['X', 'W', 'W', '', '', '', '', '', 's', '', 's', ''],
            outputs: ['Y'],
            attributes: { hidden_size: H },
          },
        ],
        inputs: [
          { name: 'X', type: 'float32', dims: [T, B, I] },
          { name: 'W', type: 'uint8', dims: [1, I, 4 * H] },
        ],
        outputs: [{ name: 'Y', type: 'float32' }],
        initializers: { s: tensor([1], [1]) },
      },
      { domains: { 'com.microsoft': 1 } },
    );
    expect(() => importOnnx(file)).toThrow(
      /W of DynamicQuantizeLSTM, got none that the file holds/,
    );
  });

  it('scales that do not fit', () => {
    const file = writeOnnx(
      {
        nodes: [
          {
            op: 'DynamicQuantizeLSTM',
            domain: 'com.microsoft',
            inputs: ['X', 'W', 'W', '', '', '', '', '', 's', '', 's', ''],
            outputs: ['Y'],
            attributes: { hidden_size: H },
          },
        ],
        inputs: [{ name: 'X', type: 'float32', dims: [T, B, H] }],
        outputs: [{ name: 'Y', type: 'float32' }],
        initializers: {
          W: tensor(new Uint8Array(H * 4 * H), [1, H, 4 * H]),
          s: tensor([1, 2], [2]),
        },
      },
      { domains: { 'com.microsoft': 1 } },
    );
    expect(() => importOnnx(file)).toThrow(
      expect.objectContaining({ code: 'SHAPE_MISMATCH', path: 'graph.nodes[0].inputs[1]' }),
    );
  });

  it('operators of other domains, with the names of those there are', () => {
    const file = writeOnnx(
      {
        nodes: [{ op: 'QAttention', domain: 'com.microsoft', inputs: ['x'], outputs: ['y'] }],
        inputs: [{ name: 'x', type: 'float32', dims: [1] }],
        outputs: [{ name: 'y', type: 'float32' }],
      },
      { domains: { 'com.microsoft': 1 } },
    );
    expect(() => importOnnx(file)).toThrow(
      /com\.microsoft:QAttention .*; of com\.microsoft there are DequantizeLinear, DynamicQuantizeLSTM/,
    );
  });
});
