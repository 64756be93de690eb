// The options of recurrent layers.
import type { Cell, CellName } from '../cells/index.ts';
import type { RecurrentAttributes } from '../graph.ts';
import type { LayerParts, SequenceOptions } from './layer.ts';
import type { SymbolicTensor } from './symbolic.ts';
import type { OrderOption, Weights } from './weights.ts';

/** How the outputs of two directions become one. */
export type MergeMode = 'concat' | 'sum' | 'mul' | 'ave';

/**
 * Options of every recurrent layer. D directions, G gates, H hidden units, I inputs; H and I follow
 * from the shapes. With one direction the axis D may be left out.
 */
export interface RecurrentLayerOptions extends SequenceOptions, OrderOption {
  /** [D, G·H, I], a block of rows for each gate; with `order: 'keras'` [D, I, G·H], blocks of columns. */
  readonly W: Weights;
  /**
   * [D, 2·G·H] or [D, 2, G·H], input biases, then recurrent biases; zeros when left out. With `order: 'keras'`
   * [D, G·H], and [D, 2, G·H] for a GRU with `resetAfter`.
   */
  readonly B?: Weights | undefined;
  /** `forward` by default, or `bidirectional` where the weights are those of two directions. */
  readonly direction?: RecurrentAttributes['direction'] | undefined;
  /** How both directions are joined; `concat` by default: H wide forward, then H wide backward. */
  readonly merge?: MergeMode | undefined;
  /** Names as of `activation`, for one direction or for each. */
  readonly activations?: readonly string[] | undefined;
  /** Parameters of the activations, as many; NaN for the default. */
  readonly alphas?: readonly number[] | undefined;
  /** Likewise. */
  readonly betas?: readonly number[] | undefined;
  /** Limit of the gate pre-activations; none by default. */
  readonly clip?: number | undefined;
  /** True by default: the output of every step. False: of the last step alone, [B, H]. */
  readonly returnSequences?: boolean | undefined;
}

/** Options of `rnn`, and of every layer whose cell multiplies its output. */
export interface RecurrentOptions extends RecurrentLayerOptions {
  /** [D, G·H, H]; with `order: 'keras'` [D, H, G·H]. */
  readonly R: Weights;
}

/** Options of `recurrent`. */
export interface CellOptions extends RecurrentLayerOptions {
  /** A cell made by `defineCell`, or one of `'rnn'`, `'lstm'` and `'gru'`. */
  readonly cell: Cell | CellName;
  /** [D, G·H, H]; left out for a cell without products. */
  readonly R?: Weights | undefined;
  /** [D, K·H], the parameters of the cell in order; left out for a cell that declares none. */
  readonly P?: Weights | undefined;
}

/** Options of `lstm`: blocks i, o, f, c, unless `order` says otherwise; activations of gates, candidate, output. */
export interface LstmOptions extends RecurrentOptions {
  /** [D, 3·H], peepholes of i, o, f, in every order. */
  readonly P?: Weights | undefined;
  /** [D, O, H], h = projection · (o ∘ tanh c), in every order. R is [D, 4·H, O] then. */
  readonly projection?: Weights | undefined;
  /** f = 1 - i. */
  readonly coupled?: boolean | undefined;
}

/** Options of `gru`: blocks z, r, h, unless `order` says otherwise; activations of gates, candidate. */
export interface GruOptions extends RecurrentOptions {
  /**
   * True by default, as in PyTorch and Keras 3: the reset gate scales R·h + b. False, as in ONNX and
   * TF.js: it scales h.
   */
  readonly resetAfter?: boolean | undefined;
  /**
   * What the update gate z is a fraction of: `'keepsOld'`, h = (1 - z)∘n + z∘h, as in every framework, by
   * default; `'takesNew'`, h = (1 - z)∘h + z∘n, as in many texts.
   */
  readonly updateGate?: 'keepsOld' | 'takesNew' | undefined;
}

/** What a recurrent layer reads besides its sequence. */
export interface RecurrentInputs {
  /**
   * The states before the first step, [B, H] each: h and further states of the cell, such as c; of two directions
   * all forward ones first. What `withStates` of another layer gives. Zeros when left out.
   */
  readonly initialState?: readonly SymbolicTensor[] | undefined;
  /** [B] integers: steps of each row. The output behind them is zero, and the state stays. */
  readonly lengths?: SymbolicTensor | undefined;
  /** [B, T], or [T, B] with layout 0: false or zero where a row skips a step. */
  readonly mask?: SymbolicTensor | undefined;
}

/** What a recurrent layer gives. */
export type RecurrentResult<Y = SymbolicTensor> = {
  /** Its output, as its call gives it. */
  readonly y: Y;
  /** Every state after the last step, [B, H] each, in the order of {@link RecurrentInputs.initialState}. */
  readonly states: readonly SymbolicTensor[];
};

/** A recurrent layer, which `bidirectional` can pair with another. */
export interface RecurrentLayer<Y = SymbolicTensor> extends LayerParts {
  /**
   * Applies the layer.
   *
   * @throws RnnError `SHAPE_MISMATCH` or `INVALID_ARGUMENT` with the name or kind of the layer as path
   */
  (x: SymbolicTensor, also?: RecurrentInputs): Y;
  /**
   * Applies the layer and gives its output and its states after the last step, in the order of
   * {@link RecurrentInputs.initialState}.
   */
  readonly withStates: (x: SymbolicTensor, also?: RecurrentInputs) => RecurrentResult<Y>;
  /** @internal */
  readonly cell: Cell;
  /** @internal */
  readonly options: AnyOptions;
}

/** The options of all cells together; `merge: 'none'` is that of `bidirectional`. */
export type AnyOptions = Omit<LstmOptions & GruOptions, 'R' | 'merge'> &
  Pick<CellOptions, 'R'> & { readonly merge?: MergeMode | 'none' | undefined };
