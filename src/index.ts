// The public API, every export written out. In Node import `webgpu-rnn/node`, which adds WebGPU from
// Dawn and the file system.
export { RnnError } from './errors.ts';
export type { RnnErrorCode, RnnErrorData } from './errors.ts';
export { tensor } from './tensor.ts';
export type { DataType, NestedValues, Tensor, TypedArray, TypedArrays, TypeOf } from './tensor.ts';
export { isWebGPUAvailable } from './environment.ts';
export { loadModel } from './load-model.ts';
export { Model } from './model.ts';
export { saveModel } from './save-model.ts';
export type { DeviceLoss, LoadOptions, Recovery, StreamOptions } from './load-options.ts';
export { createWorkerModel } from './worker-model.ts';
export type {
  NodeWorker,
  WorkerCallOptions,
  WorkerModel,
  WorkerModelOptions,
  WorkerStream,
} from './worker/worker-model.ts';
export { createRnnNode } from './audio-node.ts';
export type { RnnNode, RnnNodeOptions } from './worklet/node.ts';
export type { Recovered, Starved, WorkletModel } from './worklet/protocol.ts';
export type { BlockStatistics } from './audio/block-times.ts';
export { inspect } from './inspect.ts';
export type {
  InspectedCpu,
  InspectedLayer,
  InspectedPlan,
  InspectedShader,
  InspectOptions,
  Inspection,
} from './inspect.ts';
export { generate } from './generate.ts';
export type {
  GenerateOptions,
  SamplingOptions,
  ScoredToken,
  TokenList,
  TokenOptions,
} from './generation/types.ts';
export { seq2seq } from './seq2seq.ts';
export type { DecodedSequence, Decoding, Seq2Seq, Seq2SeqOptions } from './generation/decoding.ts';
export { Stream } from './stream.ts';
export { GroupStream } from './group-stream.ts';
export { StreamGroup } from './streams.ts';
export type { StreamCounts, StreamsOptions } from './streams.ts';
export type { CallOptions, StreamState, SyncOptions, TraceOptions } from './stream.ts';
export type { LayerTrace, TracedResults, TracedValues } from './backends/trace.ts';
export type {
  BackendName,
  Feeds,
  GpuTensor,
  GpuTensors,
  Tensors,
  Usage,
} from './backends/backend.ts';
export type { WarmUpRange } from './backends/warm-up-range.ts';
export type { RecurrentVariant } from './plan/select/variants.ts';
export type { Bytes, ModelSource, Progress } from './import/source.ts';
export type { Integrity } from './import/integrity.ts';
export { readSafetensors } from './import/safetensors.ts';
export type { SafetensorsOptions } from './import/safetensors.ts';
export type {
  PyTorchActivation,
  PyTorchArchitecture,
  PyTorchBatchNorm1d,
  PyTorchConv1d,
  PyTorchDropout,
  PyTorchEmbedding,
  PyTorchFunction,
  PyTorchLayer,
  PyTorchLayerNorm,
  PyTorchLinear,
  PyTorchModule,
  PyTorchNames,
  PyTorchPermute,
  PyTorchRecurrent,
} from './import/pytorch/architecture.ts';
export {
  activation,
  add,
  attention,
  batchNorm,
  bidirectional,
  concat,
  conv1d,
  dense,
  dropout,
  embedding,
  functional,
  gru,
  input,
  layerNorm,
  lstm,
  multiHeadAttention,
  pool,
  recurrent,
  residual,
  rnn,
  sequential,
  softmax,
  stack,
  timeDistributed,
} from './layers.ts';
export type {
  ActivationOptions,
  AdditiveOptions,
  AttentionInputs,
  AttentionLayer,
  AttentionOptions,
  AttentionResult,
  BatchNormOptions,
  BothDirections,
  CellOptions,
  ConcatOptions,
  ConcatScoreOptions,
  Conv1dOptions,
  DenseOptions,
  DotOptions,
  EmbeddingOptions,
  FloatArray,
  FunctionalOptions,
  GeneralOptions,
  GruOptions,
  InputOptions,
  Layer,
  LayerNormOptions,
  LayerOptions,
  LayerParts,
  Layout,
  LstmOptions,
  MergeMode,
  MultiHeadOptions,
  NestedNumbers,
  OrderOption,
  PoolOptions,
  Projection,
  RecurrentInputs,
  RecurrentLayer,
  RecurrentLayerOptions,
  RecurrentOptions,
  RecurrentResult,
  ScoreOptions,
  SequenceOptions,
  SequentialOptions,
  SoftmaxOptions,
  SymbolicTensor,
  WeightOrder,
  Weights,
  WindowOptions,
} from './layers.ts';
export type { ImportLimits } from './import/limits.ts';
export type {
  Attribute,
  DeclaredValue,
  Graph,
  Node,
  RecurrentAttributes,
  ValueInfo,
} from './graph.ts';
export { defineCell } from './cells/define-cell.ts';
export type { CellDefinition, ParameterDefinition, PhaseDefinition } from './cells/define-cell.ts';
export type {
  Cell,
  CellName,
  CellParameter,
  CellPhase,
  CellReduction,
  CellVariant,
  StepInput,
  Vectors,
} from './cells/index.ts';
