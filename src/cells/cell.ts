// What a recurrent cell is: the arithmetic of the hidden units at one time step, written twice,
// in float64 for the reference and in WGSL for the kernels. Adding a cell is one file like lstm.ts
// and one line in index.ts.

/** Everything a cell sees of one batch row at one time step. Arrays hold one number a unit, [H]. */
export interface StepInput {
  /** W·x + Wb of each gate. */
  readonly x: readonly Float64Array[];
  /** R_gate · v without its bias; v has the width of h. */
  readonly product: (gate: number, v: Float64Array) => Float64Array;
  /** Recurrent bias of each gate. */
  readonly rb: readonly Float64Array[];
  /** State before the step. `h` has the projected width where there is a projection. */
  readonly h: Float64Array;
  readonly c: Float64Array;
  /** Peepholes of i, o, f; undefined without. */
  readonly p: readonly Float64Array[] | undefined;
  /** The activations of this direction, in the order of `Cell.activations`. */
  readonly act: readonly ((x: number) => number)[];
  /** Limits a gate pre-activation; the identity without `clip`. */
  readonly clip: (x: number) => number;
  readonly coupled: boolean;
  readonly resetAfter: boolean;
}

/** State after a step, [H] each, before a projection. */
export interface StepOutput {
  readonly h: Float64Array;
  readonly c: Float64Array;
}

/** What varies between two layers of the same cell and changes the WGSL of a step. */
export interface CellVariant {
  readonly coupled: boolean;
  readonly resetAfter: boolean;
  readonly peepholes: boolean;
}

/**
 * One product with a vector that all units share, and the arithmetic after it. A second phase
 * exists where a product needs the result of the first: it reads the shared vector `u`.
 *
 * The statements see, as f32: `x_GATE` (hoisted W·x + b) and `s_GATE` (this phase's products) for
 * each gate by name, `rb_GATE`, `h`, `c` (state before the step), `p_i`, `p_o`, `p_f`, `keep` (left
 * by the phase before), and the functions `clipGate`, `act0`, `act1`, `act2`. They assign `hNew` and
 * `cNew`, or, where another phase follows, `u` and `keep`.
 */
export interface CellPhase {
  /** Gates whose rows of R are multiplied. */
  readonly gates: readonly number[];
  /** The vector they are multiplied with. */
  readonly operand: 'h' | 'u';
  readonly wgsl: string;
}

/** A recurrent cell. */
export interface Cell {
  /** Gates by name: row blocks of W, R and B in this order, which is the order of ONNX. */
  readonly gates: readonly string[];
  /** Default activations by ONNX name. */
  readonly activations: readonly string[];
  /** Whether there is a cell state c beside the hidden state h. */
  readonly hasC: boolean;
  /** One step of one row in float64. */
  readonly step: (input: StepInput) => StepOutput;
  /** The same step for one unit in WGSL. */
  readonly phases: (variant: CellVariant) => readonly CellPhase[];
  /** Gates whose recurrent bias may be added to the input bias once and for all. */
  readonly foldsBias: (gate: number, variant: CellVariant) => boolean;
}
