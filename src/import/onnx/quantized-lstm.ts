// DynamicQuantizeLSTM → LSTM: its weights become float32. ONNX Runtime also rounds inputs and states to
// 8 bits in each step, to multiply integers; here they stay as they are, which is nearer to the model
// that was quantised.
// https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#commicrosoftdynamicquantizelstm
import { RnnError } from '../../errors.ts';
import type { Node } from '../../graph.ts';
import { tensor, type Tensor } from '../../tensor.ts';
import type { Budget } from '../limits.ts';
import type { UpgradeContext } from './upgrade-context.ts';

/** Of W and R: the slots of the weights, their scales and their zero points. */
const QUANTIZED = [
  { name: 'W', slot: 1, scale: 8, zero: 9 },
  { name: 'R', slot: 2, scale: 10, zero: 11 },
] as const;

/**
 * The LSTM that a DynamicQuantizeLSTM approximates.
 *
 * @throws RnnError `UNSUPPORTED_OPERATOR` for weights that the file does not hold, `SHAPE_MISMATCH` for
 *   scales that do not fit them, `LIMIT_EXCEEDED`
 */
export function toFloatLstm(node: Node, context: UpgradeContext, budget: Budget): Node {
  const inputs = node.inputs.slice(0, 8);
  for (const { name, slot, scale, zero } of QUANTIZED) {
    const value = (at: number, what: string): Tensor => {
      const found = context.known(node.inputs[at] ?? '');
      if (found) return found;
      const path = `${context.path}.inputs[${at}]`;
      const expected = 'got none that the file holds, expected a constant';
      throw new RnnError('UNSUPPORTED_OPERATOR', path, `${what} of ${node.op}, ${expected}`);
    };
    const path = `${context.path}.inputs[${slot}]`;
    const weight = value(slot, name);
    budget.decode(4 * weight.data.length, path);
    const zeroPoint = node.inputs[zero] ? value(zero, `zero point of ${name}`) : undefined;
    const floats = dequantized(weight, value(scale, `scale of ${name}`), zeroPoint, path);
    inputs[slot] = context.constant(`${node.name}/${name}`, floats);
  }
  return { ...node, op: 'LSTM', inputs };
}

/** [D, K, 4·H] with scales [D] or [D, 4·H] → [D, 4·H, K]. */
function dequantized(q: Tensor, scale: Tensor, zero: Tensor | undefined, path: string): Tensor {
  const [D = 0, K = 0, rows = 0] = q.dims;
  const isPerRow = scale.dims.length === 2;
  const expected = isPerRow ? [D, rows] : [D];
  for (const { dims } of zero ? [scale, zero] : [scale]) {
    if (q.dims.length === 3 && dims.join() === expected.join()) continue;
    const what = `weights of DynamicQuantizeLSTM, got [${q.dims.join(', ')}] with [${dims.join(', ')}]`;
    throw new RnnError(
      'SHAPE_MISMATCH',
      path,
      `${what}, expected [D, K, 4·H] with [D] or [D, 4·H]`,
    );
  }
  const result = new Float32Array(D * rows * K);
  for (let i = 0; i < result.length; i++) {
    const [k, row, d] = [i % K, Math.floor(i / K) % rows, Math.floor(i / (K * rows))];
    const at = isPerRow ? d * rows + row : d;
    const level = Number(q.data[(d * K + k) * rows + row]) - Number(zero?.data[at] ?? 0);
    result[i] = level * Number(scale.data[at]);
  }
  return tensor(result, [D, rows, K]);
}
