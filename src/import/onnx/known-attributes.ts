// The attributes that the operators have in any operator set from 7 on. The checker of ONNX refuses others
// (https://github.com/onnx/onnx/blob/main/onnx/defs/schema.cc, "Unrecognized attribute"), and so does ONNX Runtime:
// what is misspelt would be ignored, and its default taken instead.
import { RnnError } from '../../errors.ts';
import type { NodeProto } from './model.ts';

const REDUCE = 'axes keepdims noop_with_empty_axes';
const WINDOW = 'auto_pad dilations kernel_shape pads strides';
const RECURRENT = 'activation_alpha activation_beta activations clip direction hidden_size layout';
const LOGIC = 'axis broadcast'; // until opset 7; a node that has them is refused elsewhere, with its reason

/** Names by operator, separated by spaces. https://onnx.ai/onnx/operators/ */
export const KNOWN: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    'L1 L2 LogSum LogSumExp Max Mean Min Prod Sum SumSquare'
      .split(' ')
      .map((name) => [`Reduce${name}`, REDUCE]),
  ),
  ...Object.fromEntries(
    'Add And Div Equal Greater Less Mul Or Pow PRelu Sub Xor'
      .split(' ')
      .map((name) => [name, LOGIC]),
  ),
  ...Object.fromEntries(
    (
      'Abs Ceil Cos DynamicQuantizeLinear DynamicQuantizeMatMul Erf Exp Expand Floor GlobalAveragePool GlobalMaxPool GreaterOrEqual HardSwish Identity IsNaN ' +
      'LessOrEqual Log MatMul MatMulInteger MatMulIntegerToFloat Max Mean Min Mish Neg NonZero Not Range Reciprocal Relu Round SequenceAt ' +
      'SequenceConstruct SequenceInsert SequenceErase SequenceLength Sigmoid Sign Sin Size Softplus Softsign Sqrt ' +
      'Sum Tanh Tile Where'
    )
      .split(' ')
      .map((name) => [name, '']),
  ),
  ArgMax: 'axis keepdims select_last_index',
  ArgMin: 'axis keepdims select_last_index',
  AveragePool: `${WINDOW} ceil_mode count_include_pad`,
  BatchNormalization: 'epsilon momentum spatial training_mode',
  Cast: 'round_mode saturate to',
  CausalConvWithState: 'activation',
  Celu: 'alpha',
  Clip: 'max min',
  Concat: 'axis',
  ConcatFromSequence: 'axis new_axis',
  Constant:
    'sparse_value value value_float value_floats value_int value_ints value_string value_strings',
  ConstantOfShape: 'value',
  Conv: `${WINDOW} group`,
  ConvInteger: `${WINDOW} group`,
  ConvTranspose: `${WINDOW} group output_padding output_shape`,
  CumSum: 'exclusive reverse',
  DequantizeLinear: 'axis block_size output_dtype',
  Dropout: 'ratio seed',
  DynamicQuantizeLSTM: `${RECURRENT} input_forget`,
  Einsum: 'equation',
  Elu: 'alpha',
  Flatten: 'axis',
  GRU: `${RECURRENT} linear_before_reset`,
  Gather: 'axis',
  GatherElements: 'axis',
  GatherND: 'batch_dims',
  Gelu: 'approximate',
  Gemm: 'alpha beta broadcast transA transB',
  GroupNormalization: 'epsilon num_groups stash_type',
  HardSigmoid: 'alpha beta',
  Hardmax: 'axis',
  If: 'else_branch then_branch',
  InstanceNormalization: 'epsilon',
  LSTM: `${RECURRENT} input_forget`,
  LayerNormalization: 'axis epsilon stash_type',
  LeakyRelu: 'alpha',
  LinearAttention: 'chunk_size kv_num_heads q_num_heads scale update_rule',
  LogSoftmax: 'axis',
  Loop: 'body',
  MaxPool: `${WINDOW} ceil_mode storage_order`,
  Mod: 'fmod',
  OneHot: 'axis',
  Pad: 'mode pads value',
  QuantizeLinear: 'axis block_size output_dtype precision saturate',
  RNN: RECURRENT,
  Reshape: 'allowzero',
  Resize:
    'antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside extrapolation_value ' +
    'keep_aspect_ratio_policy mode nearest_mode',
  ReverseSequence: 'batch_axis time_axis',
  Scan:
    'body num_scan_inputs scan_input_axes scan_input_directions scan_output_axes scan_output_directions ' +
    'directions',
  Scatter: 'axis',
  ScatterElements: 'axis reduction',
  ScatterND: 'reduction',
  Selu: 'alpha gamma',
  SequenceEmpty: 'dtype',
  Shape: 'end start',
  Slice: 'axes ends starts',
  Softmax: 'axis',
  Split: 'axis num_outputs split',
  SplitToSequence: 'axis keepdims',
  Squeeze: 'axes',
  Swish: 'alpha',
  ThresholdedRelu: 'alpha',
  TopK: 'axis k largest sorted',
  Transpose: 'perm',
  Trilu: 'upper',
  Unsqueeze: 'axes',
  Upsample: 'mode scales',
};

/**
 * Refuses attributes that the operator of a node does not have. Operators that are not in the table, which the
 * engine lacks, are refused elsewhere.
 *
 * @throws RnnError `INVALID_MODEL` with the path of the attribute
 */
export function refuseUnknownAttributes({ op, name, path, attributes }: NodeProto): void {
  const names = Object.hasOwn(KNOWN, op) ? KNOWN[op]!.split(' ') : undefined;
  const unknown = names && attributes.find((attribute) => !names.includes(attribute.name));
  if (!unknown) return;
  const expected = names.join(', ') || 'none';
  const what = `attribute of ${op} '${name}', got ${unknown.name}, expected one of ${expected}`;
  throw new RnnError('INVALID_MODEL', `${path}.${unknown.name}`, what);
}
