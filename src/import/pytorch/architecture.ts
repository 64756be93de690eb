// What a state_dict does not say: which layers there are, in which order, and what is between them.
// Plain data, so that it can be a JSON file next to the weights.

/** Functions between layers. */
export type PyTorchActivation =
  | 'relu'
  | 'leakyRelu'
  | 'elu'
  | 'selu'
  | 'gelu'
  | 'silu'
  | 'mish'
  | 'tanh'
  | 'sigmoid'
  | 'hardSigmoid'
  | 'softplus'
  | 'softsign'
  | 'softmax'
  | 'logSoftmax';

/** What every layer with weights has. */
export interface PyTorchModule {
  /** Path of the module in the state_dict, `encoder.rnn`; none where the model is this module. */
  readonly name?: string;
  /**
   * Tensors that do not have PyTorch's names, and weights that are shared with another layer, by
   * the name PyTorch gives them in this module: `{ weight_ih_l0: 'enc_w_ih' }`.
   */
  readonly tensors?: Readonly<Record<string, string>>;
}

/**
 * `nn.RNN`, `nn.LSTM`, `nn.GRU`, or a cell of theirs run over a sequence. Layers, directions, biases
 * and projection follow from the tensors.
 */
export interface PyTorchRecurrent extends PyTorchModule {
  /** Which of the three; the number of gates must be that of the weights. */
  readonly type: 'rnn' | 'lstm' | 'gru';
  /** As in PyTorch: x is [B, T, I], not [T, B, I]. It never applies to h0, c0, hn and cn. */
  readonly batchFirst?: boolean;
  /** Of `nn.RNN`. The weights do not tell. */
  readonly nonlinearity?: 'tanh' | 'relu';
  /** Takes h0 (and c0) as inputs, [D·L, B, H]; zeros when false. */
  readonly initialState?: boolean;
  /** Takes the lengths of a PackedSequence as an input, [B]. */
  readonly lengths?: boolean;
  /** Gives hn (and cn). By default where it is the last layer or has an initial state. */
  readonly returnState?: boolean;
  /**
   * What goes on to the next layer: `'sequence'` (default), all steps; `'last'`, `y[-1]`, the last
   * step also of rows that ended before; `'hidden'`, the final state of the last layer, [B, D·H],
   * which is what `torch.cat((hn[-2], hn[-1]), 1)` or `hn[-1]` is.
   */
  readonly output?: 'sequence' | 'last' | 'hidden';
  /** Said in PyTorch, ignored here. */
  readonly dropout?: number;
}

/** `nn.Linear`: [… , I] → [… , O]. */
export interface PyTorchLinear extends PyTorchModule {
  /** Says which layer this is. */
  readonly type: 'linear';
  /** What follows the layer; nothing when left out. */
  readonly activation?: PyTorchActivation;
}

/** `nn.Embedding`: ids → [… , F]. */
export interface PyTorchEmbedding extends PyTorchModule {
  /** Says which layer this is. */
  readonly type: 'embedding';
}

/** `nn.LayerNorm` over the last axes. */
export interface PyTorchLayerNorm extends PyTorchModule {
  /** Says which layer this is. */
  readonly type: 'layerNorm';
  /** 1e-5. */
  readonly eps?: number;
  /** What follows the layer; nothing when left out. */
  readonly activation?: PyTorchActivation;
}

/** `nn.BatchNorm1d`: [B, C] or [B, C, L]. */
export interface PyTorchBatchNorm1d extends PyTorchModule {
  /** Says which layer this is. */
  readonly type: 'batchNorm1d';
  /** 1e-5. */
  readonly eps?: number;
  /** What follows the layer; nothing when left out. */
  readonly activation?: PyTorchActivation;
}

/** `nn.Conv1d`: [B, C, L] → [B, F, L']. */
export interface PyTorchConv1d extends PyTorchModule {
  /** Says which layer this is. */
  readonly type: 'conv1d';
  /** 1. */
  readonly stride?: number;
  /** 0. Zeros on both sides. */
  readonly padding?: number | 'same' | 'valid';
  /** 1. */
  readonly dilation?: number;
  /** 1. */
  readonly groups?: number;
  /** What follows the layer; nothing when left out. */
  readonly activation?: PyTorchActivation;
}

