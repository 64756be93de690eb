// What a recurrent cell is: the arithmetic of the hidden units at one time step, written twice, in
// float64 for the reference and in WGSL for the kernels. Everything else about a cell is declared, so
// that planning, packing, streaming and the kernels follow from the declaration.

/** What varies between two layers of the same cell and changes its arithmetic. */
export interface CellVariant {
  /** LSTM: f = 1 - i. */
  readonly coupled: boolean;
  /** GRU: the reset gate scales R·h + b instead of h. */
  readonly resetAfter: boolean;
  /** LSTM: the gates see c through the weights `p_i`, `p_o`, `p_f`. */
  readonly peepholes: boolean;
}

/** Vectors by name, [H] each; the output state has the width O where there is a projection. */
export type Vectors = Readonly<Record<string, Float64Array>>;

/** What the float64 step of a cell sees of one batch row at one time step. */
export interface StepInput {
  /** W·x + b of each gate, with the recurrent biases that no parameter takes. */
  readonly x: Vectors;
  /** R_gate · v: [H] from a vector as wide as the output state. */
  readonly product: (gate: string, v: Float64Array) => Float64Array;
  /** The states before the step. */
  readonly state: Vectors;
  /** The parameters that the cell declares for this variant. */
  readonly parameters: Vectors;
  /** The activations of this direction, in the order of {@link Cell.activations}. */
  readonly act: readonly ((x: number) => number)[];
  /** Limits a gate pre-activation to [-clip, clip]; the identity without `clip`. */
  readonly clip: (x: number) => number;
  /** Options of the layer that change its arithmetic. */
  readonly variant: CellVariant;
  /**
   * There where the layer is traced: takes a gate or candidate after its activation, [H], for `trace` to show
   * under that name.
   */
  readonly observe?: (name: string, values: Float64Array) => void;
}

/** A number per unit that a cell reads besides its gates: a peephole, a gain, a bias. */
export interface CellParameter {
  /** Name in `parameters` and in the WGSL struct `Parameters`. */
  readonly name: string;
  /**
   * The gate whose recurrent bias it is. Such a bias comes from B and is then not part of x. Without
   * this the parameter comes from the input P of the layer, [D, K·H], its K parameters in order.
   */
  readonly recurrentBias?: string;
}

/** A sum over all units of a row: Σ f(unit). Later ones may read earlier ones. */
export interface CellReduction {
  /** Name of the WGSL function, and of the member of `Sums` that holds the result. */
  readonly name: string;
  /**
   * `fn NAME(x: Gates, passed: Passed, sums: Sums) -> f32`: the term of one unit. `passed` is left out
   * where the phase before passes nothing. `HIDDEN` is the number of units.
   */
  readonly wgsl: string;
}

/**
 * Part of a step: a product with a vector that all units share, and the arithmetic of one unit after
 * it. A cell has a second phase where a product or a reduction needs what all units made before.
 */
export interface CellPhase {
  /** Name of its WGSL function. */
  readonly name: string;
  /** Gates whose rows of R are multiplied; none where the phase has no product. */
  readonly product: readonly string[];
  /** The vector that they are multiplied with: the output state, or a value that the phase before passes. */
  readonly of: string;
  /** Gates whose W·x + b the phase reads. */
  readonly inputs: readonly string[];
  /** Values of each unit that the next phase reads; the last phase passes none. */
  readonly passes: readonly string[];
  /** Sums over all units, made before the function is called. A phase with a product has none. */
  readonly reductions: readonly CellReduction[];
  /** Functions of the cell library that the WGSL calls: `clipGate`, `act0`, `sigmoid`, `safeTanh` … */
  readonly calls: readonly string[];
  /**
   * The arithmetic of one unit as a function `NAME`. Its arguments, in this order, as far as they apply:
   *
   * | argument | type | there where |
   * |---|---|---|
   * | `x` | `Gates`: W·x + b by gate, zero for gates not in `inputs` | `inputs` is not empty |
   * | `s` | `Gates`: R·v by gate, zero for gates not in `product` | `product` is not empty |
   * | `before` | `State`: the states before the step | always |
   * | `passed` | `Passed`: what the phase before has passed | it passes anything |
   * | `p` | `Parameters` | the cell declares any |
   * | `sums` | `Sums` | the phase declares reductions |
   *
   * It returns `State`, or `Passed` where it passes anything: `var passed: Passed; passed.u = …;`.
   * `#if COUPLED`, `RESET_AFTER` and `PEEPHOLES` choose by variant, each on a line of its own.
   */
  readonly wgsl: string;
}

/** A recurrent cell. `defineCell` makes one of your own. */
export interface Cell {
  /** For layers without a name, for kernels and for people. */
  readonly name: string;
  /** Gates by name: row blocks of W, R and B in this order. */
  readonly gates: readonly string[];
  /** States by name. The first is the output, and what R multiplies. */
  readonly states: readonly string[];
  /** Default activations by ONNX name; the WGSL calls them `act0`, `act1` …. */
  readonly activations: readonly string[];
  /** Numbers per unit that a variant reads besides its gates, in the order of the input P. */
  readonly parameters: (variant: CellVariant) => readonly CellParameter[];
  /** One step of one row in float64: the states after it. */
  readonly step: (input: StepInput) => Vectors;
  /** The same step in WGSL. */
  readonly phases: (variant: CellVariant) => readonly CellPhase[];
}

/** The variant of a layer that has none of the options. */
export const PLAIN_VARIANT: CellVariant = { coupled: false, resetAfter: false, peepholes: false };

/** A phase with what it leaves out filled in; `gates` and `output` are those of its cell. */
export function phaseOf(
  gates: readonly string[],
  output: string,
  given: Partial<CellPhase> & Pick<CellPhase, 'name' | 'wgsl'>,
): CellPhase {
  const product = given.product ?? [];
  return {
    product,
    of: output,
    inputs: product.length > 0 ? product : gates,
    passes: [],
    reductions: [],
    calls: [],
    ...given,
  };
}