/** A function by itself; softmax and logSoftmax are over the last axis. */
export interface PyTorchFunction {
  /** Says which layer this is. */
  readonly type: 'activation';
  /** Which function. */
  readonly activation: PyTorchActivation;
  /** `negative_slope` of leakyRelu (0.01), `alpha` of elu (1). */
  readonly alpha?: number;
}

/** `x.permute(dims)`: `[0, 2, 1]` between a convolution and a layer with `batchFirst`. */
export interface PyTorchPermute {
  /** Says which layer this is. */
  readonly type: 'permute';
  /** For each axis of the result, the axis of x that it is. */
  readonly dims: readonly number[];
}

/** `nn.Dropout`, which does nothing in inference. */
export interface PyTorchDropout {
  /** Says which layer this is. */
  readonly type: 'dropout';
  /** Said in PyTorch, ignored here. */
  readonly p?: number;
}

/** One layer. */
export type PyTorchLayer =
  | PyTorchRecurrent
  | PyTorchLinear
  | PyTorchEmbedding
  | PyTorchLayerNorm
  | PyTorchBatchNorm1d
  | PyTorchConv1d
  | PyTorchFunction
  | PyTorchPermute
  | PyTorchDropout;

/** Names of the inputs and outputs of the graph. */
export interface PyTorchNames {
  /** The input; `'x'`. */
  readonly x?: string;
  /** The initial hidden state; `'h0'`. */
  readonly h0?: string;
  /** The initial cell state of an LSTM; `'c0'`. */
  readonly c0?: string;
  /** The lengths of the sequences; `'lengths'`. */
  readonly lengths?: string;
  /** The output; `'y'`. */
  readonly y?: string;
  /** The final hidden state; `'hn'`. */
  readonly hn?: string;
  /** The final cell state of an LSTM; `'cn'`. */
  readonly cn?: string;
}

/**
 * What a file of PyTorch weights means. Where `layers` is left out they are found out from names and
 * shapes: an embedding or none, recurrent layers, a linear layer or none. Nothing is guessed: what
 * names and shapes leave open is refused.
 *
 * Inputs are `x`, `h0`, `c0` and `lengths`, outputs `y`, `hn` and `cn`, in PyTorch's shapes. Where
 * more than one recurrent module has a state, theirs are called `NAME.h0` and so on.
 *
 * @example
 * ```ts
 * const model = await loadModel('tagger.safetensors', {
 *   architecture: {
 *     batchFirst: true,
 *     layers: [
 *       { type: 'embedding', name: 'emb' },
 *       { type: 'lstm', name: 'lstm' },
 *       { type: 'linear', name: 'fc', activation: 'softmax' },
 *     ],
 *   },
 * });
 * ```
 */
export interface PyTorchArchitecture {
  /** In the order of `forward`. */
  readonly layers?: readonly PyTorchLayer[];
  /**
   * Where the state_dict is in a file of `torch.save` that has more, such as the state of an optimizer: the
   * key, or the keys from the outermost dict on. Found out where the file has one state_dict.
   */
  readonly stateDict?: string | readonly string[];
  /** Only tensors whose names begin so are read, and without it: `'model.'`. */
  readonly prefix?: string;
  /** Beginnings of the names of tensors that are of no use here; any other must find its layer. */
  readonly ignore?: readonly string[];
  /** For recurrent layers that do not say; false, as in PyTorch. */
  readonly batchFirst?: boolean;
  /** For recurrent layers that do not say; `'tanh'`, as in PyTorch. */
  readonly nonlinearity?: 'tanh' | 'relu';
  /** For recurrent layers that do not say; false. */
  readonly initialState?: boolean;
  /** For recurrent layers that do not say; false. */
  readonly lengths?: boolean;
  /** Element type of ids, int32 by default, and the shape of x where the first layer leaves it open. */
  readonly input?: {
    /** `'int32'` or `'int64'` for ids, `'float32'` for anything else. */
    readonly type?: 'float32' | 'int32' | 'int64';
    /** Its shape; a text is the name of a free size. */
    readonly dims?: readonly (number | string)[];
  };
  /** What inputs and outputs are called where not by their names in PyTorch. */
  readonly names?: PyTorchNames;
}
